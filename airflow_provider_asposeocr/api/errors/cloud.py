"""Errors of single requests: the cloud is not reached, does not accept the credentials, or refuses."""

from __future__ import annotations

from airflow_provider_asposeocr.api.errors.base import AsposeOcrError, Billed, Remedies


class AuthenticationError(AsposeOcrError):
    """The cloud refuses the credentials."""


class CredentialsRejectedError(AuthenticationError):
    """
    The token endpoint answered 400, 401 or 403: the client id or secret is wrong.

    Final: the cloud locks a pair of credentials for ten minutes after five failures.
    """

    remedies = Remedies(
        hook="Correct the client id and secret in the Airflow connection.",
        task="Correct the client id and secret in the Airflow connection, then clear the task.",
        form="Correct the client id and secret, save the connection and test again.",
    )


class CredentialsLockedError(AuthenticationError):
    """The token endpoint answered 429: too many failed token requests with this pair of credentials."""

    retryable = True
    remedies = Remedies(
        hook="Correct the client id and secret in the Airflow connection, which lifts the lock at once, or wait.",
        form="Correct the client id and secret, which lifts the lock at once, or wait.",
    )


class AccessDeniedError(AuthenticationError):
    """The cloud refused a new token (401 or 403)."""

    remedies = Remedies(
        hook="Check in the vendor's dashboard that the application may use Aspose.OCR and its plan is paid.",
        task="Check in the vendor's dashboard that the application may use Aspose.OCR and its plan is paid, then clear "
        "the task.",
    )


class RequestError(AsposeOcrError):
    """A single request to the cloud did not succeed."""


class CloudUnreachableError(RequestError):
    """No connection, or the connection was lost before an answer came."""

    retryable = True
    remedies = Remedies("Check the scheme, host and port of the base URL, and the firewall if it persists.")


class ProxyUnreachableError(CloudUnreachableError):
    """The proxy does not answer, or does not let the request through."""

    remedies = Remedies(
        "Check the proxy: the connection's extra proxy or, where that is empty, the environment variables HTTPS_PROXY, "
        "HTTP_PROXY and NO_PROXY of this component."
    )


class SchemeMismatchError(CloudUnreachableError):
    """The base URL says https and the port speaks plain HTTP, or the other way round."""

    remedies = Remedies("Check the scheme and the port of the base URL and of the token URL.")


class CertificateError(RequestError):
    """The server's TLS certificate is not trusted."""

    remedies = Remedies(
        hook="Set ca_bundle in the connection's extras to the file of the authority that signed it.",
        task="Set ca_bundle in the connection's extras to the file of the authority that signed it, then clear the task.",
    )


class CloudUnavailableError(RequestError):
    """The cloud answered with a server error."""

    retryable = True
    remedies = Remedies("Wait; ask the vendor if it persists.")


class RateLimitedError(RequestError):
    """The cloud answered 429."""

    retryable = True
    #: Whether nothing was sent, because the cloud has answered another request of the connection with a ``Retry-After``.
    held_back = False
    remedies = Remedies(
        hook="Send fewer requests at once.",
        task="Let fewer tasks run at once, for example through an Airflow pool.",
        form="Wait a minute, then test again.",
    )


class QuotaExceededError(RequestError):
    """
    The cloud answered 402, or refused with words about a plan or a payment.

    The vendor does not document what the cloud answers when a plan is used up.
    """

    remedies = Remedies(
        hook="Check the plan in the vendor's dashboard.",
        task="Check the plan in the vendor's dashboard, then clear the task.",
    )


class RequestRejectedError(RequestError):
    """The cloud refused the request (400, 404, 413, 415 and similar statuses)."""

    remedies = Remedies(
        hook="Check the source, the settings and the base URL against the message.",
        task="Check the source, the settings and the base URL against the message, then clear the task.",
        form="Check that the base URL is that of Aspose.OCR Cloud: the API would have answered this request.",
    )


class UnexpectedResponseError(RequestError):
    """The answer is not what the API documents, for example an HTML page of a gateway."""

    retryable = True
    remedies = Remedies(
        "Check that the base URL and the token URL are those of Aspose.OCR Cloud, and not another server or the page "
        "of a proxy."
    )


class SubmitUnknownError(AsposeOcrError):
    """
    A submit was sent completely and no usable answer came, so that it is unknown whether the cloud accepted it.

    The cloud has no idempotency key. Therefore a second submit may be billed a second time.
    """

    retryable = True
    billed: Billed = "maybe"
    remedies = Remedies(
        hook="Submitting again may bill twice; catch this error to decide yourself.",
        task="Submitting again may bill twice; the operator's parameter on_unknown_submit decides whether a retry does.",
    )

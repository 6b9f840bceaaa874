"""
Everything that can go wrong with the cloud, as a tree.

Invariant: each class answers the four questions of the person who reads it: what happened (the message), was
anything billed (``billed``), is a retry worthwhile (``retryable``), what to do now (``remedy``). What to do depends
on where the error is shown (``place``): only in a task can a task be cleared, and in the connection form or in an
import error nothing can have been billed. ``str()`` says what fits the place.

::

    AsposeOcrError
    ├── InputError                     yours to fix; nothing was sent
    │   ├── InvalidConnectionError
    │   ├── SettingsError
    │   ├── SourceError
    │   │   └── SourceUnreadableError  a retry helps
    │   └── TrialNotAvailableError
    ├── AuthenticationError            the cloud does not accept the credentials
    │   ├── CredentialsRejectedError
    │   ├── CredentialsLockedError     a retry helps after the lock-out
    │   └── AccessDeniedError
    ├── RequestError                   a single request did not succeed
    │   ├── CloudUnreachableError      a retry helps
    │   │   ├── ProxyUnreachableError  a retry helps
    │   │   └── SchemeMismatchError    a retry helps
    │   ├── CertificateError
    │   ├── CloudUnavailableError      a retry helps
    │   ├── RateLimitedError           a retry helps
    │   ├── QuotaExceededError
    │   ├── RequestRejectedError
    │   └── UnexpectedResponseError    a retry helps
    ├── SubmitUnknownError             sent, no answer: perhaps billed
    ├── TaskError                      the cloud had accepted the task
    │   ├── TaskFailedError            a retry helps if the cloud was at fault
    │   ├── TaskPendingError           a retry helps
    │   ├── TaskUnknownError           a retry submits again
    │   ├── TaskExpiredError
    │   ├── TaskTimeoutError           a retry submits again
    │   └── UnknownStatusError
    ├── WaitError                      Airflow lost the wait; a retry helps
    ├── ResultError                    the task is done, its result is not usable as it came
    │   ├── ResultIncompleteError
    │   └── ResultCorruptError         a retry helps
    └── StorageError                   the destination; the cloud still has the result
        └── DestinationError           a retry does not help
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

Billed = Literal["no", "maybe", "yes", "already"]

#: Where an error is shown: ``form``, the result of "Test connection"; ``parse``, an import error of a DAG file;
#: ``task``, the log of one of our operators; ``hook``, everywhere else, that is in code that calls the hook or the client.
Place = Literal["form", "parse", "task", "hook"]

_BILLED_SENTENCES: dict[Billed, str] = {
    "no": "Nothing was billed.",
    "maybe": "It may have been billed.",
    "yes": "The cloud task was accepted and billed.",
    "already": "Nothing more was billed.",
}


@dataclass(frozen=True)
class Remedies:
    """
    What to do about an error, one or two sentences in the imperative for each place where it may be shown.

    :param hook: For code that calls the hook or the client; the other places take it where they have none of their own.
    :param task: For the log of an operator's task.
    :param form: For the result of "Test connection".
    :param parse: For an import error.
    """

    hook: str
    task: str = ""
    form: str = ""
    parse: str = ""

    def at(self, place: Place) -> str:
        """
        Return the remedy for a place.

        :param place: Where the error is shown.
        """
        by_place = {"task": self.task, "form": self.form, "parse": self.parse}
        return by_place.get(place, "") or self.hook


class AsposeOcrError(Exception):
    """
    Root of all errors of the client.

    :param message: What happened, one or two sentences, without secrets. Foreign text in it has been through
        :func:`~airflow_provider_asposeocr.api.printable.shown`.
    :param operation: Name of the cloud's operation, where one was involved.
    :param task_id: Id of the cloud task, where one is known.
    :param http_status: Status code of the answer, where there was one.
    :param retry_after_seconds: How long the cloud asks to wait, where it does.
    :param billed: Whether anything was billed, where the class alone does not say it: a poll that fails costs
        nothing, but its task was billed before.
    """

    #: Whether the same attempt may succeed later without anybody changing anything.
    retryable: ClassVar[bool] = False
    #: ``already`` means that what was billed before stays billed and the failure costs nothing more.
    billed: Billed = "no"
    #: What to do now, by the place where the error is shown.
    remedies: ClassVar[Remedies] = Remedies(
        hook="Read the log.",
        task="Read the task's log.",
        form="Read the log of the component that tested the connection.",
        parse="Read the DAG processor's log.",
    )
    #: Where the error is shown; set with :func:`shown_at`.
    place: Place = "hook"

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        task_id: str | None = None,
        http_status: int | None = None,
        retry_after_seconds: float | None = None,
        billed: Billed | None = None,
    ) -> None:
        super().__init__(message)
        if billed is not None:
            self.billed = billed
        self.message = message
        self.operation = operation
        self.task_id = task_id
        self.http_status = http_status
        self.retry_after_seconds = retry_after_seconds

    @property
    def remedy(self) -> str:
        """What to do now, for the reader at the error's place."""
        return self.remedies.at(self.place)

    def __str__(self) -> str:
        # Here nothing can have been billed, and Airflow retries neither.
        if self.place in ("form", "parse"):
            return f"{self.message} {self.remedy}"
        task = ""
        if self.task_id:
            task = f" [{self.operation or 'task'} {shown(self.task_id, 80)}]"
        retry = "A retry may help." if self.retryable else "A retry does not help."
        return f"{self.message}{task} {_BILLED_SENTENCES.get(self.billed, '')} {retry} {self.remedy}"

    def about(self, operation: str | None, task_id: str | None) -> Self:
        """
        Name the cloud task that the error is about.

        :param operation: The operation that submitted it.
        :param task_id: The cloud's id of it.
        :return: The error itself, to be raised.
        """
        self.operation, self.task_id = operation, task_id
        return self

    def to_dict(self) -> dict[str, Any]:
        """
        Describe the error in JSON, so that a trigger can hand it to the worker.

        :return: ``{"error": class name, "message": …}`` and those attributes that are set.
        """
        attributes = {
            "operation": self.operation,
            "task_id": self.task_id,
            "http_status": self.http_status,
            "retry_after_seconds": self.retry_after_seconds,
            "billed": self.billed,
        }
        described = {name: value for name, value in attributes.items() if value is not None}
        return {"error": type(self).__name__, "message": self.message, **described}


class InputError(AsposeOcrError):
    """What was asked for cannot be done; found before anything was sent."""

    remedies = Remedies(
        hook="Correct what was passed.",
        task="Correct the DAG or its input, then clear the task.",
        form="Correct the connection.",
        parse="Correct the DAG.",
    )


class InvalidConnectionError(InputError):
    """The Airflow connection does not exist, or some of its fields or extras make no sense."""

    remedies = Remedies(
        hook="Correct the Airflow connection.",
        task="Correct the Airflow connection, then clear the task.",
        form="Correct the connection, save it and test again.",
    )


class SettingsError(InputError, ValueError):
    """A setting is unknown, does not apply to the operation, or has a value that the cloud does not know."""

    remedies = Remedies(
        hook="Correct the settings; strict_settings=False passes settings that this version does not know.",
        task="Correct the settings, then clear the task; strict_settings=False passes settings that this version does "
        "not know.",
        parse="Correct the settings in the DAG; strict_settings=False passes settings that this version does not know.",
    )


class SourceError(InputError):
    """The source is missing, empty, unreadable or of a type that the operation does not read."""

    remedies = Remedies(
        hook="Check the source.",
        task="Check the source, then clear the task.",
        parse="Correct the source in the DAG.",
    )


class SourceUnreadableError(SourceError):
    """The storage of the source did not answer; nothing was sent."""

    retryable = True
    remedies = Remedies("Check the storage and its connection if it persists.")


class TrialNotAvailableError(InputError):
    """The connection is in evaluation mode and the operation has no trial variant."""

    remedies = Remedies(
        hook="Use a connection with an account, or one of the operations that have a trial variant.",
        task="Use a connection with an account, or one of the operations that have a trial variant, then clear the task.",
    )


class AuthenticationError(AsposeOcrError):
    """The cloud does not accept who we say we are."""


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
    """The cloud refused a fresh token (401 or 403)."""

    remedies = Remedies(
        hook="Check in the vendor's dashboard that the application may use Aspose.OCR and its plan is paid.",
        task="Check in the vendor's dashboard that the application may use Aspose.OCR and its plan is paid, then clear "
        "the task.",
    )


class RequestError(AsposeOcrError):
    """A single request to the cloud did not succeed."""


class CloudUnreachableError(RequestError):
    """No connection, or it broke before an answer came."""

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
    #: Whether nothing was sent, because the cloud has asked another request of the connection to come back later.
    held_back = False
    remedies = Remedies(
        hook="Send fewer requests at once.",
        task="Let fewer tasks run at once, for example through an Airflow pool.",
        form="Wait a minute, then test again.",
    )


class QuotaExceededError(RequestError):
    """
    The cloud answered 402, or refused with words about a plan or a payment.

    The vendor does not document how a used-up plan answers.
    """

    remedies = Remedies(
        hook="Check the plan in the vendor's dashboard.",
        task="Check the plan in the vendor's dashboard, then clear the task.",
    )


class RequestRejectedError(RequestError):
    """The cloud refused the request as it is (400, 404, 413, 415 and the like)."""

    remedies = Remedies(
        hook="Check the source, the settings and the base URL against the message.",
        task="Check the source, the settings and the base URL against the message, then clear the task.",
        form="Check that the base URL is that of Aspose.OCR Cloud: the API would have answered this request.",
    )


class UnexpectedResponseError(RequestError):
    """The answer is not what the API promises, for example an HTML page of a gateway."""

    retryable = True
    remedies = Remedies(
        "Check that the base URL and the token URL are those of Aspose.OCR Cloud, and not another server or the page "
        "of a proxy."
    )


class SubmitUnknownError(AsposeOcrError):
    """
    A task was sent in whole and no usable answer came: nobody can tell whether it was accepted.

    The cloud has no idempotency key, so that a second submit may be a second bill.
    """

    retryable = True
    billed: Billed = "maybe"
    remedies = Remedies(
        hook="Submitting again may bill twice; catch this error to decide yourself.",
        task="Submitting again may bill twice; the operator's parameter on_unknown_submit decides whether a retry does.",
    )


class TaskError(AsposeOcrError):
    """The cloud had accepted the task, and it did not end well."""

    billed: Billed = "yes"


class TaskFailedError(TaskError):
    """The cloud task ended with the status ``Error``."""

    retryable = True
    remedies = Remedies(
        hook="Check the input against the cloud's message; submitting it again is billed again.",
        task="Check the input against the cloud's message; a retry of the task that submitted it is billed again.",
    )


class TaskPendingError(TaskError):
    """The result was asked for before the cloud task was done."""

    retryable = True
    remedies = Remedies("Wait for the cloud task first.")


class TaskUnknownError(TaskError):
    """The cloud does not know the task although its result could not have expired yet."""

    retryable = True
    billed: Billed = "maybe"
    remedies = Remedies(
        hook="Check that the connection is of the account that submitted it, or submit again.",
        task="Check that the connection is of the account that submitted it, or clear the task that submitted it.",
    )


class TaskExpiredError(TaskError):
    """The result is older than the cloud's retention of 24 hours."""

    remedies = Remedies(
        hook="Submit again, which is billed again.",
        task="Clear the task that submitted it, which bills it again.",
    )


class TaskTimeoutError(TaskError):
    """The cloud task was not done in time and has been cancelled, as far as the cloud lets us."""

    retryable = True
    remedies = Remedies("Raise timeout_seconds, or look at the vendor's status page.")


class UnknownStatusError(TaskError):
    """The cloud reports a status that this version does not know."""

    remedies = Remedies("Upgrade airflow-provider-asposeocr; the result can still be fetched for 24 hours.")


class WaitError(AsposeOcrError):
    """The wait broke for a reason that has nothing to do with the cloud, for example a lost trigger event."""

    retryable = True
    billed: Billed = "yes"
    remedies = Remedies("Read the triggerer's log.")


class ResultError(AsposeOcrError):
    """The cloud task is completed, its result is not what was asked for."""

    billed: Billed = "yes"


class ResultIncompleteError(ResultError):
    """Completed, but without (all) results."""

    remedies = Remedies(
        hook="Fetch again within 24 hours, or submit again, which is billed again.",
        task="Fetch again within 24 hours, or clear the task that submitted it, which bills it again.",
    )


class ResultCorruptError(ResultError):
    """The answer with the results is broken: not JSON, not base64, cut off."""

    retryable = True
    remedies = Remedies("Fetch again: the cloud keeps the result for 24 hours after the submit.")


class StorageError(AsposeOcrError):
    """The result could not be written to its destination."""

    billed: Billed = "already"
    retryable = True
    remedies = Remedies(
        hook="Make the destination writable and fetch again: the cloud keeps the result for 24 hours.",
        task="Make the destination writable and clear this task: the cloud keeps the result for 24 hours.",
        parse="Correct the destination in the DAG.",
    )


class DestinationError(StorageError):
    """The destination cannot take the result as asked, for example because a file there is another document's."""

    retryable = False
    remedies = Remedies(
        hook="Correct the destination and fetch again: the cloud keeps the result for 24 hours.",
        task="Correct the destination and clear this task: the cloud keeps the result for 24 hours.",
        parse="Correct the destination in the DAG.",
    )


@contextmanager
def shown_at(place: Place) -> Iterator[None]:
    """
    Tell the errors that leave a block where they will be shown.

    :param place: The place.
    """
    try:
        yield
    except AsposeOcrError as error:
        error.place = place
        raise


def _subclasses(cls: type[AsposeOcrError]) -> dict[str, type[AsposeOcrError]]:
    found = {cls.__name__: cls}
    for sub in cls.__subclasses__():
        found |= _subclasses(sub)
    return found


def from_dict(described: dict[str, Any]) -> AsposeOcrError:
    """
    Make an error from its description.

    :param described: What :meth:`AsposeOcrError.to_dict` returned, perhaps by another version.
    :return: The error; :class:`AsposeOcrError` itself where the class is unknown here, so that it stays an error.
    """
    cls = _subclasses(AsposeOcrError).get(str(described.get("error")), AsposeOcrError)
    message = str(described.get("message") or "The trigger reported an error without a message.")
    return cls(
        message,
        operation=_text(described.get("operation")),
        task_id=_text(described.get("task_id")),
        http_status=_number(described.get("http_status"), int),
        retry_after_seconds=_number(described.get("retry_after_seconds"), int, float),
        billed=next((name for name in _BILLED_SENTENCES if name == described.get("billed")), None),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object, *types: type) -> Any:
    """Return a finite number that is not negative as it is, and nothing else."""
    usable = isinstance(value, types) and not isinstance(value, bool)
    return value if usable and 0 <= value < math.inf else None  # type: ignore[operator]  # it is a number

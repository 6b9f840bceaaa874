"""
Everything that can go wrong with the cloud, as a tree.

Invariant: each class answers the four questions of whoever is paged at night: what happened (the message), was
anything billed (``billed``), is a retry worthwhile (``retryable``), what to do now (``remedy``). ``str()`` says
all four.

::

    AsposeOcrError
    ├── InputError                     yours to fix; nothing was sent
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
from typing import Any, ClassVar, Literal, Self

from airflow_provider_asposeocr.api.untrusted import shown

Billed = Literal["no", "maybe", "yes", "already"]

_BILLED_SENTENCES: dict[Billed, str] = {
    "no": "Nothing was billed.",
    "maybe": "It may have been billed.",
    "yes": "The cloud task was accepted and billed.",
    "already": "Nothing more was billed.",
}


class AsposeOcrError(Exception):
    """
    Root of all errors of the client.

    :param message: What happened, one or two sentences, without secrets. Foreign text in it has been through
        :func:`~airflow_provider_asposeocr.api.untrusted.shown`.
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
    #: What to do now, one sentence in the imperative.
    remedy: ClassVar[str] = "Read the task's log."

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

    def __str__(self) -> str:
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

    remedy = "Correct the DAG or its input."


class SettingsError(InputError, ValueError):
    """A setting is unknown, does not apply to the operation, or has a value that the cloud does not know."""

    remedy = "Correct the settings; strict_settings=False passes settings that this version does not know."


class SourceError(InputError):
    """The source is missing, empty, unreadable or of a type that the operation does not read."""

    remedy = "Check the source, then clear the task."


class SourceUnreadableError(SourceError):
    """The storage of the source did not answer; nothing was sent."""

    retryable = True
    remedy = "Check the storage and its connection if it persists."


class TrialNotAvailableError(InputError):
    """The connection is in evaluation mode and the operation has no trial variant."""

    remedy = "Use a connection with an account, or one of the operations that have a trial variant."


class AuthenticationError(AsposeOcrError):
    """The cloud does not accept who we say we are."""


class CredentialsRejectedError(AuthenticationError):
    """
    The token endpoint answered 400, 401 or 403: the client id or secret is wrong.

    Final: the cloud locks a pair of credentials for ten minutes after five failures.
    """

    remedy = "Correct the client id and secret in the Airflow connection, then clear the task."


class CredentialsLockedError(AuthenticationError):
    """The token endpoint answered 429: too many failed token requests with this pair of credentials."""

    retryable = True
    remedy = (
        "Correct the client id and secret in the Airflow connection, which lifts the lock at once, or wait."
    )


class AccessDeniedError(AuthenticationError):
    """The cloud refused a fresh token (401 or 403)."""

    remedy = "Check in the vendor's dashboard that the application may use Aspose.OCR and its plan is paid."


class RequestError(AsposeOcrError):
    """A single request to the cloud did not succeed."""


class CloudUnreachableError(RequestError):
    """No connection, or it broke before an answer came."""

    retryable = True
    remedy = "Check the base URL, the proxy and the firewall if it persists."


class CertificateError(RequestError):
    """The server's TLS certificate is not trusted."""

    remedy = "Set ca_bundle in the connection's extras to the file of the authority that signed it."


class CloudUnavailableError(RequestError):
    """The cloud answered with a server error."""

    retryable = True
    remedy = "Wait; ask the vendor if it persists."


class RateLimitedError(RequestError):
    """The cloud answered 429."""

    retryable = True
    #: Whether nothing was sent, because the cloud has asked another request of the connection to come back later.
    held_back = False
    remedy = "Let fewer tasks run at once, for example through an Airflow pool."


class QuotaExceededError(RequestError):
    """
    The cloud answered 402, or refused with words about a plan or a payment.

    The vendor does not document how a used-up plan answers.
    """

    remedy = "Check the plan in the vendor's dashboard, then clear the task."


class RequestRejectedError(RequestError):
    """The cloud refused the request as it is (400, 404, 413, 415 and the like)."""

    remedy = "Check the source and the settings against the message, then clear the task."


class UnexpectedResponseError(RequestError):
    """The answer is not what the API promises, for example an HTML page of a gateway."""

    retryable = True
    remedy = "Check that the connection's host is the API and not a proxy's page."


class SubmitUnknownError(AsposeOcrError):
    """
    A task was sent in whole and no usable answer came: nobody can tell whether it was accepted.

    The cloud has no idempotency key, so that a second submit may be a second bill.
    """

    retryable = True
    billed: Billed = "maybe"
    remedy = (
        "A retry submits again, which may bill twice. Operators decide by on_unknown_submit; "
        "with the hook, catch this error to decide yourself."
    )


class TaskError(AsposeOcrError):
    """The cloud had accepted the task, and it did not end well."""

    billed: Billed = "yes"


class TaskFailedError(TaskError):
    """The cloud task ended with the status ``Error``."""

    retryable = True
    remedy = (
        "Check the input against the cloud's message; a retry of the task that submitted it is billed again."
    )


class TaskPendingError(TaskError):
    """The result was asked for before the cloud task was done."""

    retryable = True
    remedy = "Wait for the task first."


class TaskUnknownError(TaskError):
    """The cloud does not know the task although its result could not have expired yet."""

    retryable = True
    billed: Billed = "maybe"
    remedy = (
        "Check that the connection is of the account that submitted it, or clear the task that submitted it."
    )


class TaskExpiredError(TaskError):
    """The result is older than the cloud's retention of 24 hours."""

    remedy = "Clear the task that submitted it, which bills it again."


class TaskTimeoutError(TaskError):
    """The cloud task was not done in time and has been cancelled, as far as the cloud lets us."""

    retryable = True
    remedy = "Raise timeout_seconds, or look at the vendor's status page."


class UnknownStatusError(TaskError):
    """The cloud reports a status that this version does not know."""

    remedy = "Upgrade airflow-provider-asposeocr; the result can still be fetched for 24 hours."


class WaitError(AsposeOcrError):
    """The wait broke for a reason that has nothing to do with the cloud, for example a lost trigger event."""

    retryable = True
    billed: Billed = "yes"
    remedy = "Read the triggerer's log."


class ResultError(AsposeOcrError):
    """The cloud task is completed, its result is not what was asked for."""

    billed: Billed = "yes"


class ResultIncompleteError(ResultError):
    """Completed, but without (all) results."""

    remedy = "Fetch again within 24 hours, or clear the task that submitted it."


class ResultCorruptError(ResultError):
    """The answer with the results is broken: not JSON, not base64, cut off."""

    retryable = True
    remedy = "Fetch again: the cloud keeps the result for 24 hours after the submit."


class StorageError(AsposeOcrError):
    """The result could not be written to its destination."""

    billed: Billed = "already"
    retryable = True
    remedy = "Make the destination writable and clear this task: the cloud keeps the result for 24 hours."


class DestinationError(StorageError):
    """The destination cannot take the result as asked, for example because the file is there already."""

    retryable = False


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

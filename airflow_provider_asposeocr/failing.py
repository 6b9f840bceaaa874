"""
Fail an Airflow task so that one line of its log contains the reason.

Airflow logs an exception as a traceback. There the message comes after many frames, once for each exception of the chain.
Therefore the message is logged first, and the chain is kept only if its text contains more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_asposeocr.api.errors import AsposeOcrError, TaskError, TaskPendingError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.compat import AirflowFailException

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.responses import TaskRef

#: Attribute that marks an error as logged, because it may pass through several handlers.
_LOGGED = "_aspose_ocr_logged"


def fail_with(log: Any, error: AsposeOcrError, consumed: TaskRef | None = None) -> NoReturn:
    """
    Fail the task with an error of the client, so that Airflow retries only what a retry can solve.

    :param log: The operator's log.
    :param error: What happened.
    :param consumed: The cloud task, if another Airflow task has submitted it: then only that one can replace it. By
        default this Airflow task has submitted it, or there is none.
    :raises AirflowFailException: if a retry does not help.
    :raises AsposeOcrError: the error itself, if a retry may help.
    """
    error.place = "task"
    retryable, message = error.retryable, str(error)
    if consumed is not None and isinstance(error, TaskError):
        retryable = retryable and isinstance(error, TaskPendingError)
        message = f"{message} It was submitted {consumed.origin}: clear that task, not this one."
    fail_task(log, message, error if retryable else None)


def fail_task(log: Any, message: str, error: Exception | None = None) -> NoReturn:
    """
    Log why the task fails, and fail it.

    :param log: The operator's log.
    :param message: What happened and what to do, in one line.
    :param error: The error to raise, after which Airflow retries; ``None`` raises ``AirflowFailException``, which is not
        retried.
    :raises AirflowFailException: if no error is given.
    """
    if not getattr(error, _LOGGED, False):
        log.error("%s", message)
    if error is None:
        raise AirflowFailException(message) from None
    setattr(error, _LOGGED, True)
    cause = error.__cause__
    if cause is not None and shown(cause) in message:
        cause = None
    # Without its frames: they show where the cloud's answer was read, which does not help the user.
    raise error.with_traceback(None) from cause

"""
Fail an Airflow task so that the reason stands in one line of its log.

Airflow logs an exception as a traceback, in which the sentence stands below many frames and once per exception of the
chain. So the sentence is logged first, and the chain is kept only where it says more.
"""

from __future__ import annotations

from typing import Any, NoReturn

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.compat import AirflowFailException

#: Attribute of an error that has been logged: it may pass through more than one handler.
_LOGGED = "_aspose_ocr_logged"


def fail_task(log: Any, message: str, error: Exception | None = None) -> NoReturn:
    """
    Log why the task fails, and fail it.

    :param log: The operator's log.
    :param message: What happened and what to do, in one line.
    :param error: What to raise, so that Airflow retries; ``None`` = ``AirflowFailException``, which is not retried.
    :raises AirflowFailException: where no error is given.
    """
    if not getattr(error, _LOGGED, False):
        log.error("%s", message)
    if error is None:
        raise AirflowFailException(message) from None
    setattr(error, _LOGGED, True)
    cause = error.__cause__
    if cause is not None and shown(cause) in message:
        cause = None
    # Its frames lead to where the cloud's answer was read, which the message says in words.
    raise error.with_traceback(None) from cause

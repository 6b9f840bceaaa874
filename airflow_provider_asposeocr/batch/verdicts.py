"""
What an error means for a document of a batch, and for the batch. Pure.

Invariant: an error of one document never stops the others, and an error of the account never fails a document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_asposeocr.api.errors import (
    AccessDeniedError,
    AuthenticationError,
    CertificateError,
    InvalidConnectionError,
    QuotaExceededError,
    RequestError,
    SubmitUnknownError,
    TaskExpiredError,
    TaskFailedError,
    TaskPendingError,
    TaskUnknownError,
    TrialNotAvailableError,
    UnknownStatusError,
)

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.errors import AsposeOcrError

#: ``later``: try again in a while. ``fail``: the document has failed, and a later try goes on where this one has stopped.
#: ``over``: the cloud task has no result, and a later try needs another one. ``unknown``, ``gone``, ``expired``: it may
#: have been billed, and only a second bill can help. ``pending``: the cloud task still runs. ``account``: nothing can be
#: submitted.
Verdict = Literal["later", "fail", "over", "unknown", "gone", "expired", "pending", "account"]

#: The cloud may refuse a token that was just renewed: another process has renewed it again, or a part of the cloud does
#: not know it yet. One document in ten thousand must not stop the others; the account counts as refused if it
#: happens this number of times in a row.
MOST_REFUSED_TOKENS = 3

_OF_ACCOUNT = (
    AuthenticationError,
    QuotaExceededError,
    CertificateError,
    InvalidConnectionError,
    TrialNotAvailableError,
    UnknownStatusError,
)


def concerns_account(error: AsposeOcrError) -> bool:
    """
    Tell whether an error concerns the account, and so every document.

    :param error: The error of a request.
    """
    return isinstance(error, _OF_ACCOUNT)


def verdict_on(error: AsposeOcrError, *, reads_result: bool, attempts: int) -> Verdict:
    """
    Decide what an error means for a document.

    :param error: The error.
    :param reads_result: Whether it comes from fetching the result of a cloud task; if not, from reading or sending the
        document.
    :param attempts: How many requests for the document have failed in a row before this one.
    """
    if isinstance(error, SubmitUnknownError):
        return "unknown"
    if isinstance(error, AccessDeniedError) and attempts < MOST_REFUSED_TOKENS:
        return "later"
    if concerns_account(error):
        return "account"
    if reads_result:
        for cls, verdict in _OF_RESULTS:
            if isinstance(error, cls):
                return verdict
    return "later" if isinstance(error, RequestError) and error.retryable else "fail"


_OF_RESULTS: tuple[tuple[type[AsposeOcrError], Verdict], ...] = (
    (TaskExpiredError, "expired"),
    (TaskUnknownError, "gone"),
    (TaskPendingError, "pending"),
    (TaskFailedError, "over"),
)


def error_to_dict(error: AsposeOcrError) -> dict[str, Any]:
    """
    Describe an error for the journal and the manifest.

    :param error: The error.
    :return: As :meth:`.AsposeOcrError.to_dict`, with ``retryable``.
    """
    return {**error.to_dict(), "retryable": error.retryable}


def never_answered(operation: str) -> SubmitUnknownError:
    """
    Return the error of a submit of which the journal has no answer.

    :param operation: The operation of the submit.
    """
    return SubmitUnknownError(
        f"The submit of {operation} was never answered, or its process ended before the answer was written down.",
        operation=operation,
    )

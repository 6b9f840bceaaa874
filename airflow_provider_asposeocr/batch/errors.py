"""Errors of a batch as a whole; the error of one document is one of the client's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, Billed, Remedies

if TYPE_CHECKING:
    from collections.abc import Mapping


class JournalError(AsposeOcrError):
    """
    The journal of a batch is missing, broken, or was written by another version of the provider; nothing was sent.

    An unreadable journal never counts as an empty one: it may have records of submits that were billed.
    """

    billed: Billed = "maybe"
    remedies = Remedies(
        hook="Restore the file that the message names, for example from an earlier version in the bucket. Without it, "
        "it is unknown which documents were billed.",
        task="Restore the file that the message names, for example from an earlier version in the bucket, or clear the "
        "task, which submits all documents again: those that were submitted before are billed again.",
    )


class JournalMissingError(JournalError):
    """There is no journal where one must be."""


class JournalUnreachableError(JournalError):
    """The storage of the journal did not answer, or refused; nothing more was sent."""

    retryable = True
    billed: Billed = "already"
    remedies = Remedies("Check the storage of the state folder and its connection if it persists.")


class JournalFencedError(JournalError):
    """
    Another process has taken over the batch, or has finished it; this process does nothing more.

    It must not cancel either: the other process waits for the cloud tasks now.
    """

    retryable = True
    billed: Billed = "already"
    remedies = Remedies("Nothing: the process that has taken over goes on with all documents.")


class BatchFailedError(AsposeOcrError):
    """
    A batch has ended, and more documents failed than ``max_failures`` allows, or not all were submitted.

    :param message: What happened.
    :param summary: The summary of the batch, as :meth:`.summary.Tally.summary` returns it.
    """

    billed: Billed = "already"
    retryable = True
    remedies = Remedies(
        hook="Read the manifest, which has a row for each document.",
        task="Read the manifest, which has a row for each document. A retry submits only what is not done; a Clear begins "
        "anew, which is billed again. To submit only the failed documents in another run, set "
        "sources={'manifest': uri, 'outcome': 'failed'}.",
    )

    def __init__(self, message: str, summary: Mapping[str, Any] | None = None, **attributes: Any) -> None:
        super().__init__(message, **attributes)
        self.summary = dict(summary or {})


class BatchFailedForGoodError(BatchFailedError):
    """A batch has failed, and a retry would end in the same way: what failed cannot succeed, or the budget is used up."""

    retryable = False
    remedies = Remedies(
        hook="Read the manifest, which has a row for each document.",
        task="Read the manifest, which has a row for each document. To submit only the failed documents in another run, set "
        "sources={'manifest': uri, 'outcome': 'failed'}. A Clear begins anew, which is billed again.",
    )


class ManifestError(AsposeOcrError):
    """The rows of a batch's manifest do not add up to its documents, which is a defect of the provider."""

    billed: Billed = "already"
    remedies = Remedies(
        "Report it to the maintainers with the log of the task; the results that were stored are there."
    )

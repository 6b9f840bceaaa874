"""Errors of a cloud task that was accepted: of the task, of the wait for it, of its results and where they go."""

from __future__ import annotations

from airflow_provider_asposeocr.api.errors.base import AsposeOcrError, Billed, Remedies


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
    """The result was requested before the cloud task was completed."""

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
    """The cloud task has not ended in time. The provider has tried to cancel it."""

    retryable = True
    remedies = Remedies("Raise timeout_seconds, or look at the vendor's status page.")


class UnknownStatusError(TaskError):
    """The cloud reports a status that this version does not know."""

    remedies = Remedies("Upgrade airflow-provider-asposeocr; the result can still be fetched for 24 hours.")


class WaitError(AsposeOcrError):
    """The wait failed for a reason other than the cloud, for example a lost trigger event."""

    retryable = True
    billed: Billed = "yes"
    remedies = Remedies("Read the triggerer's log.")


class ResultError(AsposeOcrError):
    """The cloud task is completed, but its result is not usable."""

    billed: Billed = "yes"


class ResultIncompleteError(ResultError):
    """The cloud task is completed, but some or all of its results are missing."""

    remedies = Remedies(
        hook="Fetch again within 24 hours, or submit again, which is billed again.",
        task="Fetch again within 24 hours, or clear the task that submitted it, which bills it again.",
    )


class ResultCorruptError(ResultError):
    """The answer with the results is invalid: it is not JSON, not base64, or cut off."""

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
    """The destination does not fit the result, for example because a file there belongs to another document."""

    retryable = False
    remedies = Remedies(
        hook="Correct the destination and fetch again: the cloud keeps the result for 24 hours.",
        task="Correct the destination and clear this task: the cloud keeps the result for 24 hours.",
        parse="Correct the destination in the DAG.",
    )

"""What a status of the cloud means for its task: ended, failed, gone, or too young to be known. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    TaskExpiredError,
    TaskFailedError,
    TaskUnknownError,
    UnknownStatusError,
)
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState

#: How long some servers behind the cloud's gateway may not know a new task; the vendor does not document this.
YOUNG_SECONDS = 15.0


def known_status(ref: TaskRef, state: TaskState) -> TaskStatus:
    """
    Return the status in an answer of the cloud.

    :param ref: The task.
    :param state: The answer.
    :raises UnknownStatusError: if the status is not documented; the error names the task.
    """
    try:
        return state.status
    except UnknownStatusError as error:
        raise error.about(ref.operation, ref.id) from None


def is_young(ref: TaskRef, now: float) -> bool:
    """
    Return whether a task is so young that the cloud may answer ``NotExist`` although the task runs.

    :param ref: The task.
    :param now: Seconds since the epoch.
    """
    return now - ref.submitted_epoch < YOUNG_SECONDS


def has_ended(ref: TaskRef, status: TaskStatus, now: float) -> bool:
    """
    Return whether a cloud task has ended, so that there is nothing to cancel.

    :param ref: The task.
    :param status: Status in the cloud's answer.
    :param now: Seconds since the epoch.
    :return: For ``NotExist`` true only if the task is older than :data:`YOUNG_SECONDS`; a younger one may be running.
    """
    if status is TaskStatus.NOT_EXIST:
        return not is_young(ref, now)
    return status.is_terminal


def failed_error(ref: TaskRef, state: TaskState) -> TaskFailedError:
    """
    Return the error of a task with the status ``Error``.

    :param ref: The task.
    :param state: The cloud's answer.
    """
    return TaskFailedError(f"{ref.operation} failed in the cloud: {state.reason}.").about(
        ref.operation, ref.id
    )


def gone_error(ref: TaskRef, now: float) -> AsposeOcrError:
    """
    Return the error of a task with the status ``NotExist``.

    :param ref: The task.
    :param now: Seconds since the epoch.
    :return: Expired after the retention, otherwise unknown, because the cloud has one status for both.
    """
    if _is_expired(ref, now):
        return TaskExpiredError(
            f"The result of {ref.operation} was kept until {ref.expires_at.isoformat(timespec='seconds')}.",
            operation=ref.operation,
            task_id=ref.id,
        )
    return TaskUnknownError(
        f"The cloud does not know the task submitted {now - ref.submitted_epoch:.0f} s ago {ref.origin}: "
        "the id is of another account, or the task was cancelled.",
        operation=ref.operation,
        task_id=ref.id,
    )


def refuse_expired(ref: TaskRef, now: float) -> None:
    """
    Raise an error if the cloud no longer keeps the result of a task, which is known without asking it.

    :param ref: The task.
    :param now: Seconds since the epoch.
    :raises TaskExpiredError: if the retention is over.
    """
    if _is_expired(ref, now):
        raise gone_error(ref, now)


def _is_expired(ref: TaskRef, now: float) -> bool:
    return now - ref.submitted_epoch >= RETENTION_SECONDS

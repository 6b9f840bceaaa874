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

#: A fresh task may not be known at once to every server behind the cloud's gateway; nothing documents that it is.
YOUNG_SECONDS = 15.0


def known_status(ref: TaskRef, state: TaskState) -> TaskStatus:
    """
    Return the meaning of the cloud's word.

    :param ref: The task.
    :param state: What the cloud says.
    :raises UnknownStatusError: if the word is none of the documented ones; names the task, which the cloud may not.
    """
    try:
        return state.status
    except UnknownStatusError as error:
        raise error.about(ref.operation, ref.id) from None


def is_young(ref: TaskRef, now: float) -> bool:
    """
    Tell whether a task is so young that the cloud may answer ``NotExist`` although the task runs.

    :param ref: The task.
    :param now: Seconds since the epoch.
    """
    return now - ref.submitted_epoch < YOUNG_SECONDS


def has_ended(ref: TaskRef, status: TaskStatus, now: float) -> bool:
    """
    Tell whether there is nothing left to cancel.

    :param ref: The task.
    :param status: What the cloud says.
    :param now: Seconds since the epoch.
    :return: For ``NotExist`` only once every server must know the task; before that it may run unseen.
    """
    if status is TaskStatus.NOT_EXIST:
        return not is_young(ref, now)
    return status.is_terminal


def failed_error(ref: TaskRef, state: TaskState) -> TaskFailedError:
    """
    Say why the cloud answers ``Error``.

    :param ref: The task.
    :param state: What the cloud says.
    """
    return TaskFailedError(f"{ref.operation} failed in the cloud: {state.reason}.").about(
        ref.operation, ref.id
    )


def gone_error(ref: TaskRef, now: float) -> AsposeOcrError:
    """
    Say why the cloud answers ``NotExist``.

    :param ref: The task.
    :param now: Seconds since the epoch.
    :return: Expired where the retention is over, otherwise unknown: the cloud has one word for both.
    """
    age = now - ref.submitted_epoch
    if age >= RETENTION_SECONDS:
        return TaskExpiredError(
            f"The result of {ref.operation} was kept until {ref.expires_at.isoformat(timespec='seconds')}.",
            operation=ref.operation,
            task_id=ref.id,
        )
    return TaskUnknownError(
        f"The cloud does not know the task submitted {age:.0f} s ago {ref.origin}: "
        "the id is of another account, or the task was cancelled.",
        operation=ref.operation,
        task_id=ref.id,
    )

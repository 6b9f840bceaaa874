"""
Read the cloud's reasons for the failure of a cloud task.

The vendor documents messages for the operation's own path, not for the status. Therefore they are read from that path,
and the results are discarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError, TaskFailedError
from airflow_provider_asposeocr.api.http.wire import NoResults
from airflow_provider_asposeocr.api.tasks import failed_error

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState


def state_with_reasons(client: CloudClient, ref: TaskRef) -> TaskState | None:
    """
    Read the state of a failed task, with the cloud's messages.

    :param client: Client of the task's account.
    :param ref: The failed task.
    :return: Its state; ``None`` if the cloud does not answer, or returns no messages.
    """
    try:
        state = client.fetch(ref.operation, ref.id, NoResults)
    except AsposeOcrError:
        return None
    return state if state.messages or state.warnings else None


async def state_with_reasons_async(client: AsyncCloudClient, ref: TaskRef) -> TaskState | None:
    """
    Read in an event loop why a task failed, as :func:`state_with_reasons` does.

    :param client: Client of its account.
    :param ref: The task, which has failed.
    """
    try:
        state = await client.fetch(ref.operation, ref.id, NoResults)
    except AsposeOcrError:
        return None
    return state if state.messages or state.warnings else None


def failure_of(client: CloudClient, ref: TaskRef, error: TaskFailedError) -> TaskFailedError:
    """
    Return the error of a failed task with the cloud's reasons.

    :param client: Client of the task's account.
    :param ref: The failed task.
    :param error: The error according to the status; it is returned if the cloud gives no reasons.
    """
    state = state_with_reasons(client, ref)
    return error if state is None else failed_error(ref, state)

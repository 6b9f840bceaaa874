"""
Why a cloud task failed.

The cloud documents its messages for the operation's own path, not for the status. So they are read there, without the
results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, TaskFailedError
from airflow_provider_asposeocr.api.tasks import failed_error

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState


class _NoResults:
    """Receives the results of an answer and keeps nothing of them."""

    def begin(self) -> Any:
        return len


def state_with_reasons(client: CloudClient, ref: TaskRef) -> TaskState | None:
    """
    Read why a task failed: the cloud documents its messages for the operation's own path, not for the status.

    :param client: Client of its account.
    :param ref: The task, which has failed.
    :return: Its state; ``None`` where the cloud does not answer, or gives no reason there either.
    """
    try:
        state = client.fetch(ref.operation, ref.id, _NoResults)
    except AsposeOcrError:
        return None
    return state if state.messages or state.warnings else None


def failure_of(client: CloudClient, ref: TaskRef, error: TaskFailedError) -> TaskFailedError:
    """
    Say why a task failed. Every way of waiting ends with it.

    :param client: Client of its account.
    :param ref: The task, which has failed.
    :param error: What the status says; it stays where the cloud gives no reason.
    """
    state = state_with_reasons(client, ref)
    return error if state is None else failed_error(ref, state)

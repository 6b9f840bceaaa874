"""Make the task references of a batch's documents. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.documents.uris import source_name

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.records import Reference
    from airflow_provider_asposeocr.batch.state import BatchState


def reference_of(batch: Batch, document: DocumentState, reference: Reference) -> TaskRef:
    """
    Return the task reference of a cloud task, in the form that a submit operator returns.

    :param batch: The batch.
    :param document: What is known about the document.
    :param reference: The cloud task.
    """
    source = document.source or {}
    return TaskRef(
        operation=reference.operation,
        id=reference.id,
        submitted_at=datetime.fromtimestamp(reference.submitted_at, UTC),
        conn_id=batch.conn_id,
        source_name=source_name(batch.documents[reference.document].source) or None,
        source_bytes=reference.input_bytes,
        source_uri=source.get("uri"),
        source_qualifier=source.get("qualifier"),
        source_sha256=source.get("sha256"),
        input_sha256=reference.input_sha256,
        dag_id=batch.dag_id,
        run_id=batch.run_id,
        task_id=batch.task_id,
        map_index=batch.map_index,
    )


def running_refs(batch: Batch, state: BatchState) -> list[tuple[int, TaskRef]]:
    """
    Return the cloud tasks that run as far as the journal knows.

    :param batch: The batch.
    :param state: What the journal says.
    :return: Index of the document and reference, in the order of the documents.
    """
    return [
        (index, reference_of(batch, known, running))
        for index, known in sorted(state.documents.items())
        if known.outcome is None and (running := known.running) is not None
    ]

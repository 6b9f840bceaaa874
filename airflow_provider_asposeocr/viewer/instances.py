"""
Make the view of a task instance, as JSON for the page.

Invariant: a task instance that has nothing to show has a sentence that says why.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY
from airflow_provider_asposeocr.documents.manifest import Manifest
from airflow_provider_asposeocr.viewer.answers import NO_SUCH_TASK, RefusedError
from airflow_provider_asposeocr.viewer.batches import read_batch
from airflow_provider_asposeocr.viewer.documents import document_view
from airflow_provider_asposeocr.viewer.manifests import BatchAddress, read_value
from airflow_provider_asposeocr.viewer.metadata import read_instances, read_progress, read_xcoms
from airflow_provider_asposeocr.viewer.places import Place, read_document, read_stored
from airflow_provider_asposeocr.viewer.words import FETCH_OPERATOR, STORED, sentence_for

if TYPE_CHECKING:
    from airflow_provider_asposeocr.viewer.metadata import Instance


def view_instance(place: Place) -> dict[str, Any]:
    """
    Show a task instance.

    :param place: The task instance.
    :return: ``task``, what Airflow says of it; ``state``, a word, and ``say``, a sentence; and ``document`` or ``batch`` if
        there is one.
    :raises RefusedError: if there is no such task instance.
    """
    instances = read_instances(place.dag_id, place.run_id, place.task_id)
    instance = next((each for each in instances if each.map_index == place.map_index), None)
    if instance is None:
        raise RefusedError(404, NO_SUCH_TASK)
    stored = read_stored(place)
    view: dict[str, Any] = {"task": _task(place, instance), "document": None, "batch": None}
    if isinstance(stored, TaskRef):
        found = _stored_by_another(place, stored)
        if found is not None:
            return view | {"state": STORED, "say": _stored_by(found[0]), "document": document_view(*found)}
    if isinstance(stored, Manifest):
        return view | {"state": STORED, "say": "", "document": document_view(place, stored)}
    if isinstance(stored, BatchAddress) and stored.is_written:
        rows = read_batch(stored)
        return view | {"state": STORED, "say": "", "batch": {"documents": len(rows.heads), **rows.counts()}}
    state, say = sentence_for(instance, stored, time.time())
    if isinstance(stored, BatchAddress):
        view["progress"] = _progress(place)
    return view | {"state": state, "say": say}


def _task(place: Place, instance: Instance) -> dict[str, Any]:
    seconds = None
    if instance.began_at is not None and instance.ended_at is not None:
        seconds = (instance.ended_at - instance.began_at).total_seconds()
    return {
        "dag_id": place.dag_id,
        "run_id": place.run_id,
        "task_id": place.task_id,
        "map_index": place.map_index,
        "label": instance.label,
        "state": instance.state,
        "operator": instance.operator,
        "try_number": instance.try_number,
        "seconds": seconds,
    }


def _progress(place: Place) -> dict[str, int]:
    """Return the progress of a running batch, if Airflow has it (from 3.3 on)."""
    known = read_progress(place.dag_id, place.run_id, place.task_id, place.map_index, BATCH_KEY)
    progress = known.get("progress") if isinstance(known, dict) else None
    return {
        name: value
        for name, value in (progress.items() if isinstance(progress, dict) else ())
        if isinstance(value, int) and not isinstance(value, bool)
    }


def _stored_by_another(place: Place, ref: TaskRef) -> tuple[Place, Manifest] | None:
    """Find the manifest of the document that a submit task has read: first of the same cloud task, then of its chain."""
    instances = [
        each for each in read_instances(place.dag_id, place.run_id) if each.operator == FETCH_OPERATOR
    ]
    xcoms = read_xcoms(
        place.dag_id, place.run_id, key="return_value", task_ids={each.task_id for each in instances}
    )
    found = {key: stored for key, value in xcoms.items() if isinstance(stored := read_value(value), Manifest)}
    # Rows of the same map index first: a document may occur in a run more than once.
    order = sorted(found, key=lambda key: (key[1] != place.map_index, key))
    same_task = [key for key in order if (task := found[key].task) and task.id == ref.id]
    same_chain = [key for key in order if ref.source_sha256 and found[key].sha256 == ref.source_sha256]
    for task_id, map_index in (*same_task, *same_chain):
        return Place(place.dag_id, place.run_id, task_id, map_index), found[task_id, map_index]
    return None


def _stored_by(place: Place) -> str:
    return f"The result of this document was stored by the task {place.task_id}."


def view_row(place: Place, row: int) -> dict[str, Any]:
    """
    Show a document of a batch, or a single one.

    :param place: The task instance that has stored it.
    :param row: Its place in the batch; 0 of a single document.
    """
    return document_view(place, read_document(place, row))

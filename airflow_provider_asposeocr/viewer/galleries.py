"""Make the views of many documents, as JSON for the page: those of a batch, and those of the task instances of a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.documents.manifest import Manifest
from airflow_provider_asposeocr.viewer.answers import NO_SUCH_DOCUMENT, RefusedError
from airflow_provider_asposeocr.viewer.batches import BatchRows, read_batch
from airflow_provider_asposeocr.viewer.documents import card_view
from airflow_provider_asposeocr.viewer.manifests import BatchAddress, read_value
from airflow_provider_asposeocr.viewer.metadata import read_instances, read_xcoms
from airflow_provider_asposeocr.viewer.places import Place, read_stored
from airflow_provider_asposeocr.viewer.words import (
    BATCH_OPERATOR,
    FAILED,
    FETCH_OPERATOR,
    RUNNING,
    STORED,
    sentence_for,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_asposeocr.viewer.metadata import Instance

#: Documents on one page of a gallery.
PAGE = 50


def view_rows(place: Place, page: int, outcome: str | None, error: str | None) -> dict[str, Any]:
    """
    Show a page of a batch's gallery.

    :param place: The task instance.
    :param page: The page, from 0.
    :param outcome: Only documents with this outcome; ``None`` = with any.
    :param error: Only documents with this class of error; ``None`` = with any or none.
    :raises RefusedError: if there is no manifest.
    """
    stored = read_stored(place)
    if not isinstance(stored, BatchAddress) or not stored.is_written:
        raise RefusedError(404, NO_SUCH_DOCUMENT)
    rows = read_batch(stored)
    chosen = rows.chosen(outcome, error)
    cards = [_card_of_row(place, rows, head.index) for head in chosen[page * PAGE : (page + 1) * PAGE]]
    return {"documents": len(rows.heads), **rows.counts(), **_paging(page, len(chosen)), "cards": cards}


def _paging(page: int, chosen: int) -> dict[str, int]:
    return {"page": page, "pages": max(1, -(-chosen // PAGE)), "chosen": chosen}


def _card_of_row(place: Place, rows: BatchRows, index: int) -> dict[str, Any]:
    view = f"view/{place.path}?row={index}"
    try:
        return {**card_view(place, rows.row(index)), "view": view}
    except RefusedError as error:
        return {
            "name": f"row {index}",
            "outcome": rows.heads[index].outcome,
            "say": error.sentence,
            "view": view,
        }


def view_run(dag_id: str, run_id: str, page: int, outcome: str | None) -> dict[str, Any]:
    """
    Show a page of a run's gallery.

    :param dag_id: The DAG.
    :param run_id: The run.
    :param page: The page, from 0.
    :param outcome: Only task instances of which :func:`.words.state_of` says this; ``None`` = all.
    :return: ``batches``, the batch tasks of the run; and cards of the tasks that store single documents.
    """
    instances = [each for each in read_instances(dag_id, run_id) if each.is_ours]
    storing = [(each, *state_of(each)) for each in instances if each.operator == FETCH_OPERATOR]
    chosen = [each for each in storing if outcome in (None, each[1])]
    shown = chosen[page * PAGE : (page + 1) * PAGE]
    xcoms = read_xcoms(
        dag_id,
        run_id,
        key="return_value",
        task_ids={each.task_id for each, _, _ in shown},
        map_indexes={each.map_index for each, _, _ in shown},
    )
    counts: dict[str, int] = {}
    for _, word, _ in storing:
        counts[word] = counts.get(word, 0) + 1
    cards = []
    for instance, word, say in shown:
        place = Place(dag_id, run_id, instance.task_id, instance.map_index)
        stored = read_value(xcoms.get((instance.task_id, instance.map_index)))
        if isinstance(stored, Manifest):
            card = card_view(place, stored)
        else:
            if word == STORED:
                word, say = sentence_for(instance, stored, time.time())
            elif word == FAILED:
                say = _say_which_failed(instances, instance) or say
            card = {"name": instance.label or _label(instance), "outcome": word, "say": say}
        cards.append({**card, "task": _label(instance), "view": f"view/{place.path}"})
    return {
        "documents": len(storing),
        "outcomes": counts,
        "errors": {},
        **_paging(page, len(chosen)),
        "cards": cards,
        "batches": _batches(dag_id, run_id, instances),
        "is_ours": bool(instances),
        "is_running": any(state_of(each)[0] == RUNNING for each in instances),
    }


def _label(instance: Instance) -> str:
    return instance.task_id if instance.map_index < 0 else f"{instance.task_id} [{instance.map_index}]"


def _say_which_failed(instances: Iterable[Instance], instance: Instance) -> str | None:
    if instance.state != "upstream_failed":
        return None
    same = [each for each in instances if each.map_index == instance.map_index and each.state == "failed"]
    return f"Nothing was stored, because the task {_label(same[0])} has failed." if same else None


def _batches(dag_id: str, run_id: str, instances: Iterable[Instance]) -> list[dict[str, Any]]:
    return [
        {
            "name": _label(each),
            "outcome": state_of(each)[0],
            "say": state_of(each)[1],
            "view": f"view/{Place(dag_id, run_id, each.task_id, each.map_index).path}",
        }
        for each in instances
        if each.operator == BATCH_OPERATOR
    ]

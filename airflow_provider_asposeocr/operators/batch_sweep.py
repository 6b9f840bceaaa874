"""
Remove the journals of batches that are over and that a killed process has left.

Invariant: Airflow decides whether a batch is over. A journal stays if Airflow does not answer about its task, or if it is of
another installation.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.abandoned import close_abandoned
from airflow_provider_asposeocr.batch.journals import sweep
from airflow_provider_asposeocr.batch.opening import BEGUN_AT
from airflow_provider_asposeocr.batch.parts import batch_key
from airflow_provider_asposeocr.config import default_text
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.lifecycle.kills import map_index_of, own_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Fields of a journal's header.
_INSTANCE = ("dag_id", "run_id", "task_id", "map_index")


def sweep_journals(state: str, ti: Any) -> None:
    """
    Sweep a state folder. Blocks; a failure is logged, since the next batch sweeps again.

    :param state: URI of the state folder.
    :param ti: The running task instance, through which Airflow is asked.
    """
    try:
        deleted = sweep(object_path(state), lambda header: _may_go(header, ti), closes_claims=_closes_claims)
    except AsposeOcrError as error:
        log.warning("The journals of earlier batches were not checked: %s", error.message)
        return
    if deleted:
        log.info("Removed the journals of %d batches that are over", deleted)


def _may_go(header: Mapping[str, Any], ti: Any) -> bool:
    dag_id, run_id, task_id, map_index = (header.get(name) for name in _INSTANCE)
    names = str(dag_id), str(run_id), str(task_id), map_index_of(map_index)
    if header.get("key") != batch_key(default_text("installation"), *names):
        return False  # The batch of another Airflow, which may have DAGs and runs of the same names.
    if (dag_id, run_id, task_id, map_index) == (ti.dag_id, ti.run_id, ti.task_id, map_index_of(ti.map_index)):
        return False
    try:
        states = ti.get_task_states(dag_id=dag_id, task_ids=[task_id], run_ids=[run_id], map_index=map_index)
        state = own_state(states, str(run_id), str(task_id), map_index)
    except Exception as error:  # any error of Airflow's API, or a journal that names no task
        log.info("Airflow does not return the state of a batch's task: %s", shown(error))
        return False
    return is_over(state, header.get(BEGUN_AT), time.time())


def _closes_claims(folder: ObjectStoragePath, header: Mapping[str, Any]) -> bool:
    """Close the open claims of a batch that is over. If a document may still run, its claim stays: it can be taken over."""
    if "register" not in header:
        return True
    return close_abandoned(str(folder), header.get(BEGUN_AT), time.time())


def is_over(state: str | None, begun_at: object, now: float) -> bool:
    """
    Decide whether nothing needs the journal of a batch any more. Pure.

    :param state: Airflow's state of the batch's task; ``None`` = there is no such task, or a Clear has just begun.
    :param begun_at: When the batch's first try began, in seconds since the epoch; ``None`` where that is not known.
    :param now: The present moment.
    :return: Whether it has succeeded; or has failed so long ago that the cloud keeps nothing of it, so that there is nothing
        to cancel, which :class:`.AsposeOcrCancelTasksOperator` needs the journal for.
    """
    if state == "success":
        return True
    age = now - begun_at if isinstance(begun_at, int | float) else 0.0
    return state in ("failed", "removed", "skipped", "upstream_failed") and age > 2 * RETENTION_SECONDS

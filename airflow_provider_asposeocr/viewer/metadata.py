"""
Read task instances and their XComs from Airflow's database.

Invariant: a query is for exactly one DAG, the one that the caller's rights were checked for. A user may have written the
XComs; they are returned unchecked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

#: Longest list of task instances and of XComs of one run that is read.
MOST_INSTANCES = 20_000


@dataclass(frozen=True)
class Instance:
    """
    A task instance.

    :param task_id: Its task, and its place in a mapped one; -1 = the task is not mapped.
    :param state: Airflow's word for its state; ``None`` = it has none yet.
    :param operator: Class of its operator.
    :param label: What Airflow's UI shows instead of the map index; ``None`` = nothing.
    :param try_number: The number of its try.
    :param began_at: When its try began; ``None`` = it has not.
    :param ended_at: When its try ended; ``None`` = it has not.
    """

    task_id: str
    map_index: int
    state: str | None
    operator: str
    label: str | None
    try_number: int
    began_at: datetime | None
    ended_at: datetime | None

    @property
    def is_ours(self) -> bool:
        """Whether its operator is one of the provider."""
        return self.operator.startswith("AsposeOcr")


_COLUMNS = (
    TaskInstance.task_id,
    TaskInstance.map_index,
    TaskInstance.state,
    TaskInstance.operator,
    TaskInstance._rendered_map_index,
    TaskInstance.try_number,
    TaskInstance.start_date,
    TaskInstance.end_date,
)


def read_instances(dag_id: str, run_id: str, task_id: str | None = None) -> list[Instance]:
    """
    Read the task instances of a run.

    :param dag_id: The DAG.
    :param run_id: The run.
    :param task_id: Only those of this task; ``None``, the default, = of all.
    :return: At most :data:`MOST_INSTANCES`, in the order of tasks and map indexes.
    """
    wanted = (
        select(*_COLUMNS)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .order_by(TaskInstance.task_id, TaskInstance.map_index)
        .limit(MOST_INSTANCES)
    )
    if task_id is not None:
        wanted = wanted.where(TaskInstance.task_id == task_id)
    with create_session(scoped=False) as session:
        return [
            Instance(
                row[0], row[1], row[2] and str(row[2]), row[3] or "", row[4], row[5] or 0, row[6], row[7]
            )
            for row in session.execute(wanted)
        ]


def read_xcoms(
    dag_id: str,
    run_id: str,
    *,
    key: str,
    task_ids: Iterable[str],
    map_indexes: Iterable[int] | None = None,
) -> dict[tuple[str, int], Any]:
    """
    Read XComs, as the database has them: an XCom backend is not asked.

    :param dag_id: The DAG.
    :param run_id: The run.
    :param key: The key.
    :param task_ids: Of which tasks.
    :param map_indexes: Of which map indexes; ``None``, the default, = of all.
    :return: The values, by task and map index; at most :data:`MOST_INSTANCES`.
    """
    # Airflow 3.4 limits XComs to regions, and its get_many takes one more argument; no other function here uses it.
    query = XComModel.get_many(
        run_id=run_id,
        key=key,
        dag_ids=dag_id,
        task_ids=list(task_ids),
        map_indexes=None if map_indexes is None else list(map_indexes),
        limit=MOST_INSTANCES,
    )
    with create_session(scoped=False) as session:
        rows: Any = session.scalars(query)  # Airflow annotates the query as one of tuples.
        return {(row.task_id, row.map_index): _decoded(row.value) for row in rows}


def _decoded(value: Any) -> Any:
    """Return what the XCom holds: Airflow stores JSON, or JSON in a JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def read_progress(dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> Any:
    """
    Read a value of Airflow's task state store.

    :param dag_id: The task instance, as the next three.
    :param key: The key.
    :return: The value; ``None`` where there is none, and before Airflow 3.3, which has no such store.
    """
    try:
        from airflow.models.task_state_store import TaskStateStoreModel
    except ImportError:
        return None
    wanted = select(TaskStateStoreModel.value).where(
        TaskStateStoreModel.dag_id == dag_id,
        TaskStateStoreModel.run_id == run_id,
        TaskStateStoreModel.task_id == task_id,
        TaskStateStoreModel.map_index == map_index,
        TaskStateStoreModel.key == key,
    )
    with create_session(scoped=False) as session:
        return _decoded(session.scalar(wanted))

"""
Run a DAG in this process with ``dag.test()``, and return its states and XComs.

Invariant: the result of a run is plain data. It has the same form for every version of Airflow, and does not need the
database.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG

from airflow_provider_asposeocr.testing.airflow_database import warnings_of_airflow_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

_BUNDLE = "aspose-ocr-tested-dags"


class DagFileError(ValueError):
    """A DAG file cannot be imported, or does not contain the requested DAG."""


@dataclass(frozen=True)
class DagTestRun:
    """
    A DAG run that has ended.

    :param dag_id: Id of the DAG.
    :param run_id: Id of the run.
    :param state: ``"success"`` or ``"failed"``.
    :param task_states: The state of each task instance by its task id; for a mapped one the key is ``task_id[0]``.
    :param xcoms: XCom values by task instance, with the same keys, and by XCom key.
    """

    dag_id: str
    run_id: str
    state: str
    task_states: dict[str, str | None]
    xcoms: dict[tuple[str, str], Any] = field(repr=False)

    def xcom(self, task: str, key: str = "return_value") -> Any:
        """
        Return an XCom value.

        :param task: Task id; for a mapped task ``task_id[0]``.
        :param key: Key of the value; by default that of the task's return value.
        :raises KeyError: if the task instance pushed no such value; the message names the pushed ones.
        """
        if (task, key) not in self.xcoms:
            raise KeyError(f"{task!r} pushed no {key!r}; there are {sorted(self.xcoms)}")
        return self.xcoms[task, key]


class DagRunner:
    """
    Runs DAGs; the fixture ``aspose_ocr_run_dag`` returns a runner.

    :param monkeypatch: Reverts changes to the environment and to ``sys.path`` at the end of the test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def __call__(
        self,
        dag: DAG | str | Path,
        *,
        dag_id: str | None = None,
        conf: Mapping[str, Any] | None = None,
        dags_folder: str | Path | None = None,
    ) -> DagTestRun:
        """
        Run a DAG until it has ended.

        Tasks run one after another in this process, also deferred ones. A retry begins after the task's
        ``retry_delay``, which is five minutes unless the DAG sets another time.

        :param dag: A DAG file, or a DAG.
        :param dag_id: Id of the DAG; required if the file contains several.
        :param conf: Values for the DAG's params, as in Airflow's trigger form.
        :param dags_folder: Added to ``sys.path`` like Airflow's folder of DAGs; by default the folder of the file.
        :return: The states and XComs of the run. A failed run does not raise; the log, which pytest shows, contains the
            reason.
        :raises DagFileError: if the file cannot be imported, or does not contain the DAG.
        """
        self._configure()
        with warnings_of_airflow_allowed():
            return self._run(dag, dag_id, conf or {}, dags_folder)

    def _run(
        self,
        dag: DAG | str | Path,
        dag_id: str | None,
        conf: Mapping[str, Any],
        dags_folder: str | Path | None,
    ) -> DagTestRun:
        if isinstance(dag, DAG):
            bag = _bag_of(dag)
        else:
            path = Path(dag).resolve()
            self._patch.syspath_prepend(str(Path(dags_folder).resolve() if dags_folder else path.parent))
            bag = _load(path)
        chosen = _choose(bag.dags, dag_id, str(dag))
        self._patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", _bundle_of(chosen.fileloc))
        _write_to_database(bag)
        run: Any = chosen.test(run_conf=dict(conf), logical_date=dt.datetime.now(dt.UTC))
        return _ended(run)

    def _configure(self) -> None:
        self._patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        # Only the processes of a LocalExecutor need the delay, and there are none here.
        self._patch.setenv("AIRFLOW__ASPOSE_OCR__EVENT_DELAY_SECONDS", "0")


def _dag_bag_class() -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]  # where it was

    return DagBag


def _bag_of(dag: DAG) -> Any:
    bag = _dag_bag_class()(dag_folder=os.devnull, collect_dags=False)
    bag.bag_dag(dag)
    return bag


def _load(path: Path) -> Any:
    """Import a DAG file as Airflow's DAG processor does."""
    if not path.is_file():
        raise DagFileError(f"There is no DAG file {path}.")
    # Not in "safe mode", which skips a file that does not contain the words "dag" and "airflow".
    bag = _dag_bag_class()(dag_folder=str(path), safe_mode=False, bundle_path=path.parent)
    for error in bag.import_errors.values():
        raise DagFileError(f"{path} cannot be imported:\n{error}")
    return bag


def _choose(dags: Mapping[str, DAG], dag_id: str | None, place: str) -> DAG:
    if dag_id is None and len(dags) == 1:
        return next(iter(dags.values()))
    if dag_id is None or dag_id not in dags:
        found = ", ".join(sorted(dags)) or "none"
        asked = "dag_id must name one DAG" if dag_id is None else f"there is no DAG {dag_id!r}"
        raise DagFileError(f"In {place}, {asked}; the DAGs are: {found}.")
    return dags[dag_id]


def _bundle_of(file: str) -> str:
    """Describe a bundle of one file, because Airflow 3.3 imports all files of the DAG's bundle before each run."""
    bundle = {
        "name": _BUNDLE,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": file},
    }
    return json.dumps([bundle])


def _write_to_database(bag: Any) -> None:
    """Write the DAG to the database, as the DAG processor does, because a run refers to a version of its DAG there."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    try:
        from airflow.dag_processing.dagbag import sync_bag_to_db
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import sync_bag_to_db  # type: ignore[no-redef]  # where it was

    manager: Any = DagBundlesManager  # Airflow has not annotated its constructor.
    manager().sync_bundles_to_db()
    sync_bag_to_db(bag, _BUNDLE, None)


def _ended(run: Any) -> DagTestRun:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    def of_this_run(model: Any) -> Any:
        return select(model).where(model.dag_id == run.dag_id, model.run_id == run.run_id)

    with create_session() as session:
        instances = session.scalars(of_this_run(TaskInstance)).all()
        values = session.scalars(of_this_run(XComModel)).all()
        return DagTestRun(
            dag_id=run.dag_id,
            run_id=run.run_id,
            state=str(run.state.value),
            task_states={_name(ti): None if ti.state is None else str(ti.state) for ti in instances},
            xcoms={(_name(row), row.key): XComModel.deserialize_value(row) for row in values},
        )


def _name(row: Any) -> str:
    task_id: str = row.task_id
    return task_id if row.map_index < 0 else f"{task_id}[{row.map_index}]"

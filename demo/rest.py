"""Airflow's REST API, as far as the demo and the tests need it.

Invariant: a DAG that cannot be imported is reported as soon as Airflow knows it, and nothing waits without a deadline.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from demo.rest_session import HttpError, RestError, RestSession, WaitedTooLong

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

FINISHED_RUN = frozenset({"success", "failed"})
FINISHED_TASK = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
PAGE = 100


class AirflowRest(RestSession):
    """The DAGs, runs, task instances, XComs and connections of one Airflow."""

    def import_errors(self) -> list[dict[str, Any]]:
        """List the DAG files that could not be imported: `filename`, `stack_trace` and more."""
        return list(self.get("/importErrors", limit=PAGE)["import_errors"])

    def wait_for_dag(self, dag_id: str, timeout_seconds: float = 60.0) -> dict[str, Any]:
        """Wait until the dag-processor has stored a DAG.

        :param dag_id: the DAG.
        :param timeout_seconds: 60: the folder is looked at every 5 s, and a first import takes seconds.
        :return: the DAG as Airflow describes it.
        :raises RestError: at once if a DAG file cannot be imported (with its traceback), or when time is up.
        """

        def look() -> dict[str, Any] | None:
            known: list[dict[str, Any]] = self.get("/dags", dag_id_pattern=dag_id, limit=PAGE)["dags"]
            found = next((dag for dag in known if dag["dag_id"] == dag_id), None)
            errors = [] if found else self.import_errors()
            if errors:
                raise RestError("\n".join(f"{each['filename']}:\n{each['stack_trace']}" for each in errors))
            return found

        return self.wait_until(look, f"DAG {dag_id} to be known", timeout_seconds)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG's runs."""
        self.patch(f"/dags/{quote(dag_id, safe='')}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run.

        :param dag_id: the DAG; it must be known and unpaused to get anywhere.
        :param conf: the run's `conf`, which overrides the DAG's params.
        :param run_id: its id, which no run of the DAG has; by default one is made.
        :return: the run id.
        """
        # With an id of our own the request can be repeated: it makes one run at most.
        run_id = run_id or f"manual__{uuid4()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        try:
            self.request("POST", f"/dags/{quote(dag_id, safe='')}/dagRuns", repeatable=True, json=body)
        except HttpError as error:
            # After a conflict, an earlier request has made it, although no answer came.
            if error.status != HTTPStatus.CONFLICT:
                raise
        return run_id

    def start(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Wait for a DAG, unpause it and start a run; parameters and result as of `trigger`."""
        self.wait_for_dag(dag_id)
        self.unpause(dag_id)
        return self.trigger(dag_id, conf, run_id)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Describe a run: `state` and more."""
        answer: dict[str, Any] = self.get(_run_path(dag_id, run_id))
        return answer

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        timeout_seconds: float,
        progress: Callable[[], None] | None = None,
    ) -> str:
        """Wait until a run has ended.

        :param dag_id: its DAG.
        :param run_id: the run.
        :param timeout_seconds: until it must have ended.
        :param progress: called at every look, twice a second.
        :return: `"success"` or `"failed"`.
        :raises RestError: when time is up; it says in which states the tasks are.
        """

        def look() -> str | None:
            if progress is not None:
                progress()
            state = str(self.run(dag_id, run_id)["state"])
            return state if state in FINISHED_RUN else None

        try:
            return self.wait_until(look, f"run {run_id} of {dag_id} to end", timeout_seconds)
        except WaitedTooLong as error:
            raise RestError(f"{error}; its tasks: {self._states(dag_id, run_id)}") from None

    def set_run_state(self, dag_id: str, run_id: str, new_state: str) -> None:
        """Mark a run, as the UI's button does: `"success"`, `"failed"` or `"queued"`."""
        self.patch(_run_path(dag_id, run_id), {"state": new_state})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """List all task instances of a run: `task_id`, `map_index`, `state`, `try_number` and more."""
        found: list[dict[str, Any]] = []
        while True:
            path = f"{_run_path(dag_id, run_id)}/taskInstances"
            page = self.get(path, limit=PAGE, offset=len(found))
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def task_instance(
        self, dag_id: str, run_id: str, task_id: str, map_index: int | None = None
    ) -> dict[str, Any]:
        """Describe one task instance."""
        answer: dict[str, Any] = self.get(_task_path(dag_id, run_id, task_id, map_index))
        return answer

    def wait_for_task_state(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: str | Collection[str],
        timeout_seconds: float,
        map_index: int | None = None,
    ) -> dict[str, Any]:
        """Wait until a task instance is in a state.

        :param dag_id: its DAG.
        :param run_id: its run.
        :param task_id: its task.
        :param states: one state or several, for example `"deferred"`.
        :param timeout_seconds: until it must be.
        :param map_index: which of a mapped task's instances; `None` for an unmapped one.
        :return: the task instance.
        :raises RestError: when time is up, or when the run has ended with the task in another state.
        """
        wanted = {states} if isinstance(states, str) else set(states)

        def look() -> dict[str, Any] | None:
            try:
                instance = self.task_instance(dag_id, run_id, task_id, map_index)
            except HttpError as error:
                if error.status == 404:  # They exist only once the scheduler has seen the run.
                    return None
                raise
            if instance["state"] in wanted:
                return instance
            if instance["state"] in FINISHED_TASK and self.run(dag_id, run_id)["state"] in FINISHED_RUN:
                raise RestError(
                    f"{task_id} ended as {instance['state']}; waited for {' or '.join(sorted(wanted))}"
                )
            return None

        return self.wait_until(look, f"{task_id} to be {' or '.join(sorted(wanted))}", timeout_seconds)

    def set_task_state(
        self, dag_id: str, run_id: str, task_id: str, new_state: str, map_index: int | None = None
    ) -> None:
        """Mark a task instance, as the UI's buttons do: `"success"`, `"failed"` or `"skipped"`."""
        self.patch(_task_path(dag_id, run_id, task_id, map_index), {"new_state": new_state})

    def clear(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Collection[str | tuple[str, int]] | None = None,
        *,
        downstream: bool = True,
        only_failed: bool = False,
    ) -> None:
        """Clear task instances, as the UI's button does.

        :param dag_id: their DAG.
        :param run_id: their run; it is set back to queued.
        :param task_ids: tasks, or pairs of task and map index; `None` for all of the run.
        :param downstream: also clear what depends on them.
        :param only_failed: leave the others alone.
        """
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": run_id,
            "only_failed": only_failed,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        if task_ids is not None:
            body["task_ids"] = [task if isinstance(task, str) else list(task) for task in task_ids]
        self.post(f"/dags/{quote(dag_id, safe='')}/clearTaskInstances", body)

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """Read an XCom value, deserialized as far as it is plain JSON.

        :raises RestError: also where there is none (404).
        """
        path = f"{_task_path(dag_id, run_id, task_id, None)}/xcomEntries/{quote(key, safe='')}"
        return self.get(path, map_index=map_index, deserialize="false")["value"]

    def logs(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Read the log of a try, the triggerer's part included: one event per line, then its fields."""
        path = f"{_task_path(dag_id, run_id, task_id, None)}/logs/{try_number}"
        content = self.get(path, map_index=map_index, full_content="true")["content"]
        return "\n".join(_log_line(entry) for entry in content)

    def create_connection(self, connection_id: str, conn_type: str, **fields: Any) -> None:
        """Make a connection, as the UI's form does; `fields` are `host`, `login`, `extra` (JSON text) and more."""
        self.post("/connections", {"connection_id": connection_id, "conn_type": conn_type, **fields})

    def test_connection(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the UI's Test button does.

        :param body: `connection_id`, `conn_type`, `host`, `login`, `password`, `extra` (JSON text), …
        :return: `{"status": bool, "message": str}`.
        """
        answer: dict[str, Any] = self.post("/connections/test", body)
        return answer

    def providers(self) -> list[dict[str, Any]]:
        """List the installed providers."""
        return list(self.get("/providers", limit=PAGE)["providers"])

    def _states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {
            f"{ti['task_id']}[{ti['map_index']}]": str(ti["state"])
            for ti in self.task_instances(dag_id, run_id)
        }


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"


def _task_path(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"
    return path if map_index is None or map_index < 0 else f"{path}/{map_index}"


def _log_line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    fields = {name: value for name, value in entry.items() if name not in {"timestamp", "event", "level"}}
    rest = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{entry.get('timestamp') or ''} {entry.get('level') or ''} {entry['event']} {rest}".strip()

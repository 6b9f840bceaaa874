"""
The viewer as the API server mounts it, with a database of Airflow's tables and an auth manager that knows a few users.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.testing.airflow_database import in_use, warnings_of_airflow_allowed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine
    from starlette.testclient import TestClient

    from airflow_provider_asposeocr.plugin import LazyViewer

DAG, RUN = "scans", "manual__2026-03-02T08:00:00+00:00"
#: Users by token, and what each may read of which DAG.
USERS = {
    "reader": {DAG: {"XCOM", "TASK_INSTANCE"}, "other": {"XCOM", "TASK_INSTANCE"}},
    "without-xcoms": {DAG: {"TASK_INSTANCE"}},
    "without-states": {DAG: {"XCOM"}},
    "of-another-dag": {"other": {"XCOM", "TASK_INSTANCE"}},
}
FETCH, BATCH = "AsposeOcrFetchResultOperator", "AsposeOcrBatchOperator"
TASK_REF = {
    "operation": "RecognizeImage",
    "id": "7d0bd4b4-5c2f-4a8b-9a5d-0d1c0a1f6f7e",
    "submitted_at": "2026-03-02T08:00:00+00:00",
    "conn_id": "aspose_ocr_default",
    "source_name": "page.png",
}


class FakeAuthManager:
    """The part of Airflow's auth manager that the routes use. It knows users by token, and notes each question."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, str | None]] = []

    async def get_user_from_token(self, token: str) -> str:
        from jwt import InvalidTokenError

        if token not in USERS:
            raise InvalidTokenError
        return token

    def is_authorized_dag(self, *, method: str, access_entity: Any, details: Any, user: str) -> bool:
        dag_id = details and details.id
        self.asked.append((method, access_entity and access_entity.value, dag_id))
        rights = USERS[user]
        if dag_id is None:  # The right to any DAG.
            return any(access_entity.value in entities for entities in rights.values())
        return method == "GET" and access_entity.value in rights.get(dag_id, set())


@dataclass
class StoredRun:
    """
    A run in a database of Airflow, and a folder for the files of its manifests.

    :param database: SQLite, with Airflow's tables.
    :param folder: Where results are stored.
    :param number: The id of the run, where the database has others.
    """

    database: Path
    folder: Path
    number: int = field(default=1, kw_only=True)

    def begin(self) -> None:
        """Add the run."""
        run = {"id": self.number, "dag_id": DAG, "run_id": RUN, "run_type": "manual", "state": "success"}
        self._insert("dag_run", **run, data_interval_end=None, logical_date=None)

    def task(
        self, task_id: str, operator: str = FETCH, state: str | None = "success", map_index: int = -1
    ) -> None:
        """Add a task instance."""
        self._insert(
            "task_instance",
            task_id=task_id,
            dag_id=DAG,
            run_id=RUN,
            map_index=map_index,
            state=state,
            operator=operator,
            pool="default_pool",
            pool_slots=1,
            priority_weight=1,
            try_number=1,
            max_tries=0,
        )

    def xcom(self, task_id: str, value: Any, *, key: str = "return_value", map_index: int = -1) -> None:
        """Write an XCom, over what is there."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(
                "delete from xcom where dag_run_id = ? and task_id = ? and map_index = ? and key = ?",
                (self.number, task_id, map_index, key),
            )
        names = {"dag_run_id": self.number, "task_id": task_id, "map_index": map_index, "key": key}
        self._insert("xcom", **names, dag_id=DAG, run_id=RUN, value=value)

    def progress(self, task_id: str, value: Any) -> None:
        """Write what a running batch has noted; the test is skipped on an Airflow without a place for it."""
        if "task_state_store" not in self._tables():
            pytest.skip("Airflow has no task state store before 3.3")
        self._insert(
            "task_state_store",
            dag_run_id=self.number,
            dag_id=DAG,
            run_id=RUN,
            task_id=task_id,
            map_index=-1,
            key="aspose_ocr_batch",
            value=json.dumps(value),
        )

    def stored(self, name: str, content: bytes) -> dict[str, Any]:
        """Write a file; returns what a manifest says of it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"uri": str(path), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def result(self, name: str, content: bytes, type: str = "Text") -> dict[str, Any]:
        """Write the file of a result; returns the result."""
        return {**self.stored(name, content), "type": type, "skipped": False}

    def fetched(self, *results: dict[str, Any], task_id: str = "fetch", **changes: Any) -> None:
        """Add a fetch task with a manifest of these results."""
        map_index = changes.pop("map_index", -1)
        self.task(task_id, map_index=map_index)
        self.xcom(task_id, manifest(*results, **changes), map_index=map_index)

    def batch(self, *rows: dict[str, Any], task_id: str = "batch", **changes: Any) -> dict[str, Any]:
        """Add a batch task with a manifest of these rows; returns its XCom."""
        numbered = [
            {"index": index, "documents": len(rows), "try": 1, **row} for index, row in enumerate(rows)
        ]
        written = self.stored(
            f"{task_id}.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in numbered)
        )
        address = {
            "journal": f"{self.folder}/journal/",
            "manifest": written["uri"],
            "size_bytes": written["bytes"],
            "sha256": written["sha256"],
            **changes,
        }
        self.task(task_id, BATCH)
        self.xcom(task_id, address, key="aspose_ocr_batch")
        return address

    def _tables(self) -> Any:
        from airflow.models import import_all_models
        from airflow.models.base import Base

        import_all_models()
        return Base.metadata.tables

    def _insert(self, table: str, **row: Any) -> None:
        # Not with Airflow's engine, which refuses a row whose DAG it does not have.
        _TARGET.set(self.database)
        with _engine().begin() as connection:
            connection.execute(self._tables()[table].insert().values(**row))


#: The database that the next connection of the engine opens.
_TARGET: ContextVar[Path] = ContextVar("_TARGET")


@cache
def _engine() -> Engine:
    """Return one engine for all databases, which compiles each statement once; it keeps no connection."""
    from sqlalchemy import NullPool, create_engine

    return create_engine("sqlite://", creator=lambda: sqlite3.connect(_TARGET.get()), poolclass=NullPool)


@cache
def _viewer() -> LazyViewer:
    """Return the viewer; as in an API server there is one in a process, because its routes take long to make."""
    from airflow_provider_asposeocr.plugin import LazyViewer

    return LazyViewer()


@dataclass
class ViewerWorld(StoredRun):
    """A viewer and what its Airflow knows."""

    client: TestClient
    auth: FakeAuthManager

    def get(self, path: str, token: str | None = "reader", **headers: str) -> Any:
        """Request an address below the viewer's prefix; ``{place}`` stands for the DAG and the run."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.get(path.replace("{place}", f"{DAG}/{RUN}"), headers=headers)

    def file(
        self,
        task_id: str = "fetch",
        address: str = "0/results/0",
        *,
        token: str | None = "reader",
        **headers: str,
    ) -> Any:
        """Request a file of a document."""
        return self.get(f"/data/file/{{place}}/{task_id}/-1/{address}", token, **headers)


def manifest(*results: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the manifest of a single fetch."""
    return {
        "schema_version": 1,
        "source": None,
        "bytes": None,
        "sha256": None,
        "outcome": "succeeded",
        "task": TASK_REF,
        "response_status_code": "Ok",
        "messages": [],
        "warnings": [],
        "shortfall": None,
        "results": list(results),
        **changes,
    }


def create_tables(path: Path) -> None:
    """Create a database with Airflow's tables, empty."""
    with warnings_of_airflow_allowed(), in_use(path):
        from airflow import settings
        from airflow.models import import_all_models
        from airflow.models.base import Base

        import_all_models()
        Base.metadata.create_all(settings.engine)


@contextmanager
def viewer_world(database: Path, folder: Path) -> Iterator[ViewerWorld]:
    """
    Make a viewer.

    :param database: A copy of what :func:`create_tables` has created.
    :param folder: Where results are stored.
    """
    with warnings_of_airflow_allowed():
        from airflow.api_fastapi import app
        from starlette.testclient import TestClient

        viewer = _viewer()
    auth = FakeAuthManager()
    # Airflow 3.1 has it in the module, later versions in a class.
    state: Any = getattr(app, "_AuthManagerState", app)
    name = "auth_manager" if state is app else "instance"
    before = getattr(state, name)
    setattr(state, name, auth)
    try:
        with in_use(database), warnings_of_airflow_allowed():
            client = TestClient(viewer, raise_server_exceptions=False)
            world = ViewerWorld(database, folder, client, auth)
            world.begin()
            yield world
    finally:
        setattr(state, name, before)

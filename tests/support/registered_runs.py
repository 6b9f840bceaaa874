"""Runs of a batch with a register: several task instances of one or more Airflows, some of which die."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
from tests.support.airflow_tasks import PNG, StateStore, context_for, execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.documents.manifest import Manifest
    from airflow_provider_asposeocr.ingestion.register import RecordName

ONE_STEP = [{"operation": "RecognizeImage", "settings": {"resultType": "Text"}}]


class Death(BaseException):
    """The end of a process by SIGKILL: no code below the raise runs, because none catches it."""


def dies(
    function: Callable[..., Any], *, after: bool = False, at: int = 1, when: Callable[..., bool] | None = None
) -> Any:
    """Return a function that dies at the call with this number, ``after`` the function has run or before it."""
    calls = 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal calls
        if when is not None and not when(*args, **options):
            return function(*args, **options)
        calls += 1
        if calls == at and not after:
            raise Death
        result = function(*args, **options)
        if calls == at:
            raise Death
        return result

    return counted


def is_claim(_: Any, name: RecordName, __: Any) -> bool:
    """Tell of a record that is created whether it is a claim; for :func:`dies`."""
    return name.word == "claim"


def is_done(_: Any, name: RecordName, __: Any) -> bool:
    """Tell of a record that is created whether it says that a document was read; for :func:`dies`."""
    return name.word == "done"


class Airflow:
    """What an Airflow says about its task instances."""

    def __init__(self) -> None:
        self.states: dict[str, str | None] = {}
        self.asked: list[str] = []

    def answer(self, **question: Any) -> dict[str, Any]:
        (run_id,), (task_id,) = question["run_ids"], question["task_ids"]
        self.asked.append(run_id)
        return {run_id: {task_id: self.states.get(run_id)}}


class Folder:
    """An inbox, an outbox and a register."""

    def __init__(self, root: Path) -> None:
        self.root, self.inbox, self.out = root, root / "inbox", root / "out"
        self.register = f"{self.out}/.aspose-ocr/"
        self.inbox.mkdir()
        self.airflow = Airflow()

    @classmethod
    def of_three(cls, root: Path) -> Folder:
        """Return one whose inbox has the documents 1 to 3, each with its number as content."""
        found = cls(root)
        for content in (1, 2, 3):
            found.drop(f"{content}.png", content)
        return found

    def drop(self, name: str, content: int) -> Path:
        path = self.inbox / name
        path.write_bytes(PNG + bytes([content]))
        return path

    def words(self) -> list[str]:
        """Return the records of the register, without their keys: ``1.claim``."""
        return sorted(f"{name.n}.{name.word}" for name in RegisterFiles(self.register).all_names())

    def texts(self) -> list[str]:
        return sorted(path.name for path in self.out.glob("*.txt"))

    def journals(self) -> list[Path]:
        return list((self.out / ".aspose-ocr" / "batches").rglob("*.jsonl"))

    def run(self, run_id: str, **given: Any) -> Run:
        return Run(self, run_id, **given)

    def leave_claimed(self, monkeypatch: pytest.MonkeyPatch, run_id: str) -> None:
        """
        Leave the inbox claimed by a run of which Airflow says once that it is running, and then that it has failed.

        Who waits for it looks, and asks Airflow, again at once.
        """
        self.run(run_id).die_at(monkeypatch, RegisterFiles, "create", after=True, when=is_claim)
        self.airflow.states[run_id] = "running"
        answer = self.airflow.answer

        def ended_since(**question: Any) -> Any:
            said = answer(**question)
            self.airflow.states[run_id] = "failed"
            return said

        monkeypatch.setattr(self.airflow, "answer", ended_since)
        monkeypatch.setattr("airflow_provider_asposeocr.batch.claim_owners._OWNER_SECONDS", 0.0)
        monkeypatch.setattr("airflow_provider_asposeocr.batch.claims.LOOK_SECONDS", 0.01)


class Run:
    """One task instance with its tries."""

    def __init__(self, folder: Folder, run_id: str, **given: Any) -> None:
        self.folder, self.run_id, self.given = folder, run_id, given
        self.store = StateStore()
        self.try_number, self.max_tries = 0, 2
        self.summary: dict[str, Any] = {}
        folder.airflow.states[run_id] = "running"

    def begin(self, **given: Any) -> tuple[AsposeOcrBatchOperator, Any]:
        self.try_number += 1
        fields: dict[str, Any] = {
            "task_id": "read",
            "sources": f"{self.folder.inbox}/",
            "steps": ONE_STEP,
            "destination": f"{self.folder.out}/",
            "register": self.folder.register,
            "aspose_ocr_conn_id": "ocr",
            "poll_interval_seconds": 0.05,
            "max_poll_interval_seconds": 0.1,
            "busy_wait_seconds": 0.0,
            **self.given,
            **given,
        }
        operator = AsposeOcrBatchOperator(**fields)
        context = context_for(
            operator, store=self.store, try_number=self.try_number, max_tries=self.max_tries
        )
        context["ti"].run_id = context["run_id"] = self.run_id
        context["ti"].get_task_states = self.folder.airflow.answer
        return operator, context

    def go(self, **given: Any) -> dict[str, int]:
        """Run a try to its success, with Airflow's callback; return the outcomes that there are, and the submits."""
        operator, context = self.begin(**given)
        self.summary = execute(operator, context)
        self.folder.airflow.states[self.run_id] = "success"
        for callback in operator.on_success_callback:
            callback(context)
        return counted(self.summary)

    def fail(self, *errors: type[BaseException], **given: Any) -> None:
        """Run a try that ends with an error."""
        with pytest.raises(errors or Exception):
            execute(*self.begin(**given))

    def die(self, **given: Any) -> None:
        """Run a try in a process that dies; Airflow has noticed, and tries no more."""
        with pytest.raises(Death):
            execute(*self.begin(**given))
        self.folder.airflow.states[self.run_id] = "failed"

    def die_at(self, monkeypatch: pytest.MonkeyPatch, target: Any, name: str, **when: Any) -> None:
        """Run a try that dies at a call of a function, see :func:`dies`."""
        with monkeypatch.context() as patch:
            patch.setattr(target, name, dies(getattr(target, name), **when))
            self.die()

    @property
    def rows(self) -> list[Manifest]:
        return list(read_manifest(str(self.summary["manifest"])))


def counted(summary: dict[str, Any]) -> dict[str, int]:
    """Return the outcomes that there are, and the submits."""
    kept = (
        "succeeded",
        "failed",
        "low_quality",
        "skipped",
        "duplicate",
        "busy",
        "gone",
        "changed",
        "not_started",
        "cancelled",
    )
    return {name: summary[name] for name in (*kept, "submits") if summary[name]}


@contextmanager
def record_of(folder: Folder, name: str) -> Iterator[dict[str, Any]]:
    """Return one record of the register by the end of its name."""
    (path,) = (folder.out / ".aspose-ocr" / "documents").rglob(f"*.{name}.json")
    yield json.loads(path.read_text())

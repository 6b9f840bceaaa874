"""
The orders of a try, seen by what is there when something happens; :mod:`tests.failures.test_batch_orders` kills it there.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.engine import BatchEngine
from airflow_provider_asposeocr.batch.errors import JournalFencedError, JournalUnreachableError
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.journal_files import JournalFiles
from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY
from tests.support.airflow_tasks import execute
from tests.support.registered_runs import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder.of_three(tmp_path)


def test_before_anything_is_sent_the_store_and_the_xcom_say_where_the_journal_is(
    folder: Folder, cloud: EmulatorControl
) -> None:
    cloud.add_faults({"kind": "hold", "method": "POST", "path": "RecognizeImage", "count": 3})
    run = folder.run("one", register=None)
    operator, context = run.begin()
    found: dict[str, Any] = {}

    def look() -> None:
        cloud.wait_for_request("POST", "RecognizeImage", held=True)
        found["store"], found["xcom"] = run.store.get(BATCH_KEY), context["ti"].xcoms.get(BATCH_KEY)
        cloud.clear_faults()

    thread = threading.Thread(target=look)
    thread.start()
    execute(operator, context)
    thread.join()
    assert set(found["xcom"]) == {"journal", "manifest"}
    assert found["store"]["journal"] == found["xcom"]["journal"]
    assert (folder.out / ".aspose-ocr" / "batches").is_dir()


def test_the_last_process_alone_writes_the_manifest(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one may take over after the last commit, which would have noticed it."""
    work = BatchEngine.run

    async def run_and_be_taken_over(engine: BatchEngine) -> Any:
        ended = await work(engine)
        (journal,) = folder.out.glob(".aspose-ocr/batches/*/*/")
        await asyncio.to_thread(Journal.take_over, ObjectStoragePath(f"file://{journal}"))
        return ended

    monkeypatch.setattr(BatchEngine, "run", run_and_be_taken_over)
    with pytest.raises(JournalFencedError):
        execute(*folder.run("one", register=None).begin())
    assert not list(folder.out.rglob("manifests/**/*.jsonl"))


def test_the_store_says_where_the_journal_is_until_that_is_deleted(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise JournalUnreachableError("The store is on fire.")

    monkeypatch.setattr(JournalFiles, "delete", refuse)
    run = folder.run("one", register=None)
    assert run.go()["succeeded"] == 3
    assert run.store.get(BATCH_KEY) is not None
    assert folder.journals()


def test_a_try_that_the_account_ends_writes_the_manifest_too(folder: Folder, cloud: EmulatorControl) -> None:
    cloud.add_faults({"kind": "status", "status": 402, "method": "POST", "path": "RecognizeImage"})
    folder.run("one", register=None).fail()
    (manifest,) = folder.out.rglob("manifests/**/*.jsonl")
    rows = list(read_manifest(str(manifest)))
    assert [row.index for row in rows] == [0, 1, 2]
    left = [row for row in rows if row.outcome == "not_started"]
    assert left
    assert {row.error.name if row.error else None for row in left} == {"QuotaExceededError"}

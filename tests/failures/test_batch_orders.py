"""A batch is killed between each two steps of a try, from the empty journal to the deleted one, and a retry ends it."""

from __future__ import annotations

import multiprocessing
import signal
from itertools import count
from multiprocessing import forkserver
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.batch.journal_files import JournalFiles
from airflow_provider_asposeocr.batch.journals import sweep
from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.batch.steps import Step
from airflow_provider_asposeocr.documents.file_systems import object_path
from tests.support.batch_engine import content_of, expected_text, results_in
from tests.support.batch_tries import FileStore, has_succeeded, run_try

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import Emulator

pytestmark = pytest.mark.process

DOCUMENTS = 2
STEPS = (Step("RecognizeImage", {"resultType": "Text"}),)
#: The least number of steps that a try has: the epoch, the tripwire, an intent, a submit and its answer, a reference, a
#: result, a done record, the manifest, the success, and the deletions.
LEAST_STEPS = 15


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Return processes that have imported all they need before they are forked, as an Airflow worker's tasks have."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.batch_tries"])
    forkserver.ensure_running()  # Now, while temporary files outlive a test.
    return context


def test_a_kill_at_any_step_loses_nothing_and_bills_no_page_twice_in_silence(
    processes: ForkServerContext, aspose_ocr_emulator: Emulator, tmp_path: Path
) -> None:
    def exit_code(folder: Path, try_number: int, dies_before: int | None) -> int | None:
        arguments = (aspose_ocr_emulator.url, str(folder), str(folder), STEPS, try_number, dies_before)
        process = processes.Process(target=run_try, args=arguments)
        process.start()
        process.join(120)
        assert process.exitcode is not None, "The process hangs."
        return process.exitcode

    for step in count(1):
        folder = tmp_path / str(step)
        (folder / "in").mkdir(parents=True)
        for index in range(DOCUMENTS):
            (folder / "in" / f"{index}.png").write_bytes(content_of(index))
        billed_before = billed(aspose_ocr_emulator.control)
        first = exit_code(folder, 1, step)
        assert first in (0, -signal.SIGKILL)
        if not has_succeeded(folder):
            assert exit_code(folder, 2, None) == 0, f"after a kill before step {step}"
        check(folder, billed(aspose_ocr_emulator.control) - billed_before, f"after a kill before step {step}")
        if first == 0:
            break
    assert step > LEAST_STEPS
    assert not [
        task for task in aspose_ocr_emulator.control.tasks() if task["status"] in ("Pending", "Processing")
    ]


def billed(control: EmulatorControl) -> int:
    return sum(control.billing().values())


def check(folder: Path, billed: int, when: str) -> None:
    texts = {f"{index}.png.txt": expected_text(index, STEPS) for index in range(DOCUMENTS)}
    assert results_in(folder) == texts, when
    (manifest,) = (folder / "state" / "manifests").rglob("*.jsonl")
    rows = list(read_manifest(str(manifest)))
    assert [row.outcome for row in rows] == ["succeeded"] * DOCUMENTS, when
    announced = sum(bool(row.maybe_billed_twice) for row in rows)
    assert DOCUMENTS <= billed <= DOCUMENTS + announced, (when, billed, announced)
    sweep(object_path(f"{folder}/state"), lambda header: header["task_id"] == "task", at_once=True)
    assert JournalFiles(object_path(f"{folder}/state/batches")).names() == {"swept.json"}, when
    assert FileStore(folder / "airflow.json").get("aspose_ocr_batch", {}).get("journal", "") in (
        "",
        f"{folder}/state/batches/0123456789abcdef/1",
    )

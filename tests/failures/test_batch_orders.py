"""A batch is killed between each two steps of a try, from the empty journal to the deleted one, and a retry ends it."""

from __future__ import annotations

import multiprocessing
import os
import re
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
from tests.support.batch_tries import FileStore, has_succeeded, run_try, steps_of

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import Emulator

pytestmark = pytest.mark.process

DOCUMENTS = 2
STEPS = (Step("RecognizeImage", {"resultType": "Text"}),)
#: The orders at the start and at the end of a try: what a step does, and what stands in its line. A try may do something
#: between two of these; it is killed there as well.
ORDERS = (
    ("the empty journal", r"link .*/epochs/000001\.jsonl"),
    ("the tripwire", r"replace .*/airflow\.json"),
    ("the XCom that says where the journal is", r"replace .*/xcom\.json"),
    ("the first intents", r"replace .*/000001-000001-\w+\.jsonl"),
    ("a submit", "submit"),
    ("its answer", "answer"),
    ("the first references", r"replace .*/000001-00000[2-9]-\w+\.jsonl"),
    ("a result", r"(link|replace) .*/out/\d\.png\.txt"),
    ("a done record", r"replace .*/000001-\d+-\w+\.jsonl"),
    ("the last note in the tripwire", r"replace .*/airflow\.json"),
    ("the manifest", r"replace .*/manifests/.*\.jsonl"),
    ("the XCom with the manifest's checksum", r"replace .*/xcom\.json"),
    ("Airflow's note of the success", r"replace .*/success"),
    ("the mark of a journal that is being deleted", r"replace .*/closed\.json"),
    ("the parts of the journal", r"unlink .*/000001-000001-\w+\.jsonl"),
    ("the beginning of the journal", r"unlink .*/epochs/000001\.jsonl"),
    ("the mark", r"unlink .*/closed\.json"),
    ("the tripwire again", r"replace .*/airflow\.json"),
)


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Return processes that have imported all they need before they are forked, as an Airflow worker's tasks have."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.batch_tries"])
    forkserver.ensure_running()  # Now, while temporary files outlive a test.
    return context


class Tries:
    """
    The tries of one batch.

    :param processes: Makes their processes.
    :param url: Of the emulator.
    :param folder: Of the batch; made here.
    """

    def __init__(self, processes: ForkServerContext, url: str, folder: Path) -> None:
        self._processes, self._url, self.folder = processes, url, folder
        (folder / "in").mkdir(parents=True)
        for index in range(DOCUMENTS):
            (folder / "in" / f"{index}.png").write_bytes(content_of(index))

    def start(self, try_number: int, dies_before: int | None = None) -> BaseProcess:
        """Start a try."""
        arguments = (self._url, str(self.folder), str(self.folder), STEPS, try_number, dies_before)
        process = self._processes.Process(target=run_try, args=arguments)
        process.start()
        return process

    def end(self, try_number: int, dies_before: int | None = None) -> int:
        """Run a try; return the exit code."""
        return exit_code(self.start(try_number, dies_before))


def exit_code(process: BaseProcess) -> int:
    process.join(120)
    assert process.exitcode is not None, "The process hangs."
    return process.exitcode


def test_a_kill_at_any_step_loses_nothing_and_bills_no_page_twice_in_silence(
    processes: ForkServerContext, aspose_ocr_emulator: Emulator, tmp_path: Path
) -> None:
    for step in count(1):
        tries = Tries(processes, aspose_ocr_emulator.url, tmp_path / str(step))
        billed_before = billed(aspose_ocr_emulator.control)
        first = tries.end(1, step)
        assert first in (0, -signal.SIGKILL)
        if not has_succeeded(tries.folder):
            assert tries.end(2) == 0, f"after a kill before step {step}"
        billed_now = billed(aspose_ocr_emulator.control) - billed_before
        check(tries.folder, billed_now, f"after a kill before step {step}")
        if first == 0:
            break
    assert missing_steps(steps_of(tries.folder)) == []
    assert not [
        task for task in aspose_ocr_emulator.control.tasks() if task["status"] in ("Pending", "Processing")
    ]


def test_a_suspended_process_that_wakes_up_after_the_batch_is_over_writes_nothing(
    processes: ForkServerContext, aspose_ocr_emulator: Emulator, tmp_path: Path
) -> None:
    """All of its documents are sent, so that it looks for a higher epoch before no submit any more."""
    control = aspose_ocr_emulator.control
    tries = Tries(processes, aspose_ocr_emulator.url, tmp_path / "batch")
    control.add_faults(
        {"kind": "hold", "method": "POST", "path": "RecognizeImage", "after": "accepted", "count": DOCUMENTS}
    )
    zombie = tries.start(1)
    assert zombie.pid is not None
    control.wait_for_request("POST", "RecognizeImage", DOCUMENTS, held=True, timeout_seconds=60.0)
    os.kill(zombie.pid, signal.SIGSTOP)
    control.clear_faults()
    assert tries.end(2) == 0
    (manifest,) = (tries.folder / "state" / "manifests").rglob("*.jsonl")
    written = manifest.read_bytes()
    os.kill(zombie.pid, signal.SIGCONT)
    assert exit_code(zombie) > 0
    assert manifest.read_bytes() == written
    check(tries.folder, billed(control), "after a zombie")


def missing_steps(done: list[str]) -> list[str]:
    """Return the steps of the orders that a try has not done, or not in this order."""
    lines = iter(done)
    for number, (_, pattern) in enumerate(ORDERS):
        if not any(re.fullmatch(pattern, line) for line in lines):
            return [what for what, _ in ORDERS[number:]]
    return []


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
    sweep(object_path(f"{folder}/state"), lambda header: header["task_id"] == "task")
    assert JournalFiles(object_path(f"{folder}/state/batches")).names() == {"swept.json"}, when
    assert FileStore(folder / "airflow.json").get("aspose_ocr_batch", {}).get("journal", "") in (
        "",
        f"{folder}/state/batches/0123456789abcdef/1",
    )

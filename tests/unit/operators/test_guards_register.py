"""
What keeps batches that share a register from billing a document twice, or from taking one result for another.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.config import default_text
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from tests.support.registered_runs import Folder, Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def in_threads(*jobs: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, named by its number; return what they have returned."""
    found: dict[int, Any] = {}

    def run(number: int) -> None:
        found[number] = jobs[number]()

    threads = [threading.Thread(target=run, args=(each,), name=str(each)) for each in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(jobs))]


def overtake(monkeypatch: pytest.MonkeyPatch, other: Callable[[], Any]) -> None:
    """Let something happen right after the next look into the register, and before what follows from it."""
    look = RegisterFiles.look

    def overtaken(register: RegisterFiles, key: str) -> Any:
        names = look(register, key)
        monkeypatch.setattr(RegisterFiles, "look", look)
        in_threads(other)
        return names

    monkeypatch.setattr(RegisterFiles, "look", overtaken)


def test_a_text_that_evaluation_mode_has_masked_is_not_the_result_of_a_licensed_account(
    folder: Folder, cloud: EmulatorControl, emulator_connection: Callable[..., str]
) -> None:
    folder.drop("a.png", 1)
    trial = emulator_connection("trial", evaluation_mode=True)
    assert folder.run("one", aspose_ocr_conn_id=trial).go() == {"succeeded": 1, "submits": 1}
    assert folder.run("two").go() == {"succeeded": 1, "submits": 1}
    assert folder.run("three").go() == {"duplicate": 1}


def test_a_batch_that_another_one_overtakes_before_its_claim_sends_nothing(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.drop("a.png", 1)
    overtake(monkeypatch, folder.run("other").go)
    assert folder.run("one").go() == {"duplicate": 1}
    assert sum(cloud.billing().values()) == 1
    assert folder.words() == ["1.claim", "1.done"]


def test_of_two_batches_that_find_an_ended_one_only_one_takes_it_over(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would go on with its cloud task, or both send the document again."""
    folder.drop("a.png", 1)
    folder.run("dead").die_at(monkeypatch, AsyncCloudClient, "status")
    (journal,) = {path.parent.parent for path in folder.journals() if path.parent.name == "epochs"}
    epochs = len(list((journal / "epochs").iterdir()))
    overtake(monkeypatch, folder.run("other").go)
    assert folder.run("one").go() == {"duplicate": 1}
    # The claim comes first: the one that is refused must not stop the one that has it.
    assert len(list((journal / "epochs").iterdir())) == epochs + 1
    assert sum(cloud.billing().values()) == 1
    assert folder.words() == ["1.claim", "2.claim", "2.done"]


def test_two_installations_at_once_bill_each_content_once_and_settle_all_files(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        folder.drop(f"{number}.png", number % 8)
    monkeypatch.setattr("airflow_provider_asposeocr.batch.claims.LOOK_SECONDS", 0.1)

    def of_thread(name: str) -> str:
        return threading.current_thread().name if name == "installation" else default_text(name)

    monkeypatch.setattr("airflow_provider_asposeocr.operators.batch_request.default_text", of_thread)
    runs = [Run(folder, "one"), Run(folder, "two", destination=f"{folder.root}/out2/")]
    in_threads(*(lambda run=run: run.go(busy_wait_seconds=60.0) for run in runs))
    assert sum(cloud.billing().values()) == 8
    assert all(row.settled for run in runs for row in run.rows)
    assert [len(run.rows) for run in runs] == [12, 12]
    assert not {"one", "two"} & set(
        folder.airflow.asked
    )  # Each would be asked for a task that only the other knows.

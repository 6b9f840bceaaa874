"""Tasks, results and counters over a restart of the emulator."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.__main__ import main
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator, EmulatorProcess
from tests.support.emulator_clients import CloudClient, ScriptedWorker, decoded
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

#: Less than the life of a token.
TEN_MINUTES = 600


def emulator(folder: Path, worker: ScriptedWorker | None = None, **options: Any) -> Emulator:
    return Emulator(Options(engine="canned", keep=folder, workers=1, **options), worker or ScriptedWorker())


def test_results_billing_and_the_clock_survive_a_restart(tmp_path: Path) -> None:
    with emulator(tmp_path) as first:
        cloud = CloudClient(first).login()
        done = cloud.submit(image=b"warn:text")
        refused = cloud.submit("BinarizeImage", image=b"refuse:It is blurred.")
        cloud.wait(done)
        cloud.wait(refused)
        first.control.advance_clock(TEN_MINUTES)
        before = [(cloud.fetch(done), cloud.fetch(refused, "BinarizeImage")), first.control.tasks()]

    with emulator(tmp_path) as second:
        cloud = CloudClient(second).login()

        assert second.control.billing() == {"RecognizeImage": 1, "BinarizeImage": 1}
        assert second.control.clock()["advanced_seconds"] == TEN_MINUTES
        after = [(cloud.fetch(done), cloud.fetch(refused, "BinarizeImage")), second.control.tasks()]

    assert after == before
    assert decoded(after[0][0]) == [("Text", b"text")]
    assert after[0][1]["error"]["messages"] == ["It is blurred."]


def test_billing_goes_on_counting(tmp_path: Path) -> None:
    for number in (1, 2):
        with emulator(tmp_path) as running:
            cloud = CloudClient(running).login()
            cloud.wait(cloud.submit(image=b"echo:text"))
            assert running.control.billing() == {"RecognizeImage": number}


def test_tokens_and_the_journal_do_not_survive(tmp_path: Path) -> None:
    with emulator(tmp_path) as first:
        cloud = CloudClient(first).login()
        task_id = cloud.submit(image=b"echo:text")
        headers = cloud.headers

    with emulator(tmp_path) as second:
        assert second.control.journal() == []
        cloud = CloudClient(second)
        assert cloud.call("GET", "RecognizeImage", params={"id": task_id}, headers=headers).status_code == 401


def test_a_task_that_had_not_ended_is_worked_on_again(tmp_path: Path) -> None:
    """The first emulator ends while one task is at work and another waits."""
    reached, end = threading.Event(), threading.Event()
    stuck = ScriptedWorker()

    def gate() -> None:
        reached.set()
        end.wait(PATIENCE_SECONDS)

    stuck.gate = gate
    try:
        with emulator(tmp_path, stuck) as first:
            cloud = CloudClient(first).login()
            tasks = [cloud.submit(image=b"echo:" + name) for name in (b"one", b"two")]
            assert reached.wait(PATIENCE_SECONDS)

        with emulator(tmp_path) as second:
            cloud = CloudClient(second).login()
            for task_id, name in zip(tasks, (b"one", b"two"), strict=True):
                assert cloud.wait(task_id) == "Completed"
                assert decoded(cloud.fetch(task_id)) == [("Text", name)]
            assert second.control.billing() == {"RecognizeImage": 2}
            assert [task["id_sent"] for task in second.control.tasks()] == [True, True]
    finally:
        end.set()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "task_error", "messages": ["It was not to be."]}, ("Error", "Error")),
        ({"kind": "task_stuck", "task_status": "Pending"}, ("Pending", "NotReady")),
        ({"kind": "no_results"}, ("Completed", "NoAnyResultData")),
        ({"kind": "not_exist", "hidden_seconds": 1000}, ("NotExist", "TaskNotFound")),
    ],
)
def test_what_a_rule_decided_about_a_task_stays(
    tmp_path: Path, rule: dict[str, Any], expected: tuple[str, str]
) -> None:
    with emulator(tmp_path) as first:
        first.control.add_faults(rule)
        cloud = CloudClient(first).login()
        task_id = cloud.submit(image=b"echo:text")
        if rule["kind"] == "no_results":
            cloud.wait(task_id)

    with emulator(tmp_path) as second:
        answer = CloudClient(second).login().fetch(task_id)

    assert (answer["taskStatus"], answer["responseStatusCode"]) == expected


def test_deleted_and_outdated_tasks_are_gone_with_their_files(tmp_path: Path) -> None:
    with emulator(tmp_path, retention_seconds=100) as first:
        cloud = CloudClient(first).login()
        outdated = cloud.submit(image=b"echo:outdated")
        cloud.wait(outdated)
        first.control.advance_clock(60)
        deleted, kept = (cloud.submit(image=b"echo:text") for _ in range(2))
        cloud.wait(kept)
        cloud.cancel(deleted)

    with emulator(tmp_path, retention_seconds=100) as second:
        cloud = CloudClient(second).login()
        second.control.advance_clock(60)

        statuses = [cloud.status(task_id)["taskStatus"] for task_id in (outdated, deleted, kept)]
        assert statuses == ["NotExist", "NotExist", "Completed"]
        assert len(list((tmp_path / "aspose-ocr-emulator-tasks").iterdir())) == 1


def test_a_reset_is_kept_too(tmp_path: Path) -> None:
    with emulator(tmp_path) as first:
        cloud = CloudClient(first).login()
        cloud.wait(cloud.submit(image=b"echo:text"))
        first.control.advance_clock(TEN_MINUTES)
        first.control.reset()

    with emulator(tmp_path) as second:
        assert second.control.tasks() == []
        assert second.control.billing() == {}
        assert second.control.clock()["advanced_seconds"] == 0


def test_an_emulator_that_is_killed_leaves_all_that_it_has_answered(tmp_path: Path) -> None:
    arguments = ("--engine", "canned", "--keep", str(tmp_path))
    with EmulatorProcess(*arguments) as first:
        cloud = CloudClient(first).login()  # type: ignore[arg-type]  # it has a url and a control, which is enough
        task_id = cloud.submit()
        cloud.wait(task_id)
        before = cloud.fetch(task_id)
        assert first.process is not None
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(PATIENCE_SECONDS)

    with EmulatorProcess(*arguments) as second:
        cloud = CloudClient(second).login()  # type: ignore[arg-type]  # as above
        assert cloud.fetch(task_id) == before
        assert second.control.billing() == {"RecognizeImage": 1}


class TestFolder:
    def test_only_one_emulator_uses_it(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with emulator(tmp_path):
            with pytest.raises(SystemExit):
                main(["--engine", "canned", "--port", "0", "--keep", str(tmp_path)])

        assert f"Another emulator keeps its tasks in {tmp_path}" in capsys.readouterr().err

    def test_it_takes_the_place_of_the_data_folder(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            main(["--engine", "canned", "--keep", str(tmp_path / "a"), "--data-dir", str(tmp_path / "b")])

        assert "--keep: " in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_a_path_that_is_a_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        with pytest.raises(RuntimeError, match="cannot be kept in"), emulator(tmp_path / "file"):
            pass

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "cannot be read"),
            ("[]", "cannot be read"),
            ("{}", "cannot be read"),
            ('{"version": 1}', "cannot be read"),
            ('{"version": 2, "new": []}', "another version"),
        ],
    )
    def test_what_cannot_be_read_is_told_and_left_alone(
        self, tmp_path: Path, content: str, message: str
    ) -> None:
        with emulator(tmp_path) as first:
            cloud = CloudClient(first).login()
            cloud.wait(cloud.submit(image=b"echo:text"))
        records = [*tmp_path.glob("*.json"), *tmp_path.glob("*/*/task.json")]
        assert len(records) == 2

        for record in records:
            whole = record.read_text()
            assert json.loads(whole)["version"] == 1
            record.write_text(content)
            with pytest.raises(RuntimeError, match=message), emulator(tmp_path):
                pass
            assert record.read_text() == content
            record.write_text(whole)

        with emulator(tmp_path) as second:  # It was not left locked.
            assert second.control.billing() == {"RecognizeImage": 1}

    def test_files_of_other_programs_stay(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")

        with emulator(tmp_path) as first:
            first.control.reset()

        assert (tmp_path / "notes.txt").read_text() == "mine"

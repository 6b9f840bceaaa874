"""Which worker does which operation, and how a canned result is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator, make_worker
from airflow_provider_asposeocr.emulator.work.dispatch import Dispatcher
from airflow_provider_asposeocr.emulator.work.engines.canned import CannedWorker
from tests.support.drawn_pages import prose
from tests.support.emulator_clients import CloudClient

if TYPE_CHECKING:
    from tests.support.emulator_workers import MakeWorker, Run

#: What no well-kept library does.
CANNED = {"IdentifyFont"}
#: What programs of the distribution do, where they are installed.
PROGRAMS = {"DjVu2PDF", "ConvertTextToSpeech", "ConvertTextToSpeechTrial"}


def test_the_engines_do_every_other_operation(blind: MakeWorker) -> None:
    assert blind().operations == OPERATIONS.keys() - CANNED - PROGRAMS  # type: ignore[attr-defined]  # of ImagingWorker


def test_a_canned_result_has_a_mark_and_a_warning(run: Run, blind: MakeWorker) -> None:
    worker = Dispatcher("blind", {"RecognizeImage": blind()}, CannedWorker())
    honest, canned = (run(worker, operation, prose()) for operation in ("RecognizeImage", "IdentifyFont"))
    assert (honest.canned, canned.canned) == (False, True)
    assert honest.warnings == ()
    assert canned.warnings == (
        "The emulator's result of IdentifyFont is canned: it does not depend on what the input shows.",
    )


@pytest.mark.parametrize("programs", ["/nowhere", None])
def test_every_operation_has_a_worker(monkeypatch: pytest.MonkeyPatch, programs: str | None) -> None:
    if programs:
        monkeypatch.setenv("PATH", programs)
    worker = make_worker(Options())
    assert isinstance(worker, Dispatcher)
    assert worker.name == "rapidocr"


@pytest.mark.slow
def test_whether_hocr_has_confidences_is_an_option(run: Run) -> None:
    said = []
    for wanted in (True, False):
        worker = make_worker(Options(hocr_confidences=wanted))
        outcome = run(worker, "RecognizeImage", prose(), resultType="Hocr")
        said.append(outcome.results[0].path.read_bytes().count(b"x_wconf"))
    assert (said[0] > 20, said[1]) == (True, 0)


def test_the_journal_names_the_answers_with_canned_results(blind: MakeWorker) -> None:
    worker = Dispatcher("blind", {"RecognizeImage": blind()}, CannedWorker())
    with Emulator(Options(engine="canned"), worker) as emulator:
        client = CloudClient(emulator)
        with client.session:
            client.login()
            for operation in ("RecognizeImage", "IdentifyFont"):
                client.run(operation, prose())
        fetched = [
            entry
            for entry in emulator.control.journal()
            if entry["method"] == "GET" and not entry["path"].endswith("GetTaskStatus")
        ]
    assert {(entry["path"].rsplit("/")[-1], entry["canned"]) for entry in fetched if entry["canned"]} == {
        ("IdentifyFont", True)
    }

"""Fixtures of the emulator's workers: with OCR engines, and with an engine that recognizes no text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits
from airflow_provider_asposeocr.emulator.work.imaging.worker import ImagingWorker
from airflow_provider_asposeocr.emulator.work.jobs import Job, JobOutcome, Worker
from airflow_provider_asposeocr.emulator.work.workers import available_engines, make_worker

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.engines.base import Engine, Image, Line
    from tests.support.emulator_workers import MakeWorker, Run


class BlindEngine:
    """Reads nothing, in every language: for tests that are not about recognition."""

    name = "blind"

    def supports(self, language: str) -> bool:
        return True

    def refusal(self, language: str) -> str:
        return ""

    def note(self, language: str) -> str | None:
        return None

    def read(self, page: Image, language: str) -> list[Line]:
        return []

    def find_lines(self, page: Image) -> list[Line]:
        return []


@pytest.fixture(scope="session", autouse=True)
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make pytest's folder for the run before a test with a temporary folder of its own makes it in there."""
    tmp_path_factory.getbasetemp()


@pytest.fixture(
    scope="module",
    params=[pytest.param(engine, marks=pytest.mark.slow) for engine in ("rapidocr", "tesseract")],
)
def worker(request: pytest.FixtureRequest) -> Worker:
    """A worker on each real engine."""
    if request.param == "tesseract" and (why := available_engines()["tesseract"]):
        pytest.skip(why)
    return make_worker(request.param)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Do one job: ``run(worker, operation, data, **settings)``."""

    def do(worker: Worker, operation: str, data: bytes, **settings: Any) -> JobOutcome:
        folder = tmp_path_factory.mktemp("job")
        payload = folder / "payload"
        payload.write_bytes(data)
        return worker(Job(operation, payload, folder, settings))

    return do


@pytest.fixture(scope="session")
def blind() -> MakeWorker:
    """Make a worker that decodes and filters but reads nothing: ``blind(max_pixels=...)``."""

    def make(**limits: int) -> Worker:
        engine: Engine = BlindEngine()
        return ImagingWorker(engine, Limits(**limits))

    return make

"""A batch whose results and state lie in an object store: it is killed with submits under way, and a retry ends it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from store_kinds import S3, AzureBlob, Place

from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.batch.steps import Step
from airflow_provider_asposeocr.documents.file_systems import object_path
from tests.support.batch_engine import content_of, expected_text
from tests.support.batch_tries import request_in, run_try

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator

DOCUMENTS = 5
STEPS = (Step("RecognizeImage", {"resultType": "Text"}),)
_DEADLINE_SECONDS = 140.0


@pytest.fixture(params=["s3", "abfs"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "s3":
        return S3(request.getfixturevalue("s3_server"))
    return AzureBlob(request.getfixturevalue("azure_server"))


@pytest.mark.parametrize("answered", [0, 3])
def test_a_killed_batch_goes_on(
    place: Place,
    processes: ForkServerContext,
    aspose_ocr_emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answered: int,
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    base = place.uri.rpartition("/")[0]
    (tmp_path / "in").mkdir()
    for index in range(DOCUMENTS):
        (tmp_path / "in" / f"{index}.png").write_bytes(content_of(index))

    def exit_code(try_number: int, dies_before: int | None) -> int | None:
        url = aspose_ocr_emulator.url
        arguments = (url, str(tmp_path), base, STEPS, try_number, dies_before, (), place.environment)
        process = processes.Process(target=run_try, args=arguments)
        process.start()
        process.join(_DEADLINE_SECONDS)
        return process.exitcode

    # All documents are sent, then answers come; the process is killed with the next one.
    assert exit_code(1, DOCUMENTS + answered + 1) == -signal.SIGKILL
    assert exit_code(2, None) == 0
    rows = list(read_manifest(request_manifest(tmp_path, base)))
    assert [row.outcome for row in rows] == ["succeeded"] * DOCUMENTS
    texts = [object_path(f"{base}/out/{index}.png.txt").read_text() for index in range(DOCUMENTS)]
    assert texts == [expected_text(index, STEPS) for index in range(DOCUMENTS)]
    announced = sum(bool(row.maybe_billed_twice) for row in rows)
    billed = sum(aspose_ocr_emulator.control.billing().values())
    assert announced >= DOCUMENTS - answered
    assert DOCUMENTS <= billed <= DOCUMENTS + announced
    assert not [name for name in place.names() if "/batches/" in name]


def request_manifest(folder: Path, base: str) -> str:
    state = object_path(request_in(folder, base, STEPS).state)
    state.fs.invalidate_cache()
    (name,) = [name for name in state.fs.find(state.path) if name.endswith(".jsonl")]
    return f"{base}/state/{name.partition('/state/')[2]}"

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.responses import TaskState
from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.api.results.download import Download
    from tests.support.client_drivers import Desk, Driver

GET = {"method": "GET", "path": "RecognizeImage"}


def fetch(driver: Driver, ref: Any, **options: Any) -> list[tuple[str | None, bytes]]:
    with driver.download_results(ref, time.time(), **options) as done:
        return [(result.type, result.data) for result in done.results]


def failure(driver: Driver, ref: Any, now: float | None = None, **options: Any) -> errors.AsposeOcrError:
    with (
        pytest.raises(errors.AsposeOcrError) as caught,
        driver.download_results(ref, time.time() if now is None else now, **options),
    ):
        raise AssertionError("There must be no results.")
    return caught.value


@pytest.fixture(autouse=True)
def _nothing_is_left(own_temporary_folder: Path) -> Any:
    yield
    left = [path.name for path in own_temporary_folder.iterdir() if path.name.startswith("aspose-ocr-")]
    assert left == []


def test_results_are_whole_while_the_context_lasts(
    driver: Driver, desk: Desk, own_temporary_folder: Path
) -> None:
    import hashlib

    ref = desk.submit(resultType="TextAndPdf")
    with driver.download_results(ref, time.time()) as done:
        text, pdf = done.results
        assert (text.type, pdf.type) == ("Text", "Pdf")
        digest = hashlib.sha256(desk.document.read_bytes()).hexdigest()
        assert text.data.decode() == canned_text(digest)
        assert pdf.head.startswith(b"%PDF-")
        for result in done.results:
            assert result.sha256 == hashlib.sha256(result.data).hexdigest()
            assert result.size_bytes == len(result.data)
            assert result.path.is_relative_to(own_temporary_folder)
        assert done.shortfall is None
    assert not text.path.exists()


def test_a_result_in_memory_outlives_the_context(driver: Driver, desk: Desk) -> None:
    ref = desk.submit(resultType="TextAndPdf")
    with driver.download_results(ref, time.time()) as done:
        in_files = [(result.data, result.head, result.sha256) for result in done.results]
        kept = [result.in_memory() for result in done.results]
    assert [(result.data, result.head, result.sha256) for result in kept] == in_files
    assert kept[0].text == in_files[0][0].decode()
    with pytest.raises(ValueError, match="is in memory and has no file"):
        _ = kept[0].path


def test_results_may_be_fetched_again(driver: Driver, desk: Desk) -> None:
    ref = desk.submit()
    assert fetch(driver, ref) == fetch(driver, ref)


def test_escaped_base64_is_the_same_result(driver: Driver, desk: Desk) -> None:
    ref = desk.submit(resultType="Pdf")
    plain = fetch(driver, ref)
    desk.emulator.control.add_faults({"kind": "escape_base64"})
    assert fetch(driver, ref) == plain


class TestNotPlainSuccess:
    def test_completed_without_results(self, driver: Driver, desk: Desk) -> None:
        ref = desk.submit()
        desk.emulator.control.add_faults({"kind": "no_results", "method": "GET", "count": 2})
        for keep in (False, True):
            error = failure(driver, ref, keep_incomplete=keep)
            assert isinstance(error, errors.ResultIncompleteError)
            assert (error.operation, error.task_id, error.billed) == ("RecognizeImage", ref.id, "yes")
        assert len(fetch(driver, ref)) == 1

    def test_partially_not_found(self, driver: Driver, desk: Desk) -> None:
        ref = desk.submit(resultType="TextAndPdf")
        desk.emulator.control.add_faults({"kind": "partial", "method": "GET", "count": 2})
        error = failure(driver, ref)
        assert isinstance(error, errors.ResultIncompleteError)
        assert "PartiallyNotFound" in error.message
        assert error.task_id == ref.id
        with driver.download_results(ref, time.time(), keep_incomplete=True) as done:
            assert [result.type for result in done.results] == ["Text"]
            assert done.shortfall == "the cloud says PartiallyNotFound"
        assert len(fetch(driver, ref)) == 2

    def test_the_task_failed(self, driver: Driver, desk: Desk) -> None:
        ref = desk.submit()
        desk.emulator.control.add_faults({"kind": "task_error", "method": "GET", "messages": ["bad\nscan"]})
        error = failure(driver, ref)
        assert isinstance(error, errors.TaskFailedError)
        assert r"bad\nscan" in error.message
        assert error.task_id == ref.id

    def test_not_done_yet(self, driver: Driver, desk: Desk) -> None:
        ref = desk.submit()
        desk.emulator.control.add_faults({"kind": "task_stuck", "method": "GET"})
        error = failure(driver, ref)
        assert isinstance(error, errors.TaskPendingError)
        assert error.task_id == ref.id
        assert len(fetch(driver, ref)) == 1

    def test_an_unknown_status_names_the_task(self, driver: Driver, desk: Desk) -> None:
        ref = desk.submit()
        desk.emulator.control.add_faults({"kind": "unknown_status"})
        error = failure(driver, ref)
        assert isinstance(error, errors.UnknownStatusError)
        assert (error.operation, error.task_id) == ("RecognizeImage", ref.id)
        assert len(fetch(driver, ref)) == 1

    def test_an_unknown_task(self, driver: Driver, desk: Desk) -> None:
        ref = desk.submit().model_copy(update={"id": "00000000-0000-0000-0000-000000000000"})
        error = failure(driver, ref)
        assert isinstance(error, errors.TaskUnknownError)
        assert error.task_id == ref.id

    def test_an_expired_task_is_not_asked_for(self, driver: Driver, desk: Desk) -> None:
        ref = desk.submit()
        before = len(desk.emulator.control.journal())
        error = failure(driver, ref, now=ref.submitted_epoch + RETENTION_SECONDS)
        assert isinstance(error, errors.TaskExpiredError)
        assert len(desk.emulator.control.journal()) == before

    def test_a_task_that_the_cloud_forgot_just_before_our_clock_says_so(
        self, driver: Driver, desk: Desk
    ) -> None:
        ref = desk.submit()
        desk.emulator.control.advance_clock(RETENTION_SECONDS + 1)
        ref = ref.model_copy(
            update={"submitted_at": ref.submitted_at - timedelta(seconds=RETENTION_SECONDS - 5)}
        )
        assert isinstance(failure(driver, ref), errors.TaskUnknownError)


BROKEN: dict[str, tuple[dict[str, Any], type[errors.AsposeOcrError]]] = {
    "base64": ({"kind": "bad_base64"}, errors.ResultCorruptError),
    "half": ({"kind": "truncate"}, errors.AsposeOcrError),
    "half, chunked": ({"kind": "truncate", "chunked": True}, errors.AsposeOcrError),
    "html": ({"kind": "html"}, errors.UnexpectedResponseError),
    "empty": ({"kind": "status", "status": 200, "body": ""}, errors.UnexpectedResponseError),
    "no state": ({"kind": "status", "status": 200, "body": "[]"}, errors.UnexpectedResponseError),
    "number": (
        {
            "kind": "status",
            "status": 200,
            "body": '{"taskStatus":"Completed","results":[{"type":"Text","data":0}]}',
        },
        errors.UnexpectedResponseError,
    ),
    "number beside data": (
        {
            "kind": "status",
            "status": 200,
            "body": '{"taskStatus":"Completed","results":[{"type":"Pdf","data":0},{"type":"Text","data":"QQ=="}]}',
        },
        errors.UnexpectedResponseError,
    ),
    "data twice": (
        {
            "kind": "status",
            "status": 200,
            "body": '{"taskStatus":"Completed","results":[{"type":"Pdf","data":"QQ==","data":"Qg=="}]}',
        },
        errors.UnexpectedResponseError,
    ),
    "half, in chunks that end well": (
        {
            "kind": "status",
            "status": 200,
            "body": '{"taskStatus":"Completed","results":[{"type":"Text","data":"QQ',
        },
        errors.ResultCorruptError,
    ),
}


class TestBrokenAnswers:
    @pytest.mark.parametrize("name", BROKEN)
    def test_lose_nothing_and_name_the_task(self, driver: Driver, desk: Desk, name: str) -> None:
        rule, cls = BROKEN[name]
        ref = desk.submit(resultType="TextAndPdf")
        desk.emulator.control.add_faults({"path": "RecognizeImage", "method": "GET", "count": 99, **rule})
        error = failure(driver, ref)
        assert isinstance(error, cls)
        assert (error.operation, error.task_id, error.billed) == ("RecognizeImage", ref.id, "already")
        assert ref.id in str(error)
        assert error.retryable
        desk.emulator.control.clear_faults()
        assert len(fetch(driver, ref)) == 2

    @pytest.mark.parametrize(
        "name", [name for name in BROKEN if "half" in name or name in ("base64", "html")]
    )
    def test_are_read_once_more(self, driver: Driver, desk: Desk, name: str) -> None:
        rule, _ = BROKEN[name]
        ref = desk.submit(resultType="TextAndPdf")
        desk.emulator.control.add_faults({**GET, **rule})
        assert [type for type, _ in fetch(driver, ref)] == ["Text", "Pdf"]
        assert len(driver.waits) == 1


def test_lost_data_is_a_shortfall() -> None:
    """The emulator has no such answer, so the state is made by hand."""
    for code in ("ResultDataLost", "NoAnyResultData"):
        state = TaskState(taskStatus="Completed", responseStatusCode=code, results=[{"type": "Text"}])
        assert state.shortfall == f"the cloud says {code}"


@pytest.mark.parametrize("keep", [False, True])
def test_a_result_without_data_is_lost(driver: Driver, desk: Desk, keep: bool) -> None:
    ref = desk.submit()
    body = (
        '{"taskStatus":"Completed","responseStatusCode":"ResultDataLost","error":{"messages":["disk failed"]},'
        '"results":[{"type":"Text","data":null},{"type":"Pdf","data":"JVBERg=="}]}'
    )
    desk.emulator.control.add_faults({**GET, "kind": "status", "status": 200, "body": body})
    if keep:
        done: Download
        with driver.download_results(ref, time.time(), keep_incomplete=True) as done:
            assert [(result.type, result.data) for result in done.results] == [("Pdf", b"%PDF")]
            assert done.shortfall == "the cloud says ResultDataLost"
    else:
        error = failure(driver, ref)
        assert isinstance(error, errors.ResultIncompleteError)
        assert "disk failed" in error.message

"""What single operators tell Airflow's metrics; tests/unit/batch has what a batch does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_asposeocr import metrics
from airflow_provider_asposeocr.api.errors import TaskFailedError
from airflow_provider_asposeocr.api.polling.poller import Poller
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.event import seconds_of
from tests.support.airflow_tasks import StateStore, context_for, deferral, events_of, execute, resume
from tests.support.metric_sink import Sink, UdpSink, sent_to
from tests.support.ocr_tasks import fetch, recognize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

OPERATION = "RecognizeImage"
PACKAGE = Path(metrics.__file__).parent
PAGE_OF_METRICS = PACKAGE.parent / "docs" / "observability.md"


def test_a_submit_and_a_fetch(cloud: EmulatorControl, page: str, out: Path, sink: Sink) -> None:
    manifest = execute(fetch(execute(recognize(page, deferrable=False)), f"{out}/"))
    assert sink.counts == {
        ("submits", OPERATION): 1,
        ("results", OPERATION): 1,
        ("result_bytes", OPERATION): manifest["results"][0]["bytes"],
    }
    ((cloud_seconds,), (wait_seconds,)) = (
        sink.seconds[name, OPERATION] for name in ("cloud_seconds", "wait_seconds")
    )
    assert 0 <= cloud_seconds <= wait_seconds


def test_a_file_that_was_there_is_no_result(cloud: EmulatorControl, page: str, out: Path, sink: Sink) -> None:
    ref = execute(recognize(page, deferrable=False))
    execute(fetch(ref, f"{out}/"))
    execute(fetch(ref, f"{out}/", if_exists="skip"))
    assert sink.counts["results", OPERATION] == 1


async def test_a_deferral_counts_as_wait_and_not_as_the_cloud_s_time(
    cloud: EmulatorControl, page: str, sink: Sink, close_clients: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    deferred = deferral(recognize(page, deferrable=True, inline_wait_seconds=0))
    # On a slow machine the first poll is overdue, so that it could not tell when the task ended.
    monkeypatch.setattr(Poller, "saw_it_end", True)
    (event,) = await events_of(deferred.trigger)
    assert sink.seconds == {}, "the triggerer sends nothing"
    resume(recognize(page, deferrable=True), event)
    assert sink.seconds["cloud_seconds", OPERATION] == [pytest.approx(event["seconds"])]
    assert sink.seconds["wait_seconds", OPERATION][0] > event["seconds"]


@pytest.mark.parametrize("seconds", [None, "soon", -1.0, float("nan"), float("inf"), True, {}])
def test_an_event_that_says_no_duration(seconds: Any) -> None:
    assert seconds_of({"status": "completed", "task": None, "seconds": seconds}) is None
    assert seconds_of({"status": "completed"}) is None


def test_a_cloud_task_of_an_earlier_try(cloud: EmulatorControl, page: str, sink: Sink) -> None:
    store = StateStore()
    for try_number in (1, 2):
        operator = recognize(page, wait_for_completion=False)
        execute(operator, context_for(operator, store=store, try_number=try_number, max_tries=1))
    assert sink.counts == {("submits", OPERATION): 1, ("reattached", OPERATION): 1}


def test_a_submit_without_an_answer(cloud: EmulatorControl, page: str, sink: Sink) -> None:
    lost = {"kind": "drop", "after": "accepted", "method": "POST", "path": OPERATION, "count": 1}
    cloud.add_faults(lost)
    execute(recognize(page, deferrable=False))
    assert sink.counts["resubmits", OPERATION] == 1
    cloud.add_faults(lost)
    with pytest.raises(AirflowFailException):
        execute(recognize(page, on_unknown_submit="fail"))
    assert sink.counts["failures", OPERATION] == 1


def test_a_failure_and_a_cancel(cloud: EmulatorControl, page: str, sink: Sink) -> None:
    cloud.add_faults({"kind": "task_error", "messages": ["m"], "count": 1})
    with pytest.raises(TaskFailedError):
        execute(recognize(page, deferrable=False))
    assert sink.counts["failures", OPERATION] == 1
    cloud.add_faults({"kind": "task_stuck", "count": 1})
    with pytest.raises(Exception, match="deadline"):
        execute(recognize(page, deferrable=False, timeout_seconds=0.3))
    assert sink.counts["cancels", OPERATION] == 1
    assert sink.counts["failures", OPERATION] == 2


def test_a_sink_that_does_not_work_changes_nothing(
    cloud: EmulatorControl, page: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise RuntimeError("no such host")

    monkeypatch.setattr(metrics, "_sink", broken)
    assert execute(fetch(execute(recognize(page, deferrable=False)), f"{out}/"))["results"]


@pytest.fixture
def udp(monkeypatch: pytest.MonkeyPatch) -> Iterator[UdpSink]:
    """Return a StatsD server to which Airflow sends, as it does in a worker's process."""
    pytest.importorskip("statsd", reason="the client that Airflow sends metrics with")
    from airflow.sdk._shared.observability.metrics import stats
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

    sink = UdpSink()
    for name, value in sink.settings().items():
        monkeypatch.setenv(name, value)
    stats.initialize(factory=get_stats_factory(), export_legacy_names=False)
    yield sink
    client: Any = stats._get_backend()
    client.statsd.close()
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
    sink.close()


def test_a_statsd_server_receives_them(cloud: EmulatorControl, page: str, out: Path, udp: UdpSink) -> None:
    execute(fetch(execute(recognize(page, deferrable=False)), f"{out}/"))
    metrics.gauge("oldest_unsettled_seconds", 12.5)
    sink = sent_to(Sink(), udp.received())
    assert sink.counts["submits", None] == 1
    assert sink.counts["results", None] == 1
    assert len(sink.seconds["cloud_seconds", None]) == 1
    assert sink.gauges == {"oldest_unsettled_seconds": 12.5}


def test_the_page_lists_all_metrics_that_are_sent_and_no_other() -> None:
    sources = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py") if "emulator" not in path.parts)
    kinds = {"count": "counter", "gauge": "gauge", "time_taken": "timer"}
    sent = {
        (name, kinds[function])
        for function, name in re.findall(r'(?<!\.)\b(count|gauge|time_taken)\(\s*"(\w+)"', sources)
    }
    sent |= {(name, "counter") for name in re.findall(r'\bsums\["(\w+)"', sources)}
    listed = re.findall(r"^\| `aspose_ocr\.(\w+)` \| (\w+) \|", PAGE_OF_METRICS.read_text(), re.MULTILINE)
    assert sorted(sent) == sorted(listed)


def test_the_hook_counts_too(cloud: EmulatorControl, page: str, out: Path, sink: Sink) -> None:
    hook = AsposeOcrHook("ocr")
    ref = hook.submit(OPERATION, page)
    hook.wait(ref, poll_interval_seconds=0.02)
    hook.fetch_to(ref, f"{out}/")
    assert set(sink.counts) == {(name, OPERATION) for name in ("submits", "results", "result_bytes")}

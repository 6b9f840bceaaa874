"""The teardown cancels cloud tasks that still run, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_asposeocr.api.errors import CloudUnavailableError
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators import AsposeOcrCancelTasksOperator
from tests.support.airflow_tasks import PNG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


@pytest.fixture
def submit(cloud: EmulatorControl, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    (tmp_path / "page.png").write_bytes(PNG)

    def send(*, stuck: bool) -> dict[str, Any]:
        if stuck:
            cloud.add_faults({"kind": "task_stuck", "count": 1})
        ref: dict[str, Any] = AsposeOcrHook("ocr").submit("RecognizeImage", str(tmp_path / "page.png"))
        if not stuck:
            AsposeOcrHook("ocr").wait(ref, poll_interval_seconds=0.02, max_poll_interval_seconds=0.05)
        return ref

    return send


class TaskInstance:
    """Pulls as Airflow does: all map indexes of a task unless told otherwise."""

    def __init__(self, submitted: dict[str, list[Any]], map_index: int) -> None:
        self.submitted, self.map_index = submitted, map_index

    def xcom_pull(self, task_ids: list[str], key: str, map_indexes: int | None = None) -> list[Any]:
        if key != "aspose_ocr_task":
            return []
        of_tasks = [self.submitted.get(task_id, [None]) for task_id in task_ids]
        return [
            value
            for of_task in of_tasks
            for value in (of_task if map_indexes is None else [of_task[map_indexes]])
        ]


def run(submitted: dict[str, list[Any]], task_ids: Any, map_index: int = -1) -> list[str]:
    operator = AsposeOcrCancelTasksOperator(task_id="leave_nothing", task_ids=task_ids)
    context: Any = {"ti": TaskInstance(submitted, map_index)}
    return operator.execute(context)


def deleted(cloud: EmulatorControl) -> list[str]:
    return [task["id"] for task in cloud.tasks() if task["deleted"]]


def test_what_still_runs_is_cancelled_and_what_has_ended_stays(
    cloud: EmulatorControl, submit: Callable[..., Any]
) -> None:
    running, done, mapped = submit(stuck=True), submit(stuck=False), submit(stuck=True)
    submitted = {"one": [running], "two": [done, mapped], "never ran": [None]}
    ids = [running["id"], mapped["id"]]

    assert run(submitted, ["one", "two", "never ran", "unheard of"]) == ids
    assert sorted(deleted(cloud)) == sorted(ids)
    assert [entry["id"] for entry in cloud.journal() if entry["method"] == "DELETE"] == ids


def test_one_task_may_be_named_by_itself(cloud: EmulatorControl, submit: Callable[..., Any]) -> None:
    running = submit(stuck=True)
    assert run({"one": [running]}, "one") == [running["id"]]


def test_a_lane_of_a_mapped_group_leaves_the_others_alone(
    cloud: EmulatorControl, submit: Callable[..., Any]
) -> None:
    lanes = [submit(stuck=True), submit(stuck=True)]
    assert run({"lane.recognize": lanes}, "lane.recognize", map_index=1) == [lanes[1]["id"]]
    assert deleted(cloud) == [lanes[1]["id"]]


def test_a_young_task_that_not_every_server_knows_yet_is_cancelled(
    cloud: EmulatorControl, submit: Callable[..., Any]
) -> None:
    cloud.add_faults({"kind": "not_exist", "hidden_seconds": 10, "count": 1})
    young = submit(stuck=True)
    assert run({"one": [young]}, "one") == [young["id"]]


@pytest.mark.parametrize(
    "bad", [{"conn_id": "nobody_has_it"}, {"operation": "Fly"}, {"operation": "../Fly"}, {"id": ""}]
)
def test_a_reference_that_is_no_good_keeps_no_other_from_it(
    cloud: EmulatorControl, submit: Callable[..., Any], bad: dict[str, str]
) -> None:
    good = submit(stuck=True)
    with pytest.raises(Exception, match=r"nobody_has_it|operation|id"):
        run({"one": [{**good, **bad}, good]}, "one")
    assert deleted(cloud) == [good["id"]]


@pytest.mark.parametrize("garbage", ["", {}, 0, [], "id-1"])
def test_a_reference_that_is_no_reference_is_no_sign_that_nothing_was_submitted(
    cloud: EmulatorControl, submit: Callable[..., Any], garbage: Any
) -> None:
    good = submit(stuck=True)
    with pytest.raises(AirflowFailException, match="not a task reference"):
        run({"one": [garbage, good]}, "one")
    assert deleted(cloud) == [good["id"]]


def test_what_is_gone_already_is_no_error(cloud: EmulatorControl, submit: Callable[..., Any]) -> None:
    running = submit(stuck=True)
    AsposeOcrHook("ocr").cancel(running)
    a_minute_ago = (datetime.now(UTC) - timedelta(seconds=60)).isoformat()
    assert run({"one": [{**running, "submitted_at": a_minute_ago}]}, "one") == []


@pytest.mark.parametrize(("status", "error"), [(503, CloudUnavailableError), (403, AirflowFailException)])
def test_one_that_cannot_be_cancelled_keeps_no_other_from_it_and_is_told(
    cloud: EmulatorControl, submit: Callable[..., Any], status: int, error: type[Exception]
) -> None:
    refs = [submit(stuck=True), submit(stuck=True)]
    # As often as the client tries one cancel.
    cloud.add_faults(
        {"kind": "status", "status": status, "method": "DELETE", "count": 4 if status == 503 else 2}
    )

    with pytest.raises(error) as caught:
        run({"one": refs}, "one")

    assert refs[0]["id"] in str(caught.value)
    assert refs[1]["id"] in deleted(cloud)
    if error is AirflowFailException:
        assert "403" in str(caught.value)


@pytest.mark.parametrize("bad", [[], "", [""], [1]])
def test_no_task_is_a_mistake_of_the_dag(bad: Any) -> None:
    with pytest.raises(ValueError, match="^task_ids must name tasks"):
        AsposeOcrCancelTasksOperator(task_id="leave_nothing", task_ids=bad)


def test_it_can_be_a_teardown() -> None:
    with DAG("d"):
        operator = AsposeOcrCancelTasksOperator(task_id="leave_nothing", task_ids="x").as_teardown()
    assert operator.is_teardown

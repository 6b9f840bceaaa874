"""
A cloud task of an operation that this version does not know, for example of a reference that a newer version wrote.

The table of operations tells upper from lower case, the cloud and its emulator do not. So an operation that this version
does not know is one of the emulator's, in capitals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.operations import OPERATIONS, operation_named
from airflow_provider_asposeocr.api.responses import parse_task_ref
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tests.support.airflow_tasks import PNG, deferral, events_of, execute, resume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

UNKNOWN = "RECOGNIZEIMAGE"
QUICKLY: dict[str, Any] = {"poll_interval_seconds": 0.02, "max_poll_interval_seconds": 0.05}


@pytest.fixture
def hook(cloud: EmulatorControl) -> AsposeOcrHook:
    return AsposeOcrHook("ocr")


@pytest.fixture
def submit(hook: AsposeOcrHook, tmp_path: Path) -> Callable[[], dict[str, Any]]:
    def send() -> dict[str, Any]:
        (tmp_path / "page.png").write_bytes(PNG)
        return hook.submit("RecognizeImage", str(tmp_path / "page.png")) | {"operation": UNKNOWN}

    return send


def test_the_operation_is_not_in_the_table() -> None:
    assert UNKNOWN not in OPERATIONS


def test_the_hook_waits_fetches_and_hands_on(
    hook: AsposeOcrHook, submit: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    ref = submit()
    hook.wait(ref, **QUICKLY)
    assert hook.status(ref).status.value == "Completed"
    (result,) = hook.fetch(ref)
    manifest = hook.fetch_to(ref, f"{tmp_path}/out/")
    assert (tmp_path / "out" / "page.txt").read_bytes() == result.data
    assert manifest["task"] == ref
    # The next step reads its result.
    assert hook.submit("ConvertTextToSpeech", ref, settings={"language": "English", "resultType": "Wav"})


def test_it_is_cancelled(
    hook: AsposeOcrHook, cloud: EmulatorControl, submit: Callable[[], dict[str, Any]]
) -> None:
    cloud.add_faults({"kind": "task_stuck", "count": 1})
    ref = submit()
    hook.cancel(ref)
    assert [task["id"] for task in cloud.tasks() if task["deleted"]] == [ref["id"]]


@pytest.mark.parametrize("consumer", ["fetch", "sensor"])
async def test_the_triggerer_waits_for_it(
    submit: Callable[[], dict[str, Any]], tmp_path: Path, consumer: str
) -> None:
    ref = submit()
    fields: dict[str, Any] = {"task": ref, "deferrable": True, "inline_wait_seconds": 0, **QUICKLY}
    operator: Any
    if consumer == "fetch":
        operator = AsposeOcrFetchResultOperator(task_id="fetch", destination=f"{tmp_path}/out/", **fields)
    else:
        operator = AsposeOcrTaskSensor(task_id="wait", **fields)
    trigger: Any = deferral(operator).trigger
    (event,) = await events_of(trigger)
    done = resume(operator, event)
    assert (done["task"] if consumer == "fetch" else done) == ref


def test_the_worker_waits_for_it(submit: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    ref = submit()
    operator = AsposeOcrFetchResultOperator(
        task_id="fetch", task=ref, destination=f"{tmp_path}/out/", deferrable=False, **QUICKLY
    )
    assert execute(operator)["task"] == ref


def test_it_cannot_be_submitted(hook: AsposeOcrHook, cloud: EmulatorControl, tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(PNG)
    with pytest.raises(InputError, match="'RecognizeImages' is no operation of the cloud"):
        hook.submit("RecognizeImages", str(tmp_path / "page.png"))
    assert cloud.billing() == {}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_what_is_common_to_all_operations_is_true_of_those_that_are_known(name: str) -> None:
    generic, known = operation_named(f"New{name}"), operation_named(name)
    assert known is OPERATIONS[name]
    assert generic.path == known.path.replace(name, f"New{name}")
    assert generic.needs_token == known.needs_token


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../x",
        "/A",
        "A/",
        "A//B",
        "A/../B",
        "A/./B",
        "A/B?id=1",
        "A/B/C/D/E",
        "Utilities/GetTaskStatus",
        "utilities/gettaskstatus",
        "A?id=1",
        "A%2e",
        "A B",
        "A\n",
        "Ä",
        "A\u0661",  # a digit, but none of ASCII
        "1A",
        "A" * 65,
    ],
)
def test_a_name_that_is_not_safe_in_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name of an operation"):
        operation_named(name)
    ref = {"operation": name, "id": "id-1", "submitted_at": "2026-03-02T08:00:00+00:00", "conn_id": "ocr"}
    with pytest.raises(InputError, match="operation: .*not a name of an operation"):
        parse_task_ref(ref)

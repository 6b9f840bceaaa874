"""The output of a mapped task is a list: operators that take one document say to expand it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task, task_group
from airflow.sdk.execution_time.lazy_sequence import LazyXComSequence

from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.operators import (
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrRecognizeRegionsOperator,
    AsposeOcrUpscaleImageOperator,
)
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tests.support.airflow_tasks import execute
from tests.support.ocr_tasks import REF

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

NOTHING: Any = None
#: As an operator gets it from Airflow; nothing here resolves it.
LAZY: LazyXComSequence[Any] = LazyXComSequence(xcom_arg=NOTHING, ti=NOTHING)
TAKERS: dict[str, Callable[[Any], Any]] = {
    "source": lambda given: AsposeOcrRecognizeImageOperator(task_id="taker", source=given),
    "regions": lambda given: AsposeOcrRecognizeRegionsOperator(
        task_id="taker", source="/page.png", regions=given, aspose_ocr_conn_id="ocr"
    ),
    "task of the fetch": lambda given: AsposeOcrFetchResultOperator(
        task_id="taker", task=given, destination="/out/"
    ),
    "task of the sensor": lambda given: AsposeOcrTaskSensor(task_id="taker", task=given),
}


@pytest.fixture(params=list(TAKERS))
def name(request: pytest.FixtureRequest) -> str:
    param: str = request.param
    return param


def expand(name: str) -> str:
    field = name.split()[0]
    partial = r"\.partial\(task_id='taker', \.\.\.\)"
    return rf"^{field} is .*a list.*Expand it.*{partial}\.expand\({field}=\.\.\.\)"


def test_when_the_dag_is_parsed(name: str) -> None:
    with DAG("d"):
        mapped = AsposeOcrUpscaleImageOperator.partial(task_id="mapped").expand(source=["/a.png", "/b.png"])
        with pytest.raises(ValueError, match=expand(name)):
            TAKERS[name](mapped.output)


def test_what_a_mapped_function_returns_too(name: str) -> None:
    @task
    def find(folder: str) -> str:
        return folder

    with DAG("d"), pytest.raises(ValueError, match=expand(name)):
        TAKERS[name](find.expand(folder=["/a", "/b"]))


def test_and_a_task_of_a_mapped_group_outside_of_it(name: str) -> None:
    @task_group
    def lane(source: str) -> Any:
        upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source=source)
        TAKERS[name](upscale.output)  # Here it is one.
        return upscale.output

    with DAG("d"):
        lanes = lane.expand(source=["/a.png", "/b.png"])
        with pytest.raises(ValueError, match=expand(name)):
            TAKERS[name](lanes)


def test_a_list_that_is_written_down(name: str) -> None:
    with pytest.raises(ValueError, match=expand(name)):
        TAKERS[name]([REF, REF])


def test_rectangles_are_no_list_of_documents() -> None:
    TAKERS["regions"]([[0, 0, 10, 10], [10, 10, 20, 20]])


@pytest.mark.parametrize(
    "value",
    [
        [REF, REF],
        str([REF, REF]),
        LAZY,
        str(LAZY),
    ],
    ids=["list", "text of a list", "lazy", "text of a lazy one"],
)
def test_when_a_template_turns_out_to_be_one(cloud: EmulatorControl, name: str, value: Any) -> None:
    operator = TAKERS[name]("{{ ti.xcom_pull(task_ids='mapped') }}")
    setattr(operator, name.split()[0], value)
    with pytest.raises(AirflowFailException, match=expand(name)):
        execute(operator)
    assert cloud.billing() == {}

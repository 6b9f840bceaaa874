"""The number of methods of an operator object: a reader has to know them to change one."""

from __future__ import annotations

import inspect

import pytest

import airflow_provider_asposeocr as package
from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.operators.waiting import WaitsForTask
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor

MOST_METHODS = 20
#: Lines of the mixin that operators and the sensor share.
MOST_LINES = 95
OPERATORS = [getattr(operators, name) for name in operators.__all__] + [AsposeOcrTaskSensor]


def methods_of(cls: type) -> set[str]:
    """Methods and properties of ours, those of mixins and base classes included."""
    ours = [each for each in cls.__mro__ if each.__module__.startswith(package.__name__)]
    kinds = (property, classmethod, staticmethod)
    return {
        name
        for each in ours
        for name, value in vars(each).items()
        if callable(value) and hasattr(value, "__code__") or isinstance(value, kinds)
    }


@pytest.mark.parametrize("cls", OPERATORS, ids=lambda cls: cls.__name__)
def test_no_operator_has_more_methods_than_one_can_keep_in_mind(cls: type) -> None:
    methods = methods_of(cls)
    assert "execute" in methods
    assert len(methods) <= MOST_METHODS, sorted(methods)


def test_the_mixin_is_thin() -> None:
    assert len(inspect.getsource(WaitsForTask).splitlines()) <= MOST_LINES


def test_the_count_sees_mixins_and_properties() -> None:
    assert {"on_kill", "_kill", "_wait_for"} <= methods_of(WaitsForTask) <= methods_of(AsposeOcrTaskSensor)
    assert "poke" in methods_of(AsposeOcrTaskSensor)

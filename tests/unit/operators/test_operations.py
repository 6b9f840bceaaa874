"""The small class of each operation: which there are, what each takes, and that each works from the source to a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.api.errors import SettingsError
from airflow_provider_asposeocr.api.operations import OPERATIONS, TRIAL_SUFFIX
from airflow_provider_asposeocr.api.settings import Settings
from airflow_provider_asposeocr.operators import (
    AsposeOcrConvertTextToSpeechOperator,
    AsposeOcrRecognizeRegionsOperator,
    AsposeOcrSubmitOperator,
)
from tests.contract.samples import REGIONS, write_document
from tests.support.airflow_tasks import execute
from tests.support.ocr_tasks import fetch, recognize

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

CLASSES = [
    cls
    for cls in (getattr(operators, name) for name in operators.__all__)
    if issubclass(cls, AsposeOcrSubmitOperator) and cls is not AsposeOcrSubmitOperator
]
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def make(cls: Any, source: str = "/x", **fields: Any) -> Any:
    """Return an operator of a class, with what it needs beside the source."""
    if cls is AsposeOcrRecognizeRegionsOperator:
        fields.setdefault("regions", [[0, 0, 5, 5]])
    return recognize(source, cls, **fields)


def test_every_operation_has_an_operator() -> None:
    made = sorted(make(cls).operation for cls in CLASSES)
    assert made == sorted(name for name in OPERATIONS if not name.endswith(TRIAL_SUFFIX))


@each_class
def test_each_makes_files_of_a_document(cloud: EmulatorControl, tmp_path: Path, cls: Any) -> None:
    operation = make(cls).operation
    ref = execute(make(cls, str(write_document(operation, tmp_path))))
    manifest = execute(fetch(ref, f"{tmp_path}/out/"))
    assert ref["operation"] == operation
    assert manifest["results"]
    assert cloud.billing() == {operation: 1}


@each_class
def test_each_takes_only_the_settings_that_apply(cls: Any) -> None:
    for name in sorted(Settings.model_fields.keys() - OPERATIONS[make(cls).operation].settings):
        with pytest.raises(SettingsError, match=f"'{name}' does not apply to|has no settings, but got"):
            make(cls, settings={name: "{{ params.x }}"})


def test_speech_has_the_settings_that_the_cloud_requires() -> None:
    speech = AsposeOcrConvertTextToSpeechOperator(task_id="speak", source="/x.txt")
    assert speech.settings == {"language": "English", "resultType": "Wav"}
    chosen: Any = AsposeOcrConvertTextToSpeechOperator(
        task_id="speak", source="/x.txt", settings="{{ params.settings }}"
    )
    assert chosen.settings == "{{ params.settings }}"


@pytest.mark.parametrize(
    "regions", [REGIONS, json.dumps(REGIONS), str(REGIONS)], ids=["xcom", "json", "repr"]
)
def test_regions_may_be_what_any_upstream_has_returned(
    cloud: EmulatorControl, tmp_path: Path, regions: Any
) -> None:
    source = str(write_document("RecognizeRegions", tmp_path))
    operator = make(AsposeOcrRecognizeRegionsOperator, source, regions="{{ ti.xcom_pull(task_ids='found') }}")
    operator.regions = regions
    manifest = execute(fetch(execute(operator), f"{tmp_path}/out/"))
    assert len(manifest["results"]) == len(REGIONS)

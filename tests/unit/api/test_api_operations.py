from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_asposeocr.api.enums import LANGUAGES, RESULT_TYPES, RESULT_TYPES_TTS, TaskStatus
from airflow_provider_asposeocr.api.operations import _TABLE, OPERATIONS, Operation
from airflow_provider_asposeocr.api.settings import Settings

_ALL_TEN = {
    "language",
    "makeSkewCorrect",
    "Rotate",
    "makeBinarization",
    "makeContrastCorrection",
    "makeUpsampling",
    "makeSpellCheck",
    "dsrMode",
    "dsrConfidence",
    "resultType",
}

# What the vendor's docs list per operation, written down a second time, independently of the table.
DOCUMENTED: dict[str, set[str]] = {
    "RecognizeImage": _ALL_TEN,
    "RecognizeImageTrial": _ALL_TEN,
    "RecognizePdf": _ALL_TEN,
    "RecognizeReceipt": _ALL_TEN,
    "RecognizeTable": _ALL_TEN | {"resultTypeTable"},
    "RecognizeRegions": _ALL_TEN | {"regions"},
    "RecognizeLabel": {"language", "makeSkewCorrect", "makeUpsampling", "resultType"},
    "RecognizeAndParseInvoice": {
        "language",
        "makeSkewCorrect",
        "Rotate",
        "makeBinarization",
        "makeUpsampling",
        "makeSpellCheck",
    },
    "DetectRegions": _ALL_TEN - {"makeSpellCheck", "resultType"},
    "IdentifyFont": _ALL_TEN - {"makeSpellCheck", "dsrMode", "dsrConfidence"},
    "DjVu2PDF": {"language", "resultType"},
    "BinarizeImage": set(),
    "DeskewImage": set(),
    "DewarpImage": set(),
    "UpscaleImage": set(),
    "ConvertTextToSpeech": {"language", "resultType"},
    "ConvertTextToSpeechTrial": {"language", "resultType"},
}


def test_the_table_has_each_documented_operation_once() -> None:
    assert len(_TABLE) == len(OPERATIONS) == 17
    assert set(OPERATIONS) == set(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_settings_are_the_documented_ones(name: str) -> None:
    assert OPERATIONS[name].settings == DOCUMENTED[name]
    assert OPERATIONS[name].settings <= set(Settings.model_fields)


@pytest.mark.parametrize("row", _TABLE, ids=lambda row: row.name)
def test_a_row_is_consistent_in_itself(row: Operation) -> None:
    assert row.path == f"/v5.0/ocr/{row.name}"
    assert row.required_settings <= row.settings
    assert row.has_settings or not row.settings
    assert set(row.result_types) <= {*RESULT_TYPES, *RESULT_TYPES_TTS}
    assert not row.result_types or "resultType" in row.settings or row.result_types == ("ImagePNG",)
    assert row.input_types


@pytest.mark.parametrize("row", [row for row in _TABLE if row.trial], ids=lambda row: row.name)
def test_a_trial_variant_differs_by_its_name_and_the_token_only(row: Operation) -> None:
    trial = OPERATIONS[row.trial or ""]
    assert row.needs_token
    assert replace(trial, name=row.name, needs_token=True, trial=trial.name) == row


def test_exactly_the_trial_variants_need_no_token() -> None:
    assert {row.name for row in _TABLE if not row.needs_token} == {row.trial for row in _TABLE if row.trial}
    assert {row.trial for row in _TABLE} - {None} == {"RecognizeImageTrial", "ConvertTextToSpeechTrial"}


def test_vocabularies_have_the_server_s_size_and_spelling() -> None:
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 154
    assert {"Ukrainan", "Kazah", "Belorussian", "HWT_ENG", "Waray_Waray", "Devanagari"} <= set(LANGUAGES)
    assert {status.value for status in TaskStatus if status.is_terminal} == {"Completed", "Error", "NotExist"}

"""
The steps of a batch: what is refused when the DAG is parsed, before the first of them is billed for every document.
"""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError, SettingsError, TrialNotAvailableError
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.batch.steps import Step, parse_steps


def recognize(**settings: Any) -> dict[str, Any]:
    return {"operation": "RecognizeImage", "settings": settings}


SPEECH = {"operation": "ConvertTextToSpeech", "settings": {"language": "English", "resultType": "Wav"}}


@pytest.mark.parametrize(
    "steps",
    [
        ["RecognizeImage"],
        ["UpscaleImage", "BinarizeImage", recognize(language="English", resultType="TextAndPdf")],
        ["DjVu2PDF", "RecognizePdf"],
        ["DjVu2PDF", "RecognizeImage"],
        [recognize(resultType="TextAndPdf"), "RecognizePdf"],
        [
            recognize(resultType="Text"),
            SPEECH,
        ],
        ["DeskewImage", "DetectRegions"],
        ("BinarizeImage", "BinarizeImage"),
    ],
    ids=str,
)
def test_steps_that_fit(steps: Any) -> None:
    parsed = parse_steps(steps)
    assert [step.operation for step in parsed] == [
        step if isinstance(step, str) else step["operation"] for step in steps
    ]


def test_settings_are_in_the_server_s_spelling() -> None:
    assert parse_steps([recognize(result_type="Text")]) == (Step("RecognizeImage", {"resultType": "Text"}),)


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("RecognizeImage", "steps is a list of operations"),
        ({"operation": "RecognizeImage"}, "steps is a list of operations"),
        (None, "steps is a list of operations, .* not None"),
        ([], "steps is empty"),
        ([7], "Step 1 is the name of an operation or"),
        (["BinarizeImage", {}], "Step 2 is the name of an operation or"),
        (["BinarizeImage", "RecognizeImages"], "Step 2: .*Did you mean 'RecognizeImage'"),
        ([{"operation": "RecognizeImage", "setings": {}}], "unknown key 'setings'. Did you mean 'settings'"),
        (
            ["RecognizeImage", "BinarizeImage"],
            r"Step 2, BinarizeImage, reads .* Nothing that step 1, RecognizeImage, makes is",
        ),
        (
            [recognize(resultType="Text"), "RecognizePdf"],
            r"step 1, RecognizeImage, makes \(Text\) is of these types",
        ),
        (["BinarizeImage", "RecognizePdf"], r"reads pdf\. .*\(ImagePNG\) is of these types"),
        (["RecognizeImage", "RecognizePdf"], "makes is not said: set resultType in its settings"),
        (["DetectRegions", "RecognizeImage"], r"\(JSON\) is of these types"),
        (
            [
                {"operation": "RecognizeTable", "settings": {"resultTypeTable": "Excel"}},
                "RecognizeImage",
            ],
            r"\(Excel\) is of these types",
        ),
        (
            [
                {
                    "operation": "RecognizeRegions",
                    "settings": {"resultType": "Text", "regions": [[0, 0, 9, 9], [9, 9, 20, 20]]},
                },
                SPEECH,
            ],
            "Step 2, ConvertTextToSpeech, reads one file. Step 1, RecognizeRegions, makes 2 that it could read",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_with_the_number_of_the_step(steps: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        parse_steps(steps)
    assert "Nothing was billed." in str(refused.value)


def test_a_setting_that_does_not_apply_is_refused_with_the_number_of_the_step() -> None:
    with pytest.raises(SettingsError, match=r"Step 2: 'languag' does not apply .* Did you mean 'language'"):
        parse_steps(["BinarizeImage", recognize(languag="English")])
    assert parse_steps([recognize(brandNew=1)], strict=False)[0].settings == {"brandNew": 1}


def test_evaluation_mode_has_trial_operations_only() -> None:
    with pytest.raises(TrialNotAvailableError, match=r"Step 1: BinarizeImage has no trial variant"):
        parse_steps(["BinarizeImage", "RecognizeImage"], trial=True)
    assert parse_steps(["RecognizeImage"], trial=True)[0].operation == "RecognizeImage"


class TestAtParseTime:
    @pytest.mark.parametrize(
        "steps",
        [
            ["{{ params.first }}", "RecognizeImage"],
            [recognize(resultType="{{ params.type }}"), "RecognizePdf"],
            [recognize(language="{{ params.language }}")],
        ],
        ids=str,
    )
    def test_templates_are_left_for_later(self, steps: Any) -> None:
        parse_steps(steps, rendered=False)

    def test_what_is_no_template_is_checked_at_once(self) -> None:
        with pytest.raises(InputError, match="Step 3, BinarizeImage"):
            parse_steps(
                ["{{ params.first }}", recognize(language="{{ params.language }}"), "BinarizeImage"],
                rendered=False,
            )

    def test_templates_are_checked_when_rendered(self) -> None:
        with pytest.raises(InputError, match="is of these types"):
            parse_steps([recognize(resultType="Text"), "RecognizePdf"])


@pytest.mark.parametrize(
    ("step", "suffixes"),
    [
        (Step("BinarizeImage"), (".png",)),
        (Step("RecognizeImage"), None),
        (Step("RecognizeImage", {"resultType": "TextAndPdfAndHocr"}), (".txt", ".pdf", ".hocr")),
        (Step("RecognizeTable"), None),
        (Step("RecognizeTable", {"resultTypeTable": "CsvAndExcel"}), (".csv", ".xlsx")),
        (Step("DetectRegions"), (".json",)),
        (Step("DjVu2PDF"), (".pdf",)),
        (Step("ConvertTextToSpeech", {"resultType": "Wav"}), (".wav",)),
    ],
    ids=str,
)
def test_the_suffixes_that_the_settings_promise(step: Step, suffixes: tuple[str, ...] | None) -> None:
    assert step.suffixes == suffixes


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_can_be_a_step(name: str) -> None:
    required = {"language": "English", "resultType": "Wav"} if OPERATIONS[name].required_settings else {}
    (step,) = parse_steps([{"operation": name, "settings": required}])
    assert step.row is OPERATIONS[name]
    assert step.suffixes is None or all(suffix != ".bin" for suffix in step.suffixes)

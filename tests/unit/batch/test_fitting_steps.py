"""
Each operation after each other one, with each choice of results: which a batch takes, and why it refuses the others.

The tables say in the vendor's words what goes in and what comes out; the code under test has them as data of its own.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.operations import OPERATIONS, TRIAL_SUFFIX
from airflow_provider_asposeocr.batch.steps import parse_steps

IMAGE = frozenset({"image"})
#: What each operation reads.
READS: dict[str, frozenset[str]] = {
    "RecognizeImage": IMAGE | {"pdf"},
    "RecognizePdf": frozenset({"pdf"}),
    "RecognizeReceipt": IMAGE,
    "RecognizeTable": IMAGE,
    "RecognizeRegions": IMAGE,
    "RecognizeLabel": IMAGE,
    "RecognizeAndParseInvoice": IMAGE,
    "DetectRegions": IMAGE,
    "IdentifyFont": IMAGE,
    "DjVu2PDF": frozenset({"djvu"}),
    "BinarizeImage": IMAGE,
    "DeskewImage": IMAGE,
    "DewarpImage": IMAGE,
    "UpscaleImage": IMAGE,
    "ConvertTextToSpeech": frozenset({"text"}),
}
#: What each value of ``resultType`` is a file of.
_RESULT_TYPES = {
    "Text": {"text"},
    "Pdf": {"pdf"},
    "Hocr": {"hocr"},
    "JSON": {"json"},
    "TextAndPdf": {"text", "pdf"},
    "TextAndHocr": {"text", "hocr"},
    "PdfAndHocr": {"pdf", "hocr"},
    "TextAndPdfAndHocr": {"text", "pdf", "hocr"},
}
_TABLE_TYPES = {"Text": {"text"}, "Csv": {"text"}, "Excel": {"zip"}, "CsvAndExcel": {"text", "zip"}}
_REGION = {"regions": [[0, 0, 9, 9]]}
_RECOGNITIONS = ("RecognizeImage", "RecognizePdf", "RecognizeReceipt", "RecognizeRegions", "RecognizeLabel")

Made = tuple[str, dict[str, Any], set[str]]
#: An operation, its settings, and the kinds of file that it makes then.
MAKES: list[Made] = [
    *(
        (name, {"resultType": word, **(_REGION if name == "RecognizeRegions" else {})}, kinds)
        for name in _RECOGNITIONS
        for word, kinds in _RESULT_TYPES.items()
    ),
    *(("RecognizeTable", {"resultTypeTable": word}, kinds) for word, kinds in _TABLE_TYPES.items()),
    ("RecognizeTable", {"resultType": "JSON"}, {"json"}),
    ("RecognizeAndParseInvoice", {}, {"json"}),
    ("DetectRegions", {}, {"json"}),
    ("IdentifyFont", {}, {"text"}),
    ("IdentifyFont", {"resultType": "Text"}, {"text"}),
    ("DjVu2PDF", {}, {"pdf"}),
    ("DjVu2PDF", {"resultType": "Pdf"}, {"pdf"}),
    *((name, {}, {"image"}) for name in ("BinarizeImage", "DeskewImage", "DewarpImage", "UpscaleImage")),
    ("ConvertTextToSpeech", {"language": "English", "resultType": "Wav"}, {"wav"}),
]
#: The operations whose results are not known without a setting, the setting, and what they may make.
UNSAID: dict[str, tuple[str, set[str]]] = {
    **dict.fromkeys(_RECOGNITIONS, ("resultType", {"text", "pdf", "hocr", "json"})),
    "RecognizeTable": ("resultTypeTable", {"text", "zip", "json"}),
}


def step(name: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    required = {"language": "English", "resultType": "Wav"} if OPERATIONS[name].required_settings else {}
    return {"operation": name, "settings": required if settings is None else settings}


def test_the_tables_have_every_operation() -> None:
    every = {name for name in OPERATIONS if not name.endswith(TRIAL_SUFFIX)}
    assert READS.keys() == every
    assert {name for name, _, _ in MAKES} == every


# A test for each pair would take longer to begin and to report than to run.
@pytest.mark.parametrize("made", MAKES, ids=lambda made: f"{made[0]}-{'-'.join(map(str, made[1].values()))}")
def test_what_one_makes_and_the_next_reads(made: Made) -> None:
    before, settings, kinds = made
    for after, rendered in product(READS, (True, False)):
        steps = [step(before, settings), step(after)]
        if kinds & READS[after]:
            assert [each.operation for each in parse_steps(steps, rendered=rendered)] == [before, after]
            continue
        with pytest.raises(
            InputError, match=rf"^Step 2, {after}, reads .* makes .*is of these types"
        ) as refused:
            parse_steps(steps, rendered=rendered)
        assert "Nothing was billed." in str(refused.value)


@pytest.mark.parametrize("before", sorted(UNSAID))
def test_what_is_not_said_is_not_guessed(before: str) -> None:
    setting, possible = UNSAID[before]
    for after, reads in READS.items():
        says = f"is not said: set {setting} in" if possible & reads else "is of these types"
        with pytest.raises(InputError, match=rf"^Step 2, {after}, .*{says}"):
            parse_steps([step(before, {}), step(after)], rendered=False)


@pytest.mark.parametrize("before", sorted(UNSAID))
def test_a_template_is_looked_at_when_it_is_rendered(before: str) -> None:
    setting, possible = UNSAID[before]
    for after, reads in READS.items():
        steps = [step(before, {setting: "{{ params.type }}"}), step(after)]
        if possible & reads:
            parse_steps(steps, rendered=False)
            continue
        with pytest.raises(InputError, match=rf"^Step 2, {after}, .*is of these types"):
            parse_steps(steps, rendered=False)

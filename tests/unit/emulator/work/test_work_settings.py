"""Settings are applied, refused, or named in a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.work.imaging.preparation import preparation
from airflow_provider_asposeocr.emulator.work.imaging.regions import regions_of
from airflow_provider_asposeocr.emulator.work.jobs import JobError
from tests.support.drawn_pages import prose
from tests.support.result_types import FORMATS

if TYPE_CHECKING:
    from tests.support.emulator_workers import MakeWorker, Run


@pytest.mark.parametrize(
    ("operation", "steps"),
    [
        ("RecognizeImage", ("contrast", "deskew")),
        ("RecognizePdf", ("contrast", "deskew")),
        ("DetectRegions", ("contrast", "deskew")),
        ("RecognizeLabel", ("deskew",)),
    ],
)
def test_defaults_are_those_of_the_docs(operation: str, steps: tuple[str, ...]) -> None:
    assert preparation(operation, {}).steps == steps


def test_all_filters_in_the_documented_order() -> None:
    everything = {"makeSkewCorrect": True, "makeBinarization": True, "makeUpsampling": True}
    assert preparation("RecognizeImage", everything).steps == ("contrast", "binarize", "deskew", "upsample")
    assert preparation("RecognizeReceipt", everything).steps == ("contrast", "binarize", "upsample", "deskew")


def test_filters_can_be_switched_off() -> None:
    assert (
        preparation("RecognizeImage", {"makeSkewCorrect": False, "makeContrastCorrection": False}).steps == ()
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [("makeSpellCheck", True), ("dsrConfidence", "High"), ("resultTypeTable", "Csv"), ("regions", [{}])],
)
def test_settings_without_effect_are_named_in_a_warning(
    run: Run, blind: MakeWorker, setting: str, value: Any
) -> None:
    outcome = run(blind(), "RecognizeImage", prose(), **{setting: value})
    assert any(setting in warning for warning in outcome.warnings)


def test_defaults_of_the_vendors_sdk_cause_no_warning() -> None:
    sent = {
        "makeSpellCheck": False,
        "dsrConfidence": "Default",
        "dsrMode": "DsrPlusDetector",
        "regions": None,
    }
    assert preparation("RecognizeImage", sent).warnings == ()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("Rotate", 400),
        ("Rotate", "90"),
        ("Rotate", True),
        ("makeSkewCorrect", "yes"),
        ("dsrMode", "Magic"),
        ("language", 5),
    ],
)
def test_impossible_values_are_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(JobError, match=setting):
        preparation("RecognizeImage", {setting: value})


def test_result_type_that_recognition_does_not_have(run: Run, blind: MakeWorker) -> None:
    with pytest.raises(JobError, match="ImagePNG"):
        run(blind(), "RecognizeImage", prose(), resultType="ImagePNG")


@pytest.mark.parametrize(("result_type", "types"), FORMATS)
def test_combined_types_are_several_results_inside_the_result_folder(
    run: Run, blind: MakeWorker, result_type: str, types: list[str]
) -> None:
    outcome = run(blind(), "RecognizeImage", prose(), resultType=result_type)
    assert [result.type for result in outcome.results] == types
    assert all(result.path.is_file() for result in outcome.results)
    assert len({result.path.parent for result in outcome.results}) == 1


def rect(x0: int = 0, y0: int = 0, x1: int = 9, y1: int = 9) -> dict[str, int]:
    return {"topLeftX": x0, "topLeftY": y0, "bottomRightX": x1, "bottomRightY": y1}


def test_regions_are_sorted_by_order() -> None:
    regions = [{"order": 5, "rect": rect(x0=5)}, {"order": 1, "rect": rect(x0=1)}]
    assert [box.x0 for box in regions_of({"regions": regions})] == [1, 5]


@pytest.mark.parametrize(
    "regions",
    [
        None,
        [],
        "all",
        [5],
        [{"order": 0}],
        [{"order": 0, "rect": rect(x1=0)}],
        [{"order": "a", "rect": rect()}],
    ],
)
def test_malformed_regions_are_refused(run: Run, blind: MakeWorker, regions: Any) -> None:
    with pytest.raises(JobError, match="[Rr]egion"):
        run(blind(), "RecognizeRegions", prose(), regions=regions)


def test_region_outside_of_the_image_is_refused(run: Run, blind: MakeWorker) -> None:
    regions = [{"order": 0, "rect": rect(5000, 5000, 6000, 6000)}]
    with pytest.raises(JobError, match="outside of the image"):
        run(blind(), "RecognizeRegions", prose(), regions=regions)

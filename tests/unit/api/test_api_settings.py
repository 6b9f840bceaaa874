from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api import enums
from airflow_provider_asposeocr.api.errors import SettingsError
from airflow_provider_asposeocr.api.operations import _TABLE, OPERATIONS, Operation
from airflow_provider_asposeocr.api.settings import (
    Rect,
    Region,
    Settings,
    regions_from_corners,
    validate_settings,
)

IMAGE = OPERATIONS["RecognizeImage"]
REGIONS = OPERATIONS["RecognizeRegions"]
SPEECH = OPERATIONS["ConvertTextToSpeech"]
RECT = {"topLeftX": 1, "topLeftY": 2, "bottomRightX": 3, "bottomRightY": 4}

#: A valid value for each setting.
VALUES: dict[str, Any] = {
    "language": "German",
    "makeSkewCorrect": False,
    "Rotate": -90,
    "makeBinarization": True,
    "makeContrastCorrection": False,
    "makeUpsampling": True,
    "makeSpellCheck": False,
    "dsrMode": "TextDetector",
    "dsrConfidence": "Ultra",
    "resultTypeTable": "Csv",
    "regions": [{"order": 0, "rect": RECT}],
}


def _value(operation: Operation, name: str) -> Any:
    return (operation.result_types or ("Text",))[0] if name == "resultType" else VALUES[name]


def _refused(operation: Operation, settings: Any, **options: bool) -> str:
    with pytest.raises(SettingsError) as caught:
        validate_settings(operation, settings, **options)
    return caught.value.message


@pytest.mark.parametrize("operation", _TABLE, ids=lambda row: row.name)
def test_each_setting_passes_exactly_where_it_applies(operation: Operation) -> None:
    for name in Settings.model_fields:
        settings = {each: _value(operation, each) for each in operation.required_settings}
        settings[name] = _value(operation, name)
        if name in operation.settings:
            if operation is SPEECH or operation.name == "ConvertTextToSpeechTrial":
                settings["language"] = "English"
            assert validate_settings(operation, settings) == settings
        else:
            message = _refused(operation, settings)
            assert name in message
            for applies in operation.settings:
                assert applies in message
            assert operation.settings or "has no settings" in message


def test_every_language_is_accepted() -> None:
    for language in enums.LANGUAGES:
        assert validate_settings(IMAGE, {"language": language}) == {"language": language}


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"language": "english"}, "'English'"),
        ({"language": "Ukrainian"}, "'Ukrainan'"),
        ({"language": "Kazakh"}, "'Kazah'"),
        ({"language": "Belarussian"}, "'Belorussian'"),
        ({"language": "HWT_eng"}, "'HWT_ENG'"),
        ({"language": "eng"}, "'English'"),
        ({"language": "zh-CN"}, "'Chinese'"),
        ({"language": "Deutsch"}, "'German'"),
        ({"language": "nl"}, "'Netherlands' or 'Dutch'"),
        ({"resultType": "text"}, "'Text'"),
        ({"resultType": "json"}, "'JSON'"),
        ({"resultType": "TextPdf"}, "'TextAndPdf'"),
        ({"dsrMode": "Region"}, "'Regions'"),
        ({"dsrConfidence": "low"}, "'Low'"),
        ({"langauge": "English"}, "'language'"),
        ({"makeBinarisation": True}, "'makeBinarization'"),
        ({"make_upsample": True}, "'makeUpsampling'"),
    ],
)
def test_a_near_miss_is_met_with_what_was_meant(settings: dict[str, Any], hint: str) -> None:
    assert f"Did you mean {hint}?" in _refused(IMAGE, settings)


def test_all_that_is_wrong_is_named_at_once() -> None:
    message = _refused(
        IMAGE,
        {
            "language": "eng",
            "dsrMode": "Region",
            "Rotate": "much",
            "langauge": "x",
            "zzz": 1,
            "resultType": "Wav",
        },
    )
    for said in (
        "'English'",
        "'Regions'",
        "Setting Rotate",
        "'langauge'",
        "'language'",
        "'zzz'",
        "resultType 'Wav'",
    ):
        assert said in message
    assert message.count("These settings do") == 1


def test_a_blank_that_is_all_that_is_wrong_is_named() -> None:
    message = _refused(IMAGE, {"language": "English "})
    assert "'English ' is not known to the cloud. Did you mean 'English'?" in message


def test_a_language_that_is_near_to_nothing_is_met_with_what_languages_look_like() -> None:
    assert "Languages are English names, for example 'German'." in _refused(IMAGE, {"language": "ga"})


def test_a_word_that_is_near_to_nothing_is_met_with_all_of_a_short_list() -> None:
    message = _refused(IMAGE, {"dsrConfidence": "qqqqq"})
    assert all(word in message for word in enums.DSR_CONFIDENCES)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ({"dsrMode": "CraftPoly"}, {"dsrMode": "PolygonalTextDetector"}),
        ({"rotate": 5}, {"Rotate": 5}),
        ({"make_skew_correct": True}, {"makeSkewCorrect": True}),
        ({"makeskewcorrect": True}, {"makeSkewCorrect": True}),
        ({"dsr_confidence": "High"}, {"dsrConfidence": "High"}),
        ({"result_type": "Pdf"}, {"resultType": "Pdf"}),
        ({"Language": "Czech"}, {"language": "Czech"}),
        # Rendered templates are strings.
        ({"Rotate": "90", "makeBinarization": "false"}, {"Rotate": 90, "makeBinarization": False}),
        ({"language": None, "Rotate": 0}, {"Rotate": 0}),
        ({}, {}),
        (None, {}),
        (Settings(language="English"), {"language": "English"}),
    ],
)
def test_what_is_sent_is_what_was_set_in_the_server_s_spelling(
    written: dict[str, Any] | None, sent: dict[str, Any]
) -> None:
    assert validate_settings(IMAGE, written) == sent


@given(st.sets(st.sampled_from(sorted(IMAGE.settings))))
def test_only_what_was_set_is_sent(names: set[str]) -> None:
    settings = {name: _value(IMAGE, name) for name in names}
    assert validate_settings(IMAGE, settings) == settings


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"Rotate": "much"}, "Rotate"),
        ({"makeBinarization": "perhaps"}, "makeBinarization"),
        ({"language": 3}, "language"),
        ({"language": ""}, "language"),
        ({"resultType": "Wav"}, "resultType 'Wav' does not apply to RecognizeImage"),
        ({"resultType": "ImagePNG"}, "resultType 'ImagePNG' does not apply to RecognizeImage"),
        ({"rotate": 1, "Rotate": 2}, "Rotate"),
        ("English", "mapping"),
        (["language"], "mapping"),
    ],
)
def test_a_bad_value_is_named(settings: Any, named: str) -> None:
    assert named in _refused(IMAGE, settings)


def test_a_hostile_value_is_shown_harmlessly() -> None:
    message = _refused(IMAGE, {"language": "\x1b[31mEnglish" + "x" * 10_000})
    assert "\x1b" not in message
    assert len(message) < 500


class TestStrict:
    def test_unknown_settings_pass_as_they_are_when_asked(self) -> None:
        settings = {"futureThing": {"a": 1}, "language": "English"}
        assert validate_settings(IMAGE, settings, strict=False) == settings

    def test_known_settings_must_apply_all_the_same(self) -> None:
        with pytest.raises(SettingsError, match="regions"):
            validate_settings(IMAGE, {"regions": [[1, 2, 3, 4]]}, strict=False)

    def test_known_values_must_be_known_all_the_same(self) -> None:
        with pytest.raises(SettingsError, match="English"):
            validate_settings(IMAGE, {"language": "Englsh"}, strict=False)


class TestTemplates:
    @pytest.mark.parametrize(
        "value", ["{{ var.value.language }}", "{% if x %}English{% endif %}", "{{ x }} and more"]
    )
    def test_a_template_is_left_for_later(self, value: str) -> None:
        validate_settings(IMAGE, {"language": value}, rendered=False)
        with pytest.raises(SettingsError, match="language"):
            validate_settings(IMAGE, {"language": value})

    def test_the_name_beside_a_template_is_checked_at_once(self) -> None:
        with pytest.raises(SettingsError, match="does not apply"):
            validate_settings(IMAGE, {"regions": "{{ regions }}"}, rendered=False)

    def test_the_other_values_are_checked_at_once(self) -> None:
        with pytest.raises(SettingsError, match="'Text'"):
            validate_settings(IMAGE, {"language": "{{ l }}", "resultType": "text"}, rendered=False)

    def test_a_template_inside_a_list_is_left_too(self) -> None:
        region = {"order": 0, "rect": {**RECT, "topLeftX": "{{ x }}"}}
        validate_settings(REGIONS, {"regions": [region]}, rendered=False)

    def test_an_object_that_resolves_later_is_left(self) -> None:
        validate_settings(IMAGE, {"language": object()}, rendered=False)

    def test_required_settings_may_come_from_anywhere_until_rendered(self) -> None:
        validate_settings(SPEECH, {}, rendered=False)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, "language, resultType"),
        (None, "language, resultType"),
        ({"language": "English"}, "resultType"),
        ({"resultType": "Wav"}, "language"),
        ({"language": None, "resultType": "Wav"}, "language"),
    ],
)
def test_text_to_speech_names_what_it_needs(settings: dict[str, Any] | None, missing: str) -> None:
    assert _refused(SPEECH, settings) == f"ConvertTextToSpeech needs {missing}."


class TestRegions:
    @given(st.lists(st.lists(st.integers(0, 10_000), min_size=4, max_size=4), max_size=20))
    def test_corners_become_ordered_rectangles(self, corners: list[list[int]]) -> None:
        regions = regions_from_corners(corners)
        assert [region["order"] for region in regions] == list(range(len(corners)))
        names = ("topLeftX", "topLeftY", "bottomRightX", "bottomRightY")
        assert [[region["rect"][name] for name in names] for region in regions] == corners

    @pytest.mark.parametrize("corner", [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, "4"], [1.5, 2, 3, 4], []])
    def test_what_is_no_rectangle_is_refused(self, corner: list[Any]) -> None:
        with pytest.raises(SettingsError, match="four whole numbers"):
            regions_from_corners([corner])

    @pytest.mark.parametrize(
        "regions",
        [
            [[1, 2, 3, 4]],
            [(1, 2, 3, 4)],
            [{"order": 0, "rect": RECT}],
            [Region(order=0, rect=Rect(**RECT))],
        ],
    )
    def test_all_ways_of_writing_regions_send_the_same(self, regions: list[Any]) -> None:
        assert validate_settings(REGIONS, {"regions": regions}) == {"regions": [{"order": 0, "rect": RECT}]}

    @pytest.mark.parametrize(
        "regions",
        [
            [],
            "{{ not rendered }}",
            "[[1, 2, 3, 4]]",
            [[3, 2, 1, 4]],
            [[1, 4, 3, 4]],
            [{"order": 0}],
            [{"rect": RECT}],
            [{"order": 0, "rect": {**RECT, "extra": 1}}],
            [[1, 2, 3, 4], {"order": 0, "rect": RECT}],
        ],
    )
    def test_regions_that_make_no_sense_are_refused(self, regions: Any) -> None:
        assert "egion" in _refused(REGIONS, {"regions": regions})

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.enums import LANGUAGES
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.emulator.cloud.error_responses import Refused
from airflow_provider_asposeocr.emulator.cloud.submission import read_submission
from airflow_provider_asposeocr.emulator.options import Options

REGIONS = OPERATIONS["RecognizeRegions"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(min_size=1, max_size=200))
def test_the_input_arrives_as_it_was(content: bytes) -> None:
    body = json.dumps({"image": base64.b64encode(content).decode(), "settings": {}}).encode()

    assert read_submission(body, REGIONS, Options()).payload == content


@pytest.mark.slow
@given(language=st.sampled_from(LANGUAGES), casing=st.sampled_from([str, str.lower, str.upper]))
def test_every_language_is_known_under_any_casing_of_the_key(language: str, casing: type[str]) -> None:
    body = json.dumps({"image": "aGk=", "settings": {casing("language"): language}}).encode()

    assert read_submission(body, REGIONS, Options()).settings == {"language": language}


@given(st.dictionaries(st.sampled_from(["image", "settings", "x"]), json_values) | json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    with contextlib.suppress(Refused):
        assert read_submission(json.dumps(value).encode(), REGIONS, Options()).payload


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read_submission(body, REGIONS, Options())


def test_regions_keep_their_numbers_and_get_the_servers_spelling() -> None:
    given_rect = {"TOPLEFTX": 1, "topLeftY": 2, "bottomRightX": 3, "bottomrighty": 4}
    body = {"image": "aGk=", "settings": {"Regions": [{"Order": 7, "Rect": given_rect}]}}

    settings = read_submission(json.dumps(body).encode(), REGIONS, Options()).settings

    rect = {"topLeftX": 1, "topLeftY": 2, "bottomRightX": 3, "bottomRightY": 4}
    assert settings == {"regions": [{"order": 7, "rect": rect}]}

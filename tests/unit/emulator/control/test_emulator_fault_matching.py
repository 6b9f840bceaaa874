from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.emulator.control.faults import RULES, FaultBook, Stage


def book(*rules: dict[str, Any]) -> FaultBook:
    fault_book = FaultBook()
    fault_book.add(RULES.validate_python(list(rules)))
    return fault_book


def hits(fault_book: FaultBook, method: str, path: str, stage: Stage = "request") -> list[str]:
    return [rule.kind for rule in fault_book.hits(stage, method, path)]


@pytest.mark.parametrize(
    ("glob", "path", "hit"),
    [
        ("*", "/v5.0/ocr/RecognizeImage", True),
        ("*", "/v5.0/ocr/Utilities/GetTaskStatus", True),
        ("*", "/connect/token", False),
        ("*/token", "/connect/token", False),
        ("/connect/token", "/connect/token", True),
        ("CONNECT/*", "/connect/token", True),
        ("/connect/*", "/v5.0/ocr/RecognizeImage", False),
        ("RecognizeImage", "/v5.0/ocr/RecognizeImage", True),
        ("/RecognizeImage", "/V5.0/OCR/recognizeimage", True),
        ("/v5.0/ocr/recognizeimage/", "/v5.0/ocr/RecognizeImage", True),
        ("RecognizeImage", "/v5.0/ocr/RecognizeImageTrial", False),
        ("Recognize*", "/v5.0/ocr/RecognizeImageTrial", True),
        ("Recognize[IP]*", "/v5.0/ocr/RecognizePdf", True),
        ("GetTaskStatus", "/v5.0/ocr/Utilities/GetTaskStatus", False),
    ],
)
def test_paths(glob: str, path: str, hit: bool) -> None:
    assert bool(hits(book({"kind": "drop", "path": glob}), "GET", path)) is hit


@pytest.mark.parametrize(
    ("rule", "method", "stage"),
    [
        ({"kind": "drop"}, "DELETE", "request"),
        ({"kind": "drop", "method": "delete"}, "DELETE", "request"),
        ({"kind": "html"}, "GET", "request"),
        ({"kind": "delay", "delay_seconds": 1, "after": "accepted"}, "POST", "accepted"),
        ({"kind": "expired_token"}, "GET", "credentials"),
        ({"kind": "task_error"}, "POST", "fate"),
        ({"kind": "task_error", "method": "GET"}, "GET", "view"),
        ({"kind": "task_stuck"}, "POST", "fate"),
        ({"kind": "task_slow", "task_seconds": 1}, "POST", "fate"),
        ({"kind": "no_results"}, "POST", "fate"),
        ({"kind": "partial", "method": "get"}, "GET", "view"),
        ({"kind": "unknown_status"}, "GET", "view"),
        ({"kind": "bad_base64"}, "GET", "results"),
        ({"kind": "escape_base64"}, "GET", "results"),
        ({"kind": "result_type", "result_type": "x"}, "GET", "results"),
        ({"kind": "truncate"}, "GET", "answer"),
        ({"kind": "truncate", "method": "POST"}, "POST", "answer"),
    ],
)
def test_a_rule_is_asked_at_one_stage_and_for_its_method_only(
    rule: dict[str, Any], method: str, stage: Stage
) -> None:
    stages: tuple[Stage, ...] = ("request", "credentials", "fate", "accepted", "view", "results", "answer")
    path = "/v5.0/ocr/RecognizeImage"

    found = [asked for asked in stages if hits(book(rule), method, path, asked)]

    assert found == [stage]
    if stage not in ("request", "credentials", "accepted") or "method" in rule:
        assert not hits(book(rule), "PUT", path, stage)


@given(count=st.integers(1, 20), requests=st.integers(0, 30))
def test_a_count_is_the_number_of_hits(count: int, requests: int) -> None:
    fault_book = book({"kind": "drop", "count": count})

    struck = [bool(hits(fault_book, "GET", "/v5.0/ocr/X")) for _ in range(requests)]

    assert struck == [number < count for number in range(requests)]


@given(seed=st.integers(0, 10_000), probability=st.sampled_from([0.0, 0.3, 1.0]))
def test_a_probability_is_drawn_from_its_seed(seed: int, probability: float) -> None:
    rule = {"kind": "drop", "probability": probability, "seed": seed}
    series = []
    for _ in range(2):
        fault_book = book(rule)
        series.append([bool(hits(fault_book, "GET", "/v5.0/ocr/X")) for _ in range(40)])

    assert series[0] == series[1]
    if probability in (0.0, 1.0):
        assert set(series[0]) == {bool(probability)}


def test_a_rule_that_is_not_asked_is_not_used_up() -> None:
    fault_book = book({"kind": "status", "status": 500}, {"kind": "drop"})

    assert next(fault_book.hits("request", "GET", "/v5.0/ocr/X")).kind == "status"

    assert hits(fault_book, "GET", "/v5.0/ocr/X") == ["drop"]

"""
Gates of quality: what is measured, which gates there are, and what a document that misses one comes to.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError, LibraryMissingError
from airflow_provider_asposeocr.api.results import measures
from airflow_provider_asposeocr.api.results.download import Result
from airflow_provider_asposeocr.api.results.measures import Measured, measure
from airflow_provider_asposeocr.api.results.policies import ON_LOW_QUALITY
from airflow_provider_asposeocr.api.results.quality import (
    Gates,
    Verdict,
    describe,
    found_in,
    judge,
    missed_in,
    parse_gates,
)
from airflow_provider_asposeocr.api.results.reading import HOCR, TEXT
from airflow_provider_asposeocr.api.results.scripts import SCRIPTS, script_shares
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_hocr

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.results.policies import OnLowQuality

GOOD = Measured(100, 20, 0.9, {"Latin": 0.95, "Greek": 0.05}, "Invoice 12")
#: For each gate: a threshold that is passed, one that is just passed, one that is not.
THRESHOLDS: dict[str, tuple[Any, Any, Any]] = {
    "min_mean_confidence": (0.5, 0.9, 0.901),
    "min_characters": (1, 100, 101),
    "must_match": (r"Invoice", r"Invoice\s+\d+", r"Invoice\s+[a-z]"),
    "language_share": ({"Latin": 0.5}, {"Latin": 0.95, "Greek": 0.05}, {"Latin": 0.96}),
}


def result(kind: str, content: bytes) -> Result:
    return Result(kind, content, len(content), hashlib.sha256(content).hexdigest())


class TestJudge:
    """The whole table: each gate alone and with each other one, passed or not, and each policy."""

    @pytest.mark.parametrize("policy", ON_LOW_QUALITY)
    def test_each_combination(self, policy: OnLowQuality) -> None:
        for choice in product((None, 0, 1, 2), repeat=4):
            chosen = [
                (gate, index) for gate, index in zip(THRESHOLDS, choice, strict=True) if index is not None
            ]
            gates = parse_gates({gate: THRESHOLDS[gate][index] for gate, index in chosen})
            verdict = judge(GOOD, gates, policy)
            missed = [gate for gate, index in chosen if index == 2]
            assert sorted(each.gate.partition("[")[0] for each in verdict.missed) == sorted(missed), choice
            assert verdict.is_low == bool(missed), choice
            assert (verdict.stores, verdict.fails, verdict.skips, verdict.reviews) == (
                not (missed and policy == "skip"),
                bool(missed) and policy == "fail",
                bool(missed) and policy == "skip",
                bool(missed) and policy == "review",
            ), choice

    @pytest.mark.parametrize("gate", THRESHOLDS)
    def test_what_could_not_be_measured_is_not_passed(self, gate: str) -> None:
        gates = parse_gates({gate: THRESHOLDS[gate][0]})
        (missed,) = judge(Measured(), gates, "fail").missed
        assert missed.value is None

    def test_no_gate_is_passed(self) -> None:
        assert judge(Measured(), None, "fail") == Verdict(()) == judge(Measured(), Gates(), "fail")

    def test_the_error_says_gate_value_threshold_and_bill(self) -> None:
        gates = parse_gates({"min_characters": 200, "language_share": {"Han": 0.5}, "must_match": "x\x1b"})
        said = str(judge(GOOD, gates, "fail").error("RecognizeImage", "id-1"))
        assert "min_characters is 100, below 200" in said
        assert "language_share[Han] is 0, below 0.5" in said
        assert r"must_match: nothing in the text matches 'x\\x1b'" in said
        assert "[RecognizeImage id-1] The cloud task was accepted and billed. A retry does not help." in said

    @pytest.mark.parametrize(
        ("measured", "quality", "said"),
        [
            (GOOD, {"min_mean_confidence": 0.901}, "min_mean_confidence is 0.9, below 0.901"),
            (
                Measured(),
                {"min_mean_confidence": 1},
                "min_mean_confidence is not known, because no result has it; 1 is asked for",
            ),
            (
                Measured(1_234_567),
                {"min_characters": 2_345_678},
                "min_characters is 1234567, below 2345678",
            ),
            (GOOD, {"language_share": {"Greek": 0.06}}, "language_share[Greek] is 0.05, below 0.06"),
        ],
    )
    def test_each_gate_says_what_was_measured(
        self, measured: Measured, quality: dict[str, Any], said: str
    ) -> None:
        verdict = judge(measured, parse_gates(quality), "mark")
        assert verdict.text == said
        # The same from the manifest, with which a later run speaks of it.
        found = json.loads(json.dumps(describe(measured, verdict)))
        assert "; ".join(map(str, missed_in(found))) == said

    def test_what_the_manifest_says(self) -> None:
        gates = parse_gates({"min_characters": 200})
        found = describe(GOOD, judge(GOOD, gates, "review"))
        assert found == {
            "characters": 100,
            "words": 20,
            "mean_confidence": 0.9,
            "language_share": {"Latin": 0.95, "Greek": 0.05},
            "missed": [{"gate": "min_characters", "value": 100, "threshold": 200}],
            "review": True,
        }
        assert describe(Measured(), Verdict(())) is None

    def test_what_the_manifest_says_is_short(self) -> None:
        many = Measured(1, 1, None, {script: 0.03 for script in SCRIPTS}, "x")
        found = describe(many, judge(many, parse_gates({"must_match": "a" * 1000}), "mark"))
        assert len(json.dumps(found)) < 400


class TestGates:
    """What a DAG's author may write."""

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ("x", "must be a mapping"),
            ({"min_charcters": 1}, "Did you mean 'min_characters'"),
            ({"min_characters": 0.5}, "a number of characters"),
            ({"min_characters": True}, "a number of characters"),
            ({"min_mean_confidence": 80}, "a share from 0 to 1"),
            ({"language_share": 0.9}, "for each writing system"),
            ({"language_share": {"latin": 0.9}}, "Did you mean 'Latin'"),
            ({"language_share": {"Latin": 2}}, "a share from 0 to 1"),
            ({"must_match": "(a"}, "no regular expression of RE2"),
            ({"must_match": r"(a)\1"}, "no regular expression of RE2"),
            ({"must_match": "a" * 2000}, "at most 1000 characters"),
            ({"must_match": ""}, "at most 1000 characters"),
            ({"must_match": "\ud800"}, "no regular expression of RE2"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, wrong: object, said: str) -> None:
        with pytest.raises(InputError, match=said):
            parse_gates(wrong)

    def test_a_pattern_that_would_take_python_hours(self) -> None:
        assert not found_in(r"^(\w+\s?)+\$$", "a" * 900_000 + "!")

    def test_half_a_pair_of_surrogates_in_a_text(self) -> None:
        assert found_in("b", "\ud800b")

    def test_a_package_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "re2", None)
        with pytest.raises(LibraryMissingError, match=r"airflow-provider-asposeocr\[quality\]"):
            parse_gates({"must_match": "a"})


class TestMeasures:
    """The numbers."""

    def test_text_and_confidence(self) -> None:
        hocr = tiny_hocr("x").replace(b"bbox 10 10 80 34'", b"bbox 10 10 80 34; x_wconf 80'")
        found = measure("RecognizeImage", [result("Hocr", hocr), result("Text", "Größe 12\n два".encode())])
        assert found.to_dict() == {
            "characters": 10,
            "words": 3,
            "mean_confidence": 0.8,
            "language_share": {"Latin": 0.625, "Cyrillic": 0.375},
        }

    @pytest.mark.parametrize(
        ("kind", "content"), [("Hocr", tiny_hocr("one two")), ("JSON", b'[{"text": "one two"}]')]
    )
    def test_text_of_other_results(self, kind: str, content: bytes) -> None:
        assert measure("RecognizeImage", [result(kind, content)]).characters == 6

    @pytest.mark.parametrize(
        ("kind", "content"), [("Pdf", b"%PDF"), ("Text", b"\xff"), ("Hocr", b"<"), ("JSON", b"[" * 10_000)]
    )
    def test_what_has_no_text_or_cannot_be_read(self, kind: str, content: bytes) -> None:
        assert measure("RecognizeImage", [result(kind, content)]) == Measured()

    def test_json_that_would_fill_the_memory_is_not_measured(self) -> None:
        body = b'[{"text": "one"}' + b",[]" * (measures.MOST_JSON_BYTES // 3) + b"]"
        assert measure("RecognizeImage", [result("JSON", body)]) == Measured()

    def test_one_result_is_measured_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        held: list[bool] = []
        read = TEXT.read

        def watched(results: Any) -> Any:
            held.append(measures.ONE_AT_A_TIME.locked())
            return read(results)

        monkeypatch.setattr(measures, "TEXT", dataclasses.replace(TEXT, read=watched))
        measure("RecognizeImage", [result("Text", b"one")])
        assert held == [True]

    def test_to_measure_never_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Any) -> Any:
            raise RuntimeError("a defect")

        monkeypatch.setattr(measures, "HOCR", dataclasses.replace(HOCR, read=fail))
        assert measure("RecognizeImage", [result("Hocr", b"x"), result("Text", b"one")]).characters == 3

    def test_an_invoice_has_no_text(self) -> None:
        assert measure("RecognizeAndParseInvoice", [result("Text", b"{}")]) == Measured()

    @pytest.mark.parametrize(
        ("text", "shares"),
        [
            ("", {}),
            ("12 .,", {}),
            ("abc日本", {"Latin": 0.6, "Han": 0.4}),
            ("ｆｕｌｌ", {"Latin": 1.0}),
            ("かカ", {"Hiragana": 0.5, "Katakana": 0.5}),
            ("ᚠ", {"Other": 1.0}),
        ],
    )
    def test_writing_systems(self, text: str, shares: dict[str, float]) -> None:
        assert script_shares(text) == shares

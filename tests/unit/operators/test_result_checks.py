"""
The fetch operator's ``extract`` and ``quality``, against the emulator: what is stored, what is in XCom, how the task ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.compat import AirflowFailException, AirflowSkipException
from airflow_provider_asposeocr.documents.manifest import parse_manifest
from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrSubmitOperator
from airflow_provider_asposeocr.operators.result_checks import REVIEW_KEY
from tests.support.airflow_tasks import context_for, execute
from tests.support.emulated_cloud import methods
from tests.support.ocr_tasks import REF, fetch, recognize

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

TOO_MUCH = {"min_characters": 10_000, "language_share": {"Latin": 0.5}}


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*") if path.is_file())


class TestParseTime:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"extract": {"x": "invoice.total"}}, "invoice has no such field"),
            ({"extract": {"x": "nowhere"}}, "no reader of that name"),
            ({"quality": {"min_character": 1}}, "Did you mean 'min_characters'"),
            ({"quality": {"must_match": "("}}, "no regular expression of RE2"),
        ],
    )
    def test_a_path_or_a_gate_that_makes_no_sense_is_an_import_error(
        self, given: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(InputError, match=said) as caught:
            fetch(REF, "/x/", **given)
        assert str(caught.value).endswith("Correct the DAG.")

    @pytest.mark.parametrize(
        ("name", "bad"), [("on_absent", "ask"), ("on_low_quality", "ask"), ("extract_bytes", 0)]
    )
    def test_a_bad_policy_is_named(self, name: str, bad: Any) -> None:
        with pytest.raises(ValueError, match=f"^{name} must be"):
            fetch(REF, "/x/", **{name: bad})

    def test_extract_is_a_template_that_is_checked_before_the_wait(
        self, cloud: EmulatorControl, tmp_path: Path
    ) -> None:
        assert "extract" in AsposeOcrFetchResultOperator.template_fields
        operator = fetch(REF, f"{tmp_path}/", extract={"x": "{{ params.path }}"})
        operator.extract = {"x": "invoice.total"}  # what the template has rendered to
        with pytest.raises(AirflowFailException, match="invoice has no such field"):
            execute(operator)
        assert methods(cloud) == []


class TestExtract:
    @pytest.fixture
    def invoice(self, cloud: EmulatorControl, page: str) -> dict[str, Any]:
        operation = "RecognizeAndParseInvoice"
        ref: dict[str, Any] = execute(recognize(page, cls=AsposeOcrSubmitOperator, operation=operation))
        return ref

    def test_fields_are_xcoms_and_in_the_manifest(self, invoice: dict[str, Any], tmp_path: Path) -> None:
        extract = {"total": "invoice.total_amount", "day": "invoice.issue_date", "tax": "invoice.vat"}
        operator = fetch(invoice, f"{tmp_path}/out/", extract=extract)
        context = context_for(operator)
        manifest = execute(operator, context)
        assert manifest["extracted"] == {"total": "42.0", "day": "2024-11-12", "tax": None}
        assert {name: context["ti"].xcoms[name] for name in extract} == manifest["extracted"]
        assert parse_manifest(manifest).extracted == manifest["extracted"]

    def test_an_absent_field_fails_after_the_files_were_written(
        self, invoice: dict[str, Any], tmp_path: Path
    ) -> None:
        operator = fetch(invoice, f"{tmp_path}/out/", extract={"tax": "invoice.vat"}, on_absent="fail")
        with pytest.raises(
            AirflowFailException, match="The cloud has not found invoice.vat.*was accepted and billed"
        ):
            execute(operator)
        assert files_in(tmp_path / "out") == ["page.json"]

    def test_what_is_too_large_is_cut_with_a_warning(
        self, cloud: EmulatorControl, page: str, tmp_path: Path
    ) -> None:
        ref = execute(recognize(page, settings={"resultType": "Text"}))
        operator = fetch(ref, f"{tmp_path}/out/", extract={"text": "text"}, extract_bytes=12)
        manifest = execute(operator)
        assert manifest["extracted"] == {"text": "This is th"}
        assert manifest["warnings"] == ["extract: text was cut to extract_bytes, 12 bytes."]


class TestQuality:
    @pytest.fixture
    def ref(self, cloud: EmulatorControl, page: str) -> dict[str, Any]:
        ref: dict[str, Any] = execute(recognize(page, settings={"resultType": "Text"}))
        return ref

    def test_the_numbers_are_in_the_manifest_without_gates_too(
        self, ref: dict[str, Any], tmp_path: Path
    ) -> None:
        manifest = execute(fetch(ref, f"{tmp_path}/out/"))
        assert manifest["outcome"] == "succeeded"
        assert set(manifest["quality"]) == {"characters", "words", "language_share"}
        assert manifest["quality"]["language_share"] == {"Latin": 1.0}

    def test_what_passes_is_a_success(self, ref: dict[str, Any], tmp_path: Path) -> None:
        gates = {"min_characters": 20, "must_match": r"canned\s+text", "language_share": {"Latin": 0.9}}
        assert execute(fetch(ref, f"{tmp_path}/out/", quality=gates))["outcome"] == "succeeded"

    def test_fail_writes_the_files_and_the_manifest(self, ref: dict[str, Any], tmp_path: Path) -> None:
        operator = fetch(ref, f"{tmp_path}/out/", quality=TOO_MUCH)
        context = context_for(operator)
        with pytest.raises(
            AirflowFailException, match="min_characters is [0-9]+, below 10000.*accepted and billed"
        ):
            execute(operator, context)
        manifest = context["ti"].xcoms["return_value"]
        assert files_in(tmp_path / "out") == ["page.txt"]
        assert manifest["outcome"] == "low_quality"
        assert [each["gate"] for each in manifest["quality"]["missed"]] == ["min_characters"]

    def test_skip_writes_nothing(self, ref: dict[str, Any], tmp_path: Path) -> None:
        operator = fetch(ref, f"{tmp_path}/out/", quality=TOO_MUCH, on_low_quality="skip")
        context = context_for(operator)
        with pytest.raises(AirflowSkipException, match="was billed. Nothing was written"):
            execute(operator, context)
        assert not (tmp_path / "out").exists()
        assert context["ti"].xcoms["return_value"]["results"] == []

    @pytest.mark.parametrize("policy", ["mark", "review"])
    def test_mark_and_review_succeed(self, ref: dict[str, Any], tmp_path: Path, policy: str) -> None:
        operator = fetch(ref, f"{tmp_path}/out/", quality=TOO_MUCH, on_low_quality=policy)
        context = context_for(operator)
        manifest = execute(operator, context)
        assert manifest["outcome"] == "low_quality"
        assert files_in(tmp_path / "out") == ["page.txt"]
        assert manifest["quality"].get("review", False) == (policy == "review")
        review = context["ti"].xcoms.get(REVIEW_KEY)
        assert (review is not None) == (policy == "review")
        if review:
            assert review["subject"] == "Low quality: page.png"
            assert "min_characters is" in review["body"]
            assert "page.txt" in review["body"]

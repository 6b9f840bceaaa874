"""
Fields of results in the rows of a batch: what is in them, how large they are, and that no document fails because of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
from tests.support.registered_runs import ONE_STEP, Folder

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

INVOICES: dict[str, Any] = {
    "steps": ["RecognizeAndParseInvoice"],
    "register": None,
    "extract": {"total": "invoice.total_amount", "vat": "invoice.vat"},
}


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder.of_three(tmp_path)


def test_each_row_has_the_fields(folder: Folder) -> None:
    run = folder.run("once", **INVOICES)
    assert run.go() == {"succeeded": 3, "submits": 3}
    # Of the canned invoice: an exact amount as text, and -1, which the vendor writes for what is not on the page.
    assert [row.extracted for row in run.rows] == [{"total": "42.0", "vat": None}] * 3
    assert run.rows[0].warnings == []


def test_without_extract_there_are_none(folder: Folder) -> None:
    run = folder.run("once", register=None)
    run.go()
    assert [row.extracted for row in run.rows] == [None] * 3


def test_a_result_that_cannot_be_read_is_stored_and_its_row_says_so(
    folder: Folder, cloud: EmulatorControl
) -> None:
    # The canned text, which is no JSON, under the type of JSON.
    cloud.add_faults({"kind": "result_type", "result_type": "JSON", "probability": 1})
    run = folder.run("once", register=None, extract={"count": "blocks.count", "words": "text"})
    assert run.go() == {"succeeded": 3, "submits": 3}
    for row in run.rows:
        assert row.extracted == {"count": None, "words": None}
        (warning,) = row.warnings
        assert warning.startswith("extract: The result cannot be read as blocks")
        assert len(row.results) == 1


def test_a_long_value_is_cut_and_the_row_says_so(folder: Folder) -> None:
    run = folder.run("once", register=None, extract={"words": "text"}, extract_bytes=10)
    run.go()
    row = run.rows[0]
    assert row.extracted == {"words": "This is "}
    assert row.warnings == ["extract: words was cut to 10 bytes."]


def test_what_is_not_written_has_no_fields(folder: Folder) -> None:
    gates: dict[str, Any] = {"quality": {"min_characters": 10_000}, "on_low_quality": "skip"}
    run = folder.run("once", register=None, extract={"words": "text"}, **gates)
    assert run.go() == {"low_quality": 3, "submits": 3}
    assert [row.extracted for row in run.rows] == [None] * 3


def test_equal_documents_share_their_fields(folder: Folder) -> None:
    folder.drop("4.png", 2)
    run = folder.run("once", extract={"words": "text"})
    assert run.go() == {"succeeded": 3, "duplicate": 1, "submits": 3}
    first, second = (row for row in run.rows if (row.source or "").endswith(("2.png", "4.png")))
    assert first.extracted == second.extracted
    assert first.extracted is not None
    # The register does not have them: a row of a later run says nothing.
    later = folder.run("later", extract={"words": "text"})
    assert later.go() == {"duplicate": 4}
    assert [row.extracted for row in later.rows] == [None] * 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"extract": {"x": "invoice.total"}}, "Known: issue_date"),
        (
            {"extract": {str(n): "text" for n in range(50)}, "extract_bytes": 8_192},
            "50 fields of up to 8192 bytes each",
        ),
    ],
)
def test_what_makes_no_sense_is_an_import_error(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        AsposeOcrBatchOperator(task_id="read", sources="/in/", steps=ONE_STEP, destination="/out/", **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [("fail", "AsposeOcrFetchResultOperator.*billed again.*next task"), ("ask", "must be one of 'none'")],
)
def test_a_field_that_is_absent_may_not_fail_a_document(given: Any, said: str) -> None:
    for make in (AsposeOcrBatchOperator, AsposeOcrBatchOperator.partial):
        with pytest.raises(ValueError, match=said):
            make(task_id="read", sources="/in/", steps=ONE_STEP, destination="/out/", on_absent=given)


def test_what_a_template_has_become_is_checked_before_anything_is_sent(
    folder: Folder, cloud: EmulatorControl
) -> None:
    # Not rendered here: it is no path.
    run = folder.run("once", register=None, extract={"x": "{{ params.path }}"})
    run.fail(AirflowFailException)
    assert cloud.billing() == {}

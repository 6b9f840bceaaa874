"""
Gates of quality in a batch: what becomes of a document that misses one, with and without a register.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
from tests.support.airflow_tasks import PNG
from tests.support.registered_runs import ONE_STEP, Folder

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

#: The emulator's canned text names the checksum of its document: only the first one matches.
GATES = {"must_match": hashlib.sha256(PNG + bytes([1])).hexdigest()[:16]}
TWO_STEPS = ["UpscaleImage", *ONE_STEP]


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder.of_three(tmp_path)


def test_fail_counts_as_a_failure_and_keeps_the_results(folder: Folder) -> None:
    with pytest.raises(AirflowFailException, match="2 had results of low quality.*2 LowQualityError"):
        folder.run("strict", quality=GATES, register=None).go()
    assert folder.texts() == ["1.png.txt", "2.png.txt", "3.png.txt"]


def test_few_failures_may_be_allowed(folder: Folder) -> None:
    run = folder.run("some", quality=GATES, register=None, max_failures=2)
    assert run.go() == {"succeeded": 1, "low_quality": 2, "submits": 3}
    row = run.rows[1]
    assert row.error is not None
    assert (row.error.name, row.error.billed, row.error.retryable) == ("LowQualityError", "yes", False)
    assert row.error.message.startswith(
        "The result is of low quality: must_match: nothing in the text matches"
    )


@pytest.mark.parametrize("policy", ["mark", "review", "skip"])
def test_other_words_do_not_fail(folder: Folder, policy: str) -> None:
    run = folder.run("once", quality=GATES, on_low_quality=policy, register=None)
    assert run.go() == {"succeeded": 1, "low_quality": 2, "submits": 3}
    low = run.rows[1]
    assert low.error is None
    assert low.quality is not None
    assert low.quality["missed"] == [{"gate": "must_match", "value": None, "threshold": GATES["must_match"]}]
    assert low.quality.get("review", False) == (policy == "review")
    assert bool(low.results) == (policy != "skip")
    assert len(folder.texts()) == (1 if policy == "skip" else 3)


def test_the_numbers_are_in_each_row_without_gates_too(folder: Folder) -> None:
    run = folder.run("plain", register=None)
    assert run.go() == {"succeeded": 3, "submits": 3}
    for row in run.rows:
        assert row.quality is not None
        assert row.quality["language_share"] == {"Latin": 1.0}


@pytest.mark.parametrize("has_register", [False, True])
def test_only_those_again_with_other_steps(folder: Folder, has_register: bool) -> None:
    register = {} if has_register else {"register": None}
    first = folder.run("first", quality=GATES, on_low_quality="mark", **register)
    first.go()
    sources = {"manifest": first.summary["manifest"], "outcome": "low_quality"}
    again = folder.run("again", sources=sources, steps=TWO_STEPS, **register)
    assert again.go() == {"succeeded": 2, "submits": 4}
    # With a register, what is done stays true: the new results have names of their own.
    assert len(folder.texts()) == (5 if has_register else 3)


def test_the_register_knows_what_was_read_and_its_source_stays(folder: Folder) -> None:
    given: dict[str, Any] = {"quality": GATES, "on_low_quality": "mark", "on_done": "delete"}
    assert folder.run("first", **given).go() == {"succeeded": 1, "low_quality": 2, "submits": 3}
    assert folder.words() == ["1.claim", "1.claim", "1.claim", "1.done", "1.done", "1.done"]
    assert sorted(path.name for path in folder.inbox.iterdir()) == ["2.png", "3.png"]
    # With the same steps the cloud would read the same: no second bill, and no success without the gate.
    second = folder.run("second", **given)
    assert second.go() == {"low_quality": 2}
    assert all(row.quality and row.quality["missed"] and row.results for row in second.rows)
    assert sorted(path.name for path in folder.inbox.iterdir()) == ["2.png", "3.png"]


def test_what_was_skipped_is_no_duplicate_and_its_source_stays(folder: Folder) -> None:
    given: dict[str, Any] = {"quality": GATES, "on_low_quality": "skip", "on_done": "delete"}
    assert folder.run("first", **given).go() == {"succeeded": 1, "low_quality": 2, "submits": 3}
    folder.drop("4.png", 2)
    assert folder.run("second", **given).go() == {"low_quality": 3}
    assert sorted(path.name for path in folder.inbox.iterdir()) == ["2.png", "3.png", "4.png"]


def test_the_next_run_fails_again_where_it_is_to_fail(folder: Folder) -> None:
    folder.run("first", quality=GATES, on_low_quality="mark").go()
    with pytest.raises(AirflowFailException, match="2 had results of low quality.*2 LowQualityError"):
        folder.run("second", quality=GATES).go()


def test_without_gates_it_is_a_duplicate_whose_source_stays(folder: Folder) -> None:
    folder.run("first", quality=GATES, on_low_quality="mark").go()
    assert folder.run("second", on_done="delete").go() == {"duplicate": 3}
    # Only what has passed is done with.
    assert sorted(path.name for path in folder.inbox.iterdir()) == ["2.png", "3.png"]


def test_a_plan_does_not_name_the_file_again(folder: Folder) -> None:
    first = folder.run("first", quality=GATES, on_low_quality="mark")
    first.go()
    folder.drop("4.png", 2)  # found by its content
    second = folder.run("second", quality=GATES, on_low_quality="mark")
    assert second.go() == {"duplicate": 1, "low_quality": 3}
    for row in (*first.rows, *second.rows):
        # With the same steps a later run would read the same; it would never come to newer files.
        assert row.settled


def test_equal_documents_share_a_low_quality(folder: Folder) -> None:
    folder.drop("4.png", 2)
    run = folder.run("first", quality=GATES, on_low_quality="mark")
    assert run.go() == {"succeeded": 1, "low_quality": 3, "submits": 3}
    assert all(row.quality and row.quality["missed"] for row in run.rows if row.outcome == "low_quality")


def test_a_gate_that_makes_no_sense_is_an_import_error() -> None:
    with pytest.raises(InputError, match="Did you mean 'must_match'"):
        AsposeOcrBatchOperator(
            task_id="read", sources="/in/", steps=ONE_STEP, destination="/out/", quality={"must_matc": "x"}
        )
    with pytest.raises(ValueError, match="^on_low_quality must be"):
        AsposeOcrBatchOperator(
            task_id="read",
            sources="/in/",
            steps=ONE_STEP,
            destination="/out/",
            on_low_quality="ask",  # type: ignore[arg-type]  # what a user may write
        )

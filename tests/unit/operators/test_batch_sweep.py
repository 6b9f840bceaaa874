"""Which journals of earlier batches may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.opening import BEGUN_AT
from airflow_provider_asposeocr.batch.parts import batch_key, journal_folder_name
from airflow_provider_asposeocr.operators.batch_sweep import is_over, sweep_journals
from tests.support.airflow_tasks import TaskInstance

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("state", "age_seconds", "over"),
    [
        ("success", 60, True),
        # The teardown may still cancel what runs.
        ("failed", 60, False),
        ("failed", 3 * DAY, True),
        ("running", 30 * DAY, False),
        ("deferred", 30 * DAY, False),
        ("up_for_retry", 30 * DAY, False),
        (None, 30 * DAY, False),
    ],
)
def test_a_batch_is_over_where_nothing_needs_its_journal(
    state: str | None, age_seconds: float, over: bool
) -> None:
    assert is_over(state, NOW - age_seconds, NOW) == over


def test_a_failed_one_of_unknown_age_stays() -> None:
    assert not is_over("failed", None, NOW)


def begin(state: Path, task_id: str, installation: str = "") -> Path:
    names = {"dag_id": "the_dag", "run_id": "the_run", "task_id": task_id, "map_index": -1}
    key = batch_key(installation, "the_dag", "the_run", task_id, -1)
    folder = state / journal_folder_name(key, 0)
    Journal.create(ObjectStoragePath(f"file://{folder}"), {**names, "key": key, BEGUN_AT: NOW})
    return folder


def test_airflow_is_asked_about_each_but_the_own(tmp_path: Path) -> None:
    ended, own = begin(tmp_path, "ended"), begin(tmp_path, "own")
    ti = TaskInstance("own")
    ti.origin_state, ti.state = "success", "success"
    sweep_journals(f"{tmp_path}/", ti)
    assert (ended.exists(), own.exists()) == (False, True)


def test_the_journal_of_another_installation_stays(tmp_path: Path) -> None:
    """The other installation's task of the same name may still run, although the one here has ended."""
    theirs = begin(tmp_path, "ended", "staging")
    ti = TaskInstance("own")
    ti.origin_state, ti.state = "success", "success"
    sweep_journals(f"{tmp_path}/", ti)
    assert theirs.exists()


def test_where_airflow_does_not_answer_all_stay(tmp_path: Path) -> None:
    folder = begin(tmp_path, "ended")

    class Silent(TaskInstance):
        def get_task_states(self, **_: object) -> dict[str, object]:
            raise ConnectionError("no answer")

    sweep_journals(f"{tmp_path}/", Silent("own"))
    assert folder.exists()

"""
Work lists stay as long as a batch may need them, and are removed after that.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.ingestion import plan_folders
from airflow_provider_asposeocr.ingestion.plan_folders import (
    UNKNOWN_RUN,
    PlannedRun,
    SweptPlans,
    decide_fate,
    sweep_plans,
    write_plan,
)
from airflow_provider_asposeocr.ingestion.work_list import WorkFile, WorkList, read_work_list

HOUR, DAY = 3600.0, 24 * 3600.0
NOW = 1_800_000_000.0
RUN = PlannedRun("", "the_dag", "run 1/á", "plan", 1, NOW)
WORK = WorkList("/r/", "/in/", "p", (WorkFile("/in/a.png", "v", 1),))


@pytest.mark.parametrize(
    ("state", "age"),
    [*product(("success", "failed", "running", "queued", UNKNOWN_RUN, None), (HOUR, 2 * DAY, 8 * DAY))],
)
def test_a_work_list_goes_when_no_batch_needs_it(state: str | None, age: float) -> None:
    fate = decide_fate(RUN, "", state, NOW + age)
    is_over = state == "success" or (state in ("failed", UNKNOWN_RUN) and age == 8 * DAY)
    foreign = state == UNKNOWN_RUN and age == HOUR
    assert fate == ("remove" if is_over else "foreign" if foreign else "keep")
    assert decide_fate(RUN, "other", state, NOW + age) == "foreign"


def test_each_try_has_a_folder_of_its_own_with_a_name_for_every_storage() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"installation": "b"},
        {"dag_id": "b"},
        {"run_id": "run 1/ä"},
        {"task_id": "b"},
        {"try_number": 2},
        {"map_index": 0},
        {"map_index": 1},
    ]
    folders = [replace(RUN, **change).folder for change in changes]
    assert len(set(folders)) == len(folders)
    assert all(folder.isascii() and "/" not in folder for folder in folders)
    assert len(replace(RUN, run_id="x" * 500, dag_id="y" * 500).folder) < 255


class TestAFolder:
    def test_has_the_lists_in_order(self, tmp_path: Path) -> None:
        uris = write_plan(f"{tmp_path}/", RUN, [WORK, replace(WORK, pipeline="q")])
        assert [Path(uri).name for uri in uris] == ["0001.jsonl", "0002.jsonl"]
        assert [read_work_list(uri).pipeline for uri in uris] == ["p", "q"]
        assert uris[0].startswith(f"{tmp_path}/plans/the_dag-run_1__-plan-")

    def test_goes_with_its_run(self, tmp_path: Path) -> None:
        kept = [replace(RUN, run_id=state) for state in ("running", "failed")]
        for run in (*kept, replace(RUN, run_id="success")):
            write_plan(f"{tmp_path}/", run, [WORK])
        swept = sweep_plans(f"{tmp_path}/", replace(RUN, run_id="now"), lambda dag_id, run_id: run_id)
        assert swept == SweptPlans(removed=1)
        assert sorted(path.name for path in (tmp_path / "plans").iterdir()) == sorted(
            run.folder for run in kept
        )

    def test_of_the_own_run_stays(self, tmp_path: Path) -> None:
        write_plan(f"{tmp_path}/", replace(RUN, try_number=0), [WORK])
        assert sweep_plans(f"{tmp_path}/", RUN, lambda dag_id, run_id: "success") == SweptPlans()

    def test_of_another_installation_stays_and_is_told(self, tmp_path: Path) -> None:
        other, unknown = replace(RUN, installation="b"), replace(RUN, run_id="never heard of")
        for run in (other, unknown):
            write_plan(f"{tmp_path}/", run, [WORK])
        asked: list[str] = []

        def state_of(dag_id: str, run_id: str) -> str:
            asked.append(run_id)
            return UNKNOWN_RUN

        swept = sweep_plans(f"{tmp_path}/", replace(RUN, run_id="now"), state_of)
        assert (swept.removed, set(swept.foreign)) == (0, {other, unknown})
        assert asked == ["never heard of"]

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"dag_id": 5}', None])
    def test_that_names_no_run_stays(self, tmp_path: Path, content: str | None) -> None:
        write_plan(f"{tmp_path}/", RUN, [WORK])
        named = tmp_path / "plans" / RUN.folder / "run.json"
        named.unlink() if content is None else named.write_text(content)
        assert sweep_plans(f"{tmp_path}/", replace(RUN, run_id="now"), lambda *_: "success") == SweptPlans()

    def test_that_was_removed_by_half_is_swept_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        write_plan(f"{tmp_path}/", RUN, [WORK, WORK])
        now, opened = replace(RUN, run_id="now"), object_path

        def fails(uri: str) -> Any:
            if uri.endswith("0002.jsonl"):
                raise OSError("Connection reset")
            return opened(uri)

        monkeypatch.setattr(plan_folders, "object_path", fails)
        with caplog.at_level(logging.WARNING):
            assert sweep_plans(f"{tmp_path}/", now, lambda *_: "success").removed == 0
        assert "were not checked: Connection reset" in caplog.text
        monkeypatch.undo()
        assert sweep_plans(f"{tmp_path}/", now, lambda *_: "success").removed == 1
        assert list((tmp_path / "plans").iterdir()) == []

    def test_says_which_run_it_belongs_to(self, tmp_path: Path) -> None:
        write_plan(f"{tmp_path}/", RUN, [])
        stored = json.loads((tmp_path / "plans" / RUN.folder / "run.json").read_text())
        assert PlannedRun(**stored) == RUN


def test_a_register_without_plans_is_swept(tmp_path: Path) -> None:
    assert sweep_plans(f"{tmp_path}/", RUN, lambda *_: None) == SweptPlans()

"""
The plan operator, as Airflow's task runner runs it.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.compat import AirflowFailException, AirflowSkipException
from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.ingestion.errors import RegisterUnreachableError
from airflow_provider_asposeocr.ingestion.work_list import read_work_list
from airflow_provider_asposeocr.operators import AsposeOcrPlanInboxOperator
from airflow_provider_asposeocr.operators.plan_inbox import PLAN_KEY
from tests.support.airflow_tasks import context_for, execute
from tests.support.object_stores import Store, attached
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.metric_sink import Sink


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def drop(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "in" / name).write_text(name)


def planner(folder: Path, **given: Any) -> AsposeOcrPlanInboxOperator:
    fields = {
        "task_id": "plan",
        "inbox": AsposeOcrInbox(f"{folder}/in/", quiet_seconds=0),
        "destination": f"{folder}/out/",
        **given,
    }
    return AsposeOcrPlanInboxOperator(**fields)


class Runs:
    """Airflow runs that plan one after the other."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.counts: dict[str, Any] = {}

    def run(
        self, operator: AsposeOcrPlanInboxOperator, run_id: str = "the_run", map_index: int = -1
    ) -> list[str]:
        context = context_for(operator, map_index)
        ti: Any = context["ti"]
        ti.run_id = run_id
        ti.get_dr_count = lambda dag_id, run_ids: sum(run in self.states for run in run_ids)
        ti.get_dagrun_state = lambda dag_id, run_id: self.states[run_id]
        try:
            found: list[str] = execute(operator, context)
        finally:
            self.counts = ti.xcoms.get(PLAN_KEY, {})
        return found


def settle(folder: Path, uris: list[str], *outcomes: str) -> None:
    """Write the manifest that a batch writes."""
    for uri in uris:
        work = read_work_list(uri)
        path = folder / "out" / ".aspose-ocr" / "manifests" / "2026" / f"{uri.replace('/', '_')[-40:]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "pipeline": work.pipeline,
                "source": file.uri,
                "source_version": file.version,
                "outcome": outcome,
                "final": outcome == "failed",
            }
            for file, outcome in zip(work.files, outcomes or ["succeeded"] * len(work.files), strict=False)
        ]
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def planned(uris: list[str]) -> list[str]:
    return [file.uri.rpartition("/")[2] for uri in uris for file in read_work_list(uri).files]


class TestAPlan:
    def test_divides_new_files_among_batches_and_skips_what_was_read(self, folder: Path) -> None:
        drop(folder, "a.png", "b.png", "c.pdf", "notes.txt")
        runs = Runs()
        uris = runs.run(planner(folder, batch_documents=2))
        assert len(uris) == 2
        assert sorted(planned(uris)) == ["a.png", "b.png", "c.pdf"]
        work = read_work_list(uris[0])
        assert (work.register, work.base) == (f"{folder}/out/.aspose-ocr/", f"{folder}/in/")
        assert work.pipeline == f"file://{folder}/out/"
        assert runs.counts == {
            "listed": 3,
            "new": 3,
            "planned": 3,
            "left": 0,
            "growing": 0,
            "refused": 0,
            "failed": 0,
            "bytes": 15,
            "batches": 2,
            "dry_run": False,
        }
        settle(folder, uris)
        drop(folder, "d.png")
        assert planned(runs.run(planner(folder), "second")) == ["d.png"]

    def test_of_nothing_new_is_a_skip_that_writes_nothing(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(AirflowSkipException, match="nothing new"):
            Runs().run(planner(folder))
        assert list(folder.iterdir()) == [folder / "in"]
        drop(folder, "a.png")
        settle(folder, Runs().run(planner(folder)))
        runs = Runs()
        with pytest.raises(AirflowSkipException):
            runs.run(planner(folder), "second")
        assert (runs.counts["listed"], runs.counts["new"]) == (1, 0)
        assert "0 of 1 documents are new" in capsys.readouterr().out

    def test_of_a_pattern_that_matches_no_file_says_so(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A skip alone would look like an empty inbox."""
        drop(folder, "a.png", "b.pdf")
        inbox = AsposeOcrInbox(f"{folder}/in/", pattern="*.pfd", quiet_seconds=0)
        with pytest.raises(AirflowSkipException):
            Runs().run(planner(folder, inbox=inbox))
        assert "The inbox has 2 files, and by its pattern '*.pfd' none of them is a document" in (
            capsys.readouterr().out
        )
        settle(folder, Runs().run(planner(folder, inbox=AsposeOcrInbox(f"{folder}/in/", quiet_seconds=0))))
        with pytest.raises(AirflowSkipException):
            Runs().run(planner(folder), "second")
        assert "by its pattern" not in capsys.readouterr().out

    def test_says_how_many_the_budget_leaves(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        drop(folder, *(f"{number}.png" for number in range(7)))
        runs = Runs()
        uris = runs.run(planner(folder, max_documents=5, batch_documents=2))
        assert [len(read_work_list(uri).files) for uri in uris] == [2, 2, 1]
        assert (runs.counts["planned"], runs.counts["left"]) == (5, 2)
        assert "2 are left to later runs" in capsys.readouterr().out

    def test_takes_no_more_than_airflow_can_map(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
        drop(folder, *(f"{number}.png" for number in range(7)))
        runs = Runs()
        assert len(runs.run(planner(folder, batch_documents=3))) == 2
        assert runs.counts["left"] == 1

    def test_that_is_mapped_has_work_lists_of_its_own(self, folder: Path) -> None:
        """Two inboxes of one run would write the same file, and the batches of one would read the files of the other."""
        (folder / "in" / "2").mkdir()
        drop(folder, "a.png", "2/b.png")
        inboxes = [
            AsposeOcrInbox(f"{folder}/in/", recursive=False, quiet_seconds=0),
            AsposeOcrInbox(f"{folder}/in/2/", quiet_seconds=0),
        ]
        found = [Runs().run(planner(folder, inbox=inbox), "run", at) for at, inbox in enumerate(inboxes)]
        assert [planned(uris) for uris in found] == [["a.png"], ["b.png"]]

    def test_reads_again_what_the_user_wants(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        drop(folder, "a.png", "b.png")
        uris = Runs().run(planner(folder))
        settle(folder, uris, "failed", "succeeded")
        runs = Runs()
        with pytest.raises(AirflowSkipException):
            runs.run(planner(folder), "2")
        assert runs.counts["failed"] == 1
        assert "1 documents are left out because they have failed permanently" in capsys.readouterr().out
        failed, good = planned(uris)
        assert planned(Runs().run(planner(folder, include_failed=True), "3")) == [failed]
        assert planned(Runs().run(planner(folder, include_failed="True"), "4")) == [failed]
        assert sorted(planned(Runs().run(planner(folder, reprocess=True), "5"))) == sorted([failed, good])

    def test_of_another_pipeline_reads_all(self, folder: Path) -> None:
        drop(folder, "a.png")
        settle(folder, Runs().run(planner(folder)))
        assert planned(Runs().run(planner(folder, pipeline="with deskew"), "2")) == ["a.png"]

    def test_that_is_dry_writes_nothing(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        drop(folder, "a.png")
        runs = Runs()
        with pytest.raises(AirflowSkipException, match="dry run"):
            runs.run(planner(folder, dry_run=True))
        assert not (folder / "out").exists()
        log = capsys.readouterr().out
        assert "Would read" in log
        assert "may cost 1 cloud tasks per step" in log
        assert (runs.counts["planned"], runs.counts["batches"], runs.counts["dry_run"]) == (1, 0, True)

    def test_renders_its_folders(self, folder: Path) -> None:
        (folder / "in" / "2026").mkdir()
        drop(folder, "2026/a.png", "b.png")
        operator = planner(
            folder,
            inbox=AsposeOcrInbox(f"{folder}/in/{{{{ day }}}}/", quiet_seconds=0),
            destination=f"{folder}/out/{{{{ day }}}}/",
        )
        operator.render_template_fields({"day": "2026"})  # type: ignore[typeddict-unknown-key]  # all it needs
        uris = Runs().run(operator)
        assert planned(uris) == ["a.png"]
        assert uris[0].startswith(f"{folder}/out/2026/.aspose-ocr/plans/")

    def test_that_renders_into_a_loop_fails(self, folder: Path) -> None:
        operator = planner(folder, destination="{{ out }}")
        operator.render_template_fields({"out": f"{folder}/in/out/"})  # type: ignore[typeddict-unknown-key]  # all it needs
        with pytest.raises(AirflowFailException, match="lies in the inbox"):
            Runs().run(operator)


class TestEarlierRuns:
    def test_that_are_over_lose_their_work_lists(self, folder: Path) -> None:
        runs = Runs()
        for number, state in enumerate(("success", "running")):
            drop(folder, f"{number}.png")
            settle(folder, runs.run(planner(folder), state))
            runs.states[state] = state
        drop(folder, "new.png")
        runs.run(planner(folder), "now")
        left = sorted(path.name.split("-")[1] for path in (folder / "out/.aspose-ocr/plans").iterdir())
        assert left == ["now", "running"]

    def test_that_this_airflow_does_not_have_are_a_warning(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drop(folder, "a.png")
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__INSTALLATION", "the other")
        Runs().run(planner(folder), "theirs")
        monkeypatch.delenv("AIRFLOW__ASPOSE_OCR__INSTALLATION")
        Runs().run(planner(folder), "ours")
        log = capsys.readouterr().out
        assert "the run theirs of the_dag in the installation 'the other'" in log
        assert "[aspose_ocr] installation" in log

    def test_may_not_be_known_because_airflow_does_not_answer(self, folder: Path) -> None:
        drop(folder, "a.png")
        Runs().run(planner(folder), "first")
        operator = planner(folder)
        assert len(execute(operator, context_for(operator))) == 1  # this task instance cannot be asked
        assert len(list((folder / "out/.aspose-ocr/plans").iterdir())) == 2


class TestParsing:
    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            ({"inbox": "/in/"}, InputError, "inbox is an AsposeOcrInbox, not '/in/'"),
            ({"destination": "/out"}, InputError, "end it with a slash"),
            ({"destination": "out/"}, InputError, "relative"),
            ({"max_documents": 0}, ValueError, "max_documents must be a whole number, 1 or more"),
            (
                {"batch_documents": 10_001},
                ValueError,
                "batch_documents must be a whole number, from 1 to 10000",
            ),
            ({"reprocess": "maybe"}, ValueError, "reprocess must be True or False, not 'maybe'"),
            ({"dry_run": 1}, ValueError, "dry_run must be True or False, not 1"),
        ],
    )
    def test_finds_what_makes_no_sense(
        self, folder: Path, given: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            planner(folder, **given)

    @pytest.mark.parametrize("name", ["destination", "register"])
    def test_finds_a_loop(self, folder: Path, name: str) -> None:
        with pytest.raises(InputError, match=f"The {name} .* lies in the inbox"):
            planner(folder, **{name: f"{folder}/in/out/"})
        planner(folder, **{name: f"{folder}/in/_out/"})

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"destination": "s3://out/{{ ds }}/"}, "The register is another one in each run"),
            ({"register": "s3://out/{{ dag_run.run_id }}/"}, "The register is another one in each run"),
            (
                {"destination": "s3://out/{{ ds_nodash }}/", "register": "s3://reg/"},
                "The pipeline is another one in each run",
            ),
        ],
    )
    def test_finds_a_register_that_each_run_would_begin_anew(
        self, folder: Path, given: dict[str, Any], message: str
    ) -> None:
        """All files of the inbox would be billed once in each run."""
        with pytest.raises(InputError, match=message):
            planner(folder, **given)
        # With an inbox of each run's own, nothing is read twice.
        planner(folder, **given, inbox=AsposeOcrInbox("s3://in/{{ ds }}/"))

    @pytest.mark.parametrize(
        "given",
        [
            {"destination": "s3://out/{{ ds }}/", "register": "s3://reg/", "pipeline": "texts"},
            {"destination": "s3://{{ var.value.out }}/ds/"},
            {"destination": "s3://{{ params.ds }}/"},
        ],
    )
    def test_allows_templates_that_are_the_same_in_each_run(
        self, folder: Path, given: dict[str, Any]
    ) -> None:
        planner(folder, **given)

    def test_lets_a_batch_expand_its_output(self, folder: Path) -> None:
        from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

        with DAG("ocr_inbox"):
            plan = planner(folder)
            AsposeOcrBatchOperator.partial(
                task_id="read", steps=["RecognizePdf"], destination=f"{folder}/out/"
            ).expand(sources=plan.output)


class TestTheRegister:
    def test_that_may_not_be_written_is_an_error_before_anything_is_sent(self, folder: Path) -> None:
        class ReadOnly(Store):
            def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
                raise PermissionError("Access Denied")

        attached("memory", "plan", kind=ReadOnly)
        drop(folder, "a.png")
        with pytest.raises(AirflowFailException, match=r"register 'memory://plan@reg/' cannot be written"):
            Runs().run(planner(folder, register="memory://plan@reg/"))

    def test_that_does_not_answer_is_retried(self, folder: Path) -> None:
        class Broken(Store):
            def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
                raise OSError("Connection reset")

        attached("memory", "plan", kind=Broken)
        drop(folder, "a.png")
        with pytest.raises(RegisterUnreachableError, match=r"cannot be read: OSError: Connection reset"):
            Runs().run(planner(folder, register="memory://plan@reg/"))


def test_the_age_of_the_oldest_file_that_was_not_read_is_a_metric(folder: Path, sink: Sink) -> None:
    drop(folder, "a.png")
    moment = os.stat(folder / "in" / "a.png").st_ctime
    drop(folder, "b.png")
    execute(planner(folder, max_documents=1))
    assert 0 <= time.time() - moment - sink.gauges["oldest_unsettled_seconds"] < PATIENCE_SECONDS
    assert sink.gauges["oldest_unsettled_seconds"] > 0
    for name in ("a.png", "b.png"):
        (folder / "in" / name).unlink()
    with pytest.raises(AirflowSkipException):
        execute(planner(folder))
    assert sink.gauges == {"oldest_unsettled_seconds": 0.0}

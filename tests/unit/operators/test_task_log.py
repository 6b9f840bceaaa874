"""The first and the last line in the log of a task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.errors import BatchFailedError
from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.compat import AirflowFailException
from tests.support.airflow_tasks import PNG, context_for, deferral, events_of, execute, resume
from tests.support.ocr_tasks import fetch, read_all, recognize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

PAGE = "Page of the result: https://flows.example/x/aspose-ocr/view/the_dag/the_run"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return what an operator itself has logged since the last call, without time and level."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://flows.example/x/")

    def read() -> list[str]:
        said = [line for line in capsys.readouterr().out.splitlines() if ".operators." in line]
        return [
            re.sub(r"^\S+ \[\w+\s*\] ", "", line)
            for line in said
            if "Crash recovery" not in line and "outside of the Task" not in line
        ]

    return read


def test_of_a_submit_and_of_a_fetch(
    cloud: EmulatorControl, page: str, out: Path, lines: Callable[[], list[str]]
) -> None:
    ref = execute(recognize(page, deferrable=False))
    first, *_, last = lines()
    assert first.startswith(f"RecognizeImage is to read {page}, with the connection ocr. {PAGE}/recognize/-1")
    assert re.match(
        rf"RecognizeImage {ref['id']} of {page} \(28 bytes sent\) was completed \d+ s after its submit. {PAGE}/recognize/-1",
        last,
    )
    operator = fetch(ref, f"{out}/")
    execute(operator, context_for(operator, map_index=4))
    first, *_, last = lines()
    assert first.startswith(
        f"The results of RecognizeImage {ref['id']} (page.png) go to {out}/. {PAGE}/fetch/4"
    )
    assert re.match(
        rf"Stored 1 files \(\d+ bytes\) of {page} to {out}/, \d+ s after the submit. {PAGE}/fetch/4", last
    )


async def test_of_a_submit_that_was_deferred(
    cloud: EmulatorControl, page: str, lines: Callable[[], list[str]], close_clients: None
) -> None:
    (event,) = await events_of(deferral(recognize(page, deferrable=True, inline_wait_seconds=0)).trigger)
    lines()
    resume(recognize(page, deferrable=True), event)
    assert re.search(r"was completed \d+ s after its submit. Page of the result", lines()[-1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"wait_for_completion": False}, "was submitted, and is not waited for here. Page of"),
        ({"deferrable": False}, "was completed"),
    ],
)
def test_of_a_submit_that_reads_a_result(
    cloud: EmulatorControl, page: str, lines: Callable[[], list[str]], given: dict[str, Any], said: str
) -> None:
    from airflow_provider_asposeocr.operators import AsposeOcrUpscaleImageOperator

    upstream = execute(recognize(page, AsposeOcrUpscaleImageOperator, deferrable=False))
    lines()
    execute(recognize(upstream, **given))
    first, *_, last = lines()
    assert first.startswith(
        f"RecognizeImage is to read the result of UpscaleImage {upstream['id']} (page.png)"
    )
    assert said in last


def test_of_a_fetch_that_leaves_files(
    cloud: EmulatorControl, page: str, out: Path, lines: Callable[[], list[str]]
) -> None:
    ref = execute(recognize(page, deferrable=False))
    execute(fetch(ref, f"{out}/"))
    execute(fetch(ref, f"{out}/", if_exists="skip"))
    assert "Stored 0 files (0 bytes), and left 1 as they were of" in lines()[-1]


def test_a_name_cannot_forge_a_line(
    cloud: EmulatorControl, page: str, out: Path, lines: Callable[[], list[str]]
) -> None:
    ref = {**execute(recognize(page, deferrable=False)), "source_uri": "/a\n2026 [info] All is well.png"}
    lines()
    execute(fetch(ref, f"{out}/"))
    assert not [line for line in lines() if line.startswith("2026")]


class TestOfABatch:
    """Its first line comes from the event loop, through Python's logging; its last one from the operator."""

    PAGE = "Page of the results: https://flows.example/x/aspose-ocr/view/the_dag/the_run/read/-1"

    @pytest.fixture
    def inbox(self, tmp_path: Path) -> Path:
        (folder := tmp_path / "inbox").mkdir()
        for number in range(3):
            (folder / f"{number}.png").write_bytes(PNG + bytes([number]))
        return folder

    @pytest.fixture
    def begun(self, lines: Callable[[], list[str]], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
        """Return the first line of a batch; warnings about its documents may come before it."""
        caplog.set_level("INFO")
        return lambda: next(
            record.getMessage() for record in caplog.records if record.name.endswith(".operators.batch_try")
        )

    def test_that_succeeds(
        self,
        cloud: EmulatorControl,
        inbox: Path,
        out: Path,
        lines: Callable[[], list[str]],
        begun: Callable[[], str],
    ) -> None:
        summary = execute(read_all(f"{inbox}/", out))
        manifest = summary["manifest"]
        assert begun().startswith(
            f"Beginning a batch of 3 documents in {inbox}/ (87 bytes), with the connection ocr: RecognizeImage. "
            f"Results go to {out}/; manifest {manifest}; journal "
        )
        assert begun().endswith(self.PAGE)
        written = sum(row.results[0].bytes for row in read_manifest(manifest))
        assert re.match(
            r"The batch has ended after \d+ s: of 3 documents, 3 succeeded; 3 cloud tasks were submitted, "
            rf"3 files \({written} bytes\) are in {out}/\. All rows: {manifest}\. {self.PAGE}",
            lines()[-1],
        )

    def test_that_fails(
        self, cloud: EmulatorControl, inbox: Path, out: Path, lines: Callable[[], list[str]]
    ) -> None:
        """Whoever looks for what went wrong needs counts, manifest and page most: they come with the error."""
        cloud.add_faults({"kind": "task_error", "messages": ["The page is upside down"], "count": 1})
        with pytest.raises((BatchFailedError, AirflowFailException)):
            execute(read_all(f"{inbox}/", out))
        (manifest,) = out.rglob("manifests/**/*.jsonl")
        *_, ended, error = lines()
        assert "of 3 documents, 2 succeeded, 1 failed; 3 cloud tasks were submitted, 2 files" in ended
        assert f"All rows: {manifest}. {self.PAGE}" in ended
        assert error.startswith("Of 3 documents, 1 failed; max_failures allows 0 to fail.")

    def test_of_a_list_names_the_first_document(
        self, cloud: EmulatorControl, inbox: Path, out: Path, begun: Callable[[], str]
    ) -> None:
        files = sorted(str(path) for path in inbox.iterdir())
        (other := inbox.parent / "other").mkdir()
        (last := other / "9.png").write_bytes(PNG)
        execute(read_all([*files, str(last)], out, names="stem"))
        assert f"a batch of 4 documents ({files[0]} and 3 more), with the connection" in begun()

    def test_of_the_failed_ones_of_an_earlier_batch_names_its_manifest(
        self,
        cloud: EmulatorControl,
        inbox: Path,
        out: Path,
        begun: Callable[[], str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        cloud.add_faults({"kind": "task_error", "messages": ["The page is upside down"], "count": 1})
        first = execute(read_all(f"{inbox}/", out, max_failures=1))["manifest"]
        caplog.clear()
        again = read_all({"manifest": first, "outcome": "failed"}, out)
        execute(again, context_for(again, map_index=1))
        assert f"Beginning a batch of 1 documents of the manifest {first}" in begun()

"""The first and the last line in the log of a task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow_tasks import context_for, deferral, events_of, execute, resume
from tests.support.ocr_tasks import fetch, recognize

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

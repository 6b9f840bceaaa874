"""What the log says of a batch while it runs."""

from __future__ import annotations

import json

from airflow_provider_asposeocr.batch.ending import Progress
from airflow_provider_asposeocr.batch.progress import ProgressLog, shown_progress

NOW = 1_800_000_000.0


def progress(done: int, failed: int = 0, running: int = 20) -> Progress:
    return Progress(
        documents=1000,
        done=done,
        failed=failed,
        under_way=30,
        running=running,
        submits=done * 3,
        stopped=None,
    )


def test_it_is_mentioned_at_growing_intervals() -> None:
    log = ProgressLog(NOW)
    said = [second for second in range(3600) if log.line(progress(second // 10), NOW + second)]
    assert said[:4] == [15, 30, 60, 120]
    gaps = [after - before for before, after in zip(said, said[1:], strict=False)]
    assert max(gaps) == 300


def test_it_says_how_many_are_done_how_fast_and_how_long_it_takes() -> None:
    log = ProgressLog(NOW)
    log.line(progress(0), NOW)
    text = log.text(progress(118, 2), NOW + 240)
    assert text == (
        "118 of 1000 documents done, 2 failed, 20 running in the cloud; 30 a minute, about 29 min to go"
    )


def test_what_earlier_tries_have_done_is_no_speed() -> None:
    log = ProgressLog(NOW)
    log.line(progress(900), NOW)
    assert "30 a minute, about 2 min" in log.text(progress(930, 0), NOW + 60)


def test_without_any_speed_nothing_is_foretold() -> None:
    log = ProgressLog(NOW)
    log.line(progress(0), NOW)
    assert log.text(progress(0), NOW + 60).endswith("20 running in the cloud")


def test_the_ui_shows_plain_numbers() -> None:
    assert json.loads(json.dumps(shown_progress(progress(3)))) == {
        "documents": 1000,
        "done": 3,
        "failed": 0,
        "running": 20,
        "submits": 9,
    }

from __future__ import annotations

import random
import re
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.emulator.clock import Clock
from airflow_provider_asposeocr.emulator.cloud.durations import Duration, parse_duration
from airflow_provider_asposeocr.emulator.cloud.tasks import Fate, Task, new_task_id, status_of
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.printable import printable
from airflow_provider_asposeocr.emulator.work.jobs import JobOutcome


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", Duration("fixed", 0)),
        (" 2.5 ", Duration("fixed", 2.5)),
        ("uniform:1,3", Duration("uniform", 1, 3)),
        ("exponential:4", Duration("exponential", 4)),
        ("lognormal:4,0.5", Duration("lognormal", 4, 0.5)),
    ],
)
def test_durations_are_read(text: str, expected: Duration) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-1",
        "nan",
        "inf",
        "1,2",
        "uniform:1",
        "uniform:3,1",
        "gamma:1,2",
        "lognormal:1",
        "uniform:",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration is|lower end"):
        parse_duration(text)


@given(
    text=st.sampled_from(
        ["3", "uniform:1,3", "exponential:4", "exponential:0", "lognormal:4,1", "lognormal:0,1"]
    ),
    seed=st.integers(),
)
def test_durations_repeat_with_their_seed_and_are_not_negative(text: str, seed: int) -> None:
    duration = parse_duration(text)
    first, second = (
        [duration.sample(g) for _ in range(5)] for g in (random.Random(seed), random.Random(seed))
    )

    assert first == second
    assert min(first) >= 0


@pytest.mark.parametrize(
    ("text", "mean"), [("3", 3), ("uniform:1,3", 2), ("exponential:4", 4), ("lognormal:4,0.5", 4)]
)
def test_durations_have_the_mean_they_are_given(text: str, mean: float) -> None:
    generator = random.Random(1)
    duration = parse_duration(text)

    assert statistics.fmean(duration.sample(generator) for _ in range(5000)) == pytest.approx(mean, rel=0.05)


def test_the_clock_is_real_time_plus_what_was_added() -> None:
    wall = [1000.0]
    clock = Clock(lambda: wall[0])
    clock.advance(50)
    clock.advance(0.5)
    wall[0] += 1

    assert (clock.now(), clock.advanced_seconds) == (1051.5, 50.5)
    clock.reset()
    assert clock.now() == 1001


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_the_clock_only_moves_forward(seconds: float) -> None:
    with pytest.raises(ValueError, match="forward"):
        Clock().advance(seconds)


@given(st.text())
def test_messages_have_no_control_characters(text: str) -> None:
    shown = printable(text)

    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]", shown)


def test_plain_messages_are_left_alone_and_long_ones_cut() -> None:
    assert printable("Zażółć 漢字 'x'") == "Zażółć 漢字 'x'"
    assert printable("x" * 1000) == "x" * 500 + "..."


@pytest.mark.parametrize("operation", ["RecognizeImage", "ConvertTextToSpeech", "ConvertTextToSpeechTrial"])
def test_task_ids_do_not_repeat(operation: str) -> None:
    ids = {new_task_id(operation) for _ in range(100)}

    assert len(ids) == 100
    assert {task_id.startswith("TTS") for task_id in ids} == {"Speech" in operation}


TABLE: list[tuple[dict[str, object], float, TaskStatus]] = [
    ({}, 0, TaskStatus.PENDING),
    ({}, 86_399, TaskStatus.PENDING),
    ({}, 86_400, TaskStatus.NOT_EXIST),
    ({"started_at": 1.0}, 5, TaskStatus.PROCESSING),
    ({"started_at": 1.0, "worked_at": 2.0}, 2, TaskStatus.PROCESSING),
    ({"started_at": 1.0, "worked_at": 2.0}, 10.9, TaskStatus.PROCESSING),
    ({"started_at": 1.0, "worked_at": 2.0}, 11, TaskStatus.COMPLETED),
    ({"started_at": 1.0, "worked_at": 20.0}, 20, TaskStatus.COMPLETED),
    ({"started_at": 1.0, "worked_at": 2.0, "failure": ("No.",)}, 5, TaskStatus.PROCESSING),
    ({"started_at": 1.0, "worked_at": 2.0, "failure": ("No.",)}, 11, TaskStatus.ERROR),
    ({"started_at": 1.0, "worked_at": 2.0, "deleted": True}, 11, TaskStatus.NOT_EXIST),
    ({"started_at": 1.0, "worked_at": 2.0}, 86_400, TaskStatus.NOT_EXIST),
    ({"fate": Fate("stuck")}, 86_399, TaskStatus.PROCESSING),
    ({"fate": Fate("stuck", task_status=TaskStatus.PENDING)}, 5, TaskStatus.PENDING),
    ({"fate": Fate("stuck"), "deleted": True}, 5, TaskStatus.NOT_EXIST),
    ({"fate": Fate("stuck")}, 86_400, TaskStatus.NOT_EXIST),
]


@pytest.mark.parametrize(("changes", "now", "expected"), TABLE)
def test_the_status_of_a_task(
    tmp_path: object, changes: dict[str, object], now: float, expected: TaskStatus
) -> None:
    fields: dict[str, object] = {
        "id": "x",
        "operation": "RecognizeImage",
        "account": None,
        "folder": tmp_path,
        "settings": {},
        "digest": "",
        "submitted_at": 0.0,
        "duration_seconds": 10.0,
        "outcome": JobOutcome(()),
    }
    task = Task(**{**fields, **changes})  # type: ignore[arg-type]  # the table is the point

    assert status_of(task, now, 86_400) is expected


@pytest.mark.parametrize(
    "options",
    [
        {"task_seconds": "soon"},
        {"workers": 0},
        {"engine": "abbyy"},
        {"client_id": ""},
        {"token_seconds": 0},
        {"x": 1},
    ],
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options(**options)


def test_options_do_not_show_secrets() -> None:
    shown = repr(Options(client_secret="s3cret", accounts={"other": "t0ps3cret"}))

    assert "s3cret" not in shown

"""
The order in which the triggerer's benchmark measures, and what it makes of several rounds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_asposeocr.api.account import DEFAULT_CONNECTIONS
from tests.benchmarks.triggerer import connections, cpu, lag_and_tokens, memory, pauses
from tests.benchmarks.triggerer_runs import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.triggerer_runs import Bench

RUN = Run(
    cpu_seconds=1.0,
    polls=1000,
    lag_seconds=0.01,
    collections=[],
    bytes_per_wait=0,
    connections=10,
    tokens=1,
    seconds=5,
)


class _Recorder:
    """Stands for the emulator and the processes; notes who was measured, and whether faults were on."""

    def __init__(self, run: Callable[[str, int], Run]) -> None:
        self._run = run
        self.kinds: list[str] = []
        self.faults: list[bool] = []
        self._on = False

    @property
    def control(self) -> _Recorder:
        return self

    def add_faults(self, *_: Any) -> None:
        self._on = True

    def clear_faults(self) -> None:
        self._on = False

    def run(self, kind: str, *_: Any, dag_tasks: int = 0, **__: Any) -> Run:
        self.kinds.append("copy" if dag_tasks else kind)
        self.faults.append(self._on)
        return self._run(self.kinds[-1], self.kinds.count(self.kinds[-1]))

    @property
    def bench(self) -> Bench:
        return cast("Bench", self)


def test_a_poll_of_the_http_provider_is_measured_in_turn_with_ours() -> None:
    seconds = {"nothing": 0.0, "ours": 1.0, "bare": 0.5, "http": 4.0}
    # Each round the machine is slower; figures of other rounds would give other ratios.
    recorder = _Recorder(lambda kind, number: replace(RUN, cpu_seconds=seconds[kind] * 2**number))
    floor, http = cpu(recorder.bench)

    assert recorder.kinds == [
        "nothing",
        "ours",
        "bare",
        "http",
        "bare",
        "http",
        "ours",
        "http",
        "ours",
        "bare",
    ]
    assert floor.ratio is not None
    assert http.ratio is not None
    assert (set(floor.ratio.values), set(http.ratio.values)) == ({2.0}, {0.25})
    assert len(http.ratio.values) == 3


def test_memory_is_what_each_round_has_beyond_its_sleeping_triggers() -> None:
    kib = {"nothing": 8, "ours": 16, "copy": 108}
    recorder = _Recorder(lambda kind, number: replace(RUN, bytes_per_wait=1024.0 * kib[kind] * number))
    wait, copy = memory(recorder.bench)

    assert wait.ours.values == (8, 16)
    assert copy.ours.values == (100, 200)


def test_one_connection_too_many_in_one_round_misses_the_goal() -> None:
    counts = {1: DEFAULT_CONNECTIONS - 4, 2: DEFAULT_CONNECTIONS + 1}
    recorder = _Recorder(lambda _, number: replace(RUN, connections=counts[number]))
    (row,) = connections(recorder.bench)

    assert (row.ours.values, row.met) == (tuple(counts.values()), False)
    assert recorder.faults == [True, True]
    assert not recorder._on


def test_polls_fail_for_ours_only_and_its_largest_count_of_tokens_is_held_against_the_goal() -> None:
    # At most two in five seconds, of a token that is used for half of its life.
    short_lived, lasting = (_Recorder(lambda _, number: replace(RUN, tokens=number)) for _ in range(2))
    lag, tokens = lag_and_tokens(short_lived.bench, lasting.bench)

    assert (short_lived.kinds, lasting.kinds) == (["ours"] * 3, ["bare"] * 3)
    assert (short_lived.faults, lasting.faults) == ([True] * 3, [False] * 3)
    assert lag.ratio is not None
    assert len(lag.ratio.values) == 3
    assert (tokens.ours.values, tokens.goal, tokens.met) == ((1, 2, 3), "at most 2", False)


def test_the_pauses_of_the_collector_are_told_by_generation() -> None:
    runs = [
        replace(RUN, collections=[(0, 0.001), (0, 0.002), (2, 0.2)]),
        replace(RUN, collections=[(0, 0.0015)]),
    ]
    assert (
        pauses(runs) == "1.5 young of 2 ms at most, 0 middle, 0.5 old of 200 ms at most in a window of 12 s"
    )

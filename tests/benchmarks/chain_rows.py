"""
Make the rows of the table from the costs of the chains.

Invariant: a goal that is a count is held against the largest count of all rounds, never against a typical one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.measuring import Row, compared, limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: Tasks of the pipelined chain that wait for a cloud task which another one has submitted.
CONSUMERS = ("binarize", "recognize", "fetch")
#: Most that a submit or a fetch of ours may take, by an empty task of the same round.
OWN_RATIO = 2.0
EMPTY = "four empty tasks"
LATE = "Airflow notices the end of a process up to [workers] min_heartbeat_interval (5 s) late"
SDK = "SDK 24.11.0 in @task"


@dataclass(frozen=True)
class Run:
    """
    What a run has cost, by task.

    :param processes: Worker processes started.
    :param slot_seconds: How long they occupied slots.
    :param cpu_seconds: Their CPU time.
    :param life_seconds: How long the processes lived.
    :param tokens: Token requests of the whole run.
    """

    processes: dict[str, int]
    slot_seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    life_seconds: dict[str, float]
    tokens: float


def _most(runs: Iterable[Run], tasks: Sequence[str] | None = None) -> list[int]:
    return [
        max(count for task, count in run.processes.items() if tasks is None or task in tasks) for run in runs
    ]


def processes(short: dict[str, list[Run]], long: dict[str, list[Run]], steps: Sequence[Run]) -> list[Row]:
    """
    Make the rows that count worker processes.

    :param short: By chain, the runs whose cloud tasks end within the inline wait.
    :param long: By chain, those whose cloud tasks take much longer.
    :param steps: A submit and a fetch of a cloud task that is done at once.
    """
    pipelined = [*short["chain_pipelined"], *long["chain_pipelined"]]
    submit_only = [*_most(steps, ["submit"]), *_most(pipelined, ["upscale"])]
    kinds = (
        ("submit-only", submit_only, 1),
        ("consumers in pipelined mode", _most(pipelined, CONSUMERS), 1),
        ("cloud done within the inline wait", _most(short["chain_deferrable"]), 1),
        ("cloud not done within it", _most(long["chain_deferrable"]), 2),
    )
    return [
        limited(
            f"Worker processes per operator, {kind}",
            [max(counts)],
            unit="",
            at_most=limit,
            note="the most seen",
        )
        for kind, counts, limit in kinds
    ]


def own_time(steps: Sequence[Run], empty: Sequence[Run]) -> list[Row]:
    """
    Make the rows that compare a submit and a fetch with an empty task.

    :param steps: A submit and a fetch of a cloud task that is done at once.
    :param empty: Empty chains of the same rounds.
    """
    made = []
    for task in ("submit", "fetch"):
        for what, of in (
            ("Seconds that the worker process of a {} lived", _life),
            ("CPU of a {} in the worker", _cpu),
        ):
            made.append(
                compared(
                    what.format(task),
                    [of(run)[task] for run in steps],
                    "empty task",
                    [sum(of(floor).values()) / len(of(floor)) for floor in empty],
                    unit="s",
                    at_most=OWN_RATIO if of is _life else None,
                    note="cloud done at once; 18 KB on loopback included",
                )
            )
    return made


def _life(run: Run) -> dict[str, float]:
    return run.life_seconds


def _cpu(run: Run) -> dict[str, float]:
    return run.cpu_seconds


def _slots(run: Run) -> dict[str, float]:
    return run.slot_seconds


def chains(seconds: str, runs: dict[str, list[Run]]) -> list[Row]:
    """
    Make the rows that compare whole chains.

    :param seconds: How long their cloud tasks take, in words.
    :param runs: By chain.
    """

    def totals(name: str, of: Callable[[Run], dict[str, float]]) -> list[float]:
        return [sum(of(run).values()) for run in runs[name]]

    made = []
    for name, ours in (("deferrable", "chain_deferrable"), ("pipelined", "chain_pipelined")):
        for what, of, note in (
            ("Slot-seconds", _slots, LATE),
            ("Seconds that worker processes lived", _life, ""),
            ("CPU of worker processes", _cpu, ""),
        ):
            for rival, theirs in ((EMPTY, "chain_empty"), (SDK, "chain_sdk")):
                made.append(
                    compared(
                        f"{what} of the chain, {name}, cloud tasks of {seconds}",
                        totals(ours, of),
                        rival,
                        totals(theirs, of),
                        unit="s",
                        note=note,
                    )
                )
        made.append(
            compared(
                f"Token requests per document, {name}, cloud tasks of {seconds}",
                [run.tokens for run in runs[ours]],
                SDK,
                [run.tokens for run in runs["chain_sdk"]],
                unit="",
            )
        )
    return made

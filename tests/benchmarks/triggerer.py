"""
What 1,000 waits cost a triggerer: CPU, lag, memory, connections and tokens.

Invariant: each figure comes from a process that runs Airflow's own ``TriggerRunner`` with waits of one kind against the
same emulator at the same pace; ours and its rival take turns.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.account import DEFAULT_CONNECTIONS
from airflow_provider_asposeocr.api.auth.tokens import parse_token
from tests.benchmarks.measuring import Publication, Row, compared, in_turn, limited
from tests.benchmarks.triggerer_runs import INTERVAL_SECONDS, WAITS, bench

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.triggerer_runs import Bench, Run

ROUNDS = 3
#: Of what hardly differs from round to round.
FEW_ROUNDS = 2
WINDOW_SECONDS = 5.0
LAG_WINDOW_SECONDS = 12.0
#: So short that three lives fit into a measurement.
TOKEN_SECONDS = 5.0
#: Waits whose objects are counted; counting slows a process down.
COUNTED_WAITS = 300
#: Of 1,000 polls ten fail, half with an answer and half without.
FAULTS = (
    {"kind": "status", "status": 503, "path": "*/GetTaskStatus", "probability": 0.005},
    {"kind": "drop", "path": "*/GetTaskStatus", "probability": 0.005},
)
#: A cloud so slow that 1,000 waits would want 300 connections.
SLOW = {"kind": "delay", "delay_seconds": 1.0, "path": "*/GetTaskStatus", "probability": 1.0}


def _microseconds_per_poll(run: Run, idle: Run) -> float:
    return 1e6 * (run.cpu_seconds - idle.cpu_seconds) / run.polls


def cpu(bench: Bench) -> list[Row]:
    """
    Measure the CPU time of a poll, beyond what as many sleeping triggers take.

    :param bench: An emulator with tasks.
    """
    idle = bench.run("nothing", WINDOW_SECONDS)
    runs: dict[str, list[Run]] = {"ours": [], "bare": [], "http": []}

    def measure(kind: str) -> float:
        runs[kind].append(bench.run(kind, WINDOW_SECONDS))
        return _microseconds_per_poll(runs[kind][-1], idle)

    ours, bare, http = in_turn(
        ROUNDS, lambda: measure("ours"), lambda: measure("bare"), lambda: measure("http")
    )
    note = (
        f"{WAITS:,} waits, 300 polls per second over TLS; what as many sleeping triggers take (measured once) is "
        "subtracted"
    )
    lacking = (
        "HttpEventTrigger with a response_check. It cannot renew a token (its header is fixed when the task defers), "
        "cancels nothing when the task is killed, opens a connection for each poll, and had up to "
        f"{max(run.connections for run in runs['http'])} of them open at once. The bare aiohttp loop takes "
        f"{statistics.median(bare) / statistics.median(http):.2f} of its CPU, so that nothing with aiohttp can do with less"
    )
    return [
        compared(
            "CPU per status poll in the triggerer",
            ours,
            "aiohttp loop that does nothing else",
            bare,
            unit="us",
            at_most=1.5,
            note=note,
        ),
        compared(
            "CPU per status poll in the triggerer",
            ours,
            "HTTP provider",
            http,
            unit="us",
            at_most=0.2,
            note=f"{note}. {lacking}",
        ),
    ]


def lag_and_tokens(short_lived: Bench, lasting: Bench) -> list[Row]:
    """
    Measure how long the event loop is kept busy while tokens expire and polls fail, and count token requests.

    :param short_lived: An emulator with tasks and short-lived tokens, for our triggers.
    :param lasting: One with lasting tokens, for the bare loop: it renews no token and survives no failed poll.
    """
    runs: dict[str, list[Run]] = {"ours": [], "bare": []}

    def ours() -> float:
        short_lived.control.add_faults(*FAULTS)
        runs["ours"].append(short_lived.run("ours", LAG_WINDOW_SECONDS))
        short_lived.control.clear_faults()
        return 1000 * runs["ours"][-1].lag_seconds

    def bare() -> float:
        runs["bare"].append(lasting.run("bare", LAG_WINDOW_SECONDS))
        return 1000 * runs["bare"][-1].lag_seconds

    lags, theirs = in_turn(ROUNDS, ours, bare)
    used = parse_token(b'{"access_token":"x","expires_in":%d}' % TOKEN_SECONDS, 0.0).renew_at
    shortest = min(run.seconds for run in runs["ours"])
    return [
        compared(
            f"Lag of the event loop that one in a thousand measurements exceeds, {WAITS:,} waits, while tokens "
            "expire and 1 % of the polls fail",
            lags,
            "aiohttp loop that does nothing else, whose tokens last and whose polls succeed",
            theirs,
            unit="ms",
            at_most=2.0,
            note=f"300 polls per second over TLS. The loop stands still while Python collects garbage: ours "
            f"{pauses(runs['ours'])}; rival {pauses(runs['bare'])}",
        ),
        limited(
            f"Token requests of one triggerer over three lives of a token, {WAITS:,} waits",
            [run.tokens for run in runs["ours"]],
            unit="",
            at_most=math.ceil(shortest / used),
            never_more=True,
            note=f"in {shortest:.1f} s; a token lives {TOKEN_SECONDS:g} s here and is used for {used:g} s",
        ),
    ]


def pauses(runs: Sequence[Run]) -> str:
    """
    Say how often garbage was collected and how long that took at most, by generation.

    :param runs: One per round.
    """
    said = []
    for generation, name in enumerate(("young", "middle", "old")):
        found = [seconds for run in runs for number, seconds in run.collections if number == generation]
        longest = f" of {1000 * max(found):.3g} ms at most" if found else ""
        said.append(f"{len(found) / len(runs):.3g} {name}{longest}")
    return f"{', '.join(said)} in a window of {LAG_WINDOW_SECONDS:g} s"


def memory(bench: Bench) -> list[Row]:
    """
    Count the bytes that a wait holds.

    :param bench: An emulator with tasks.
    """

    def kib(kind: str, dag_tasks: int = 0) -> float:
        # Spread over an interval, as waits are that began at any time: together they would hold more, in bursts.
        run = bench.run(
            kind,
            WINDOW_SECONDS,
            COUNTED_WAITS,
            trace=True,
            dag_tasks=dag_tasks,
            spread_seconds=INTERVAL_SECONDS,
        )
        return run.bytes_per_wait / 1024

    ours, nothing, copying = in_turn(
        FEW_ROUNDS, lambda: kib("ours"), lambda: kib("nothing"), lambda: kib("nothing", dag_tasks=50)
    )

    def beyond(figures: Sequence[float]) -> list[float]:
        return [figure - idle for figure, idle in zip(figures, nothing, strict=True)]

    return [
        limited(
            "Memory of a wait in the triggerer, beyond that of a trigger that only sleeps",
            beyond(ours),
            unit="KiB",
            at_most=10.0,
            note=f"Python objects, the median of several looks, {COUNTED_WAITS} waits that poll; "
            f"the trigger that only sleeps takes {statistics.median(nothing):.1f} KiB. Not in it: the buffers of TLS "
            f"connections, 256 KiB each, of which there are {DEFAULT_CONNECTIONS} at most",
        ),
        limited(
            "Airflow's own copy of a DAG of 50 empty tasks, for each wait that starts in the triggerer",
            beyond(copying),
            unit="KiB",
            note="the same for each operator that starts there",
        ),
    ]


def connections(bench: Bench) -> list[Row]:
    """
    Count the connections to a cloud that takes a second for each answer.

    :param bench: An emulator with tasks.
    """
    bench.control.add_faults(SLOW)
    runs = [bench.run("ours", 3.0) for _ in range(FEW_ROUNDS)]
    bench.control.clear_faults()
    return [
        limited(
            f"Connections of one triggerer to a cloud that takes a second for each answer, {WAITS:,} waits",
            [run.connections for run in runs],
            unit="",
            at_most=DEFAULT_CONNECTIONS,
            never_more=True,
            note="the parameter `max_connections` of the connection",
        )
    ]


def main() -> None:
    """Measure all parts, each of which is kept as soon as it is measured."""
    publication = Publication("triggerer")
    with bench() as lasting:
        for part in (cpu, memory, connections):
            publication.add(part(lasting))
        with bench(TOKEN_SECONDS) as short_lived:
            publication.add(lag_and_tokens(short_lived, lasting))


if __name__ == "__main__":
    main()

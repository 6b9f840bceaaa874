"""What the chain's benchmark reads out of Airflow's log, and how it judges counts."""

from __future__ import annotations

from tests.benchmarks.chain_rows import Run, own_time, processes
from tests.benchmarks.chain_watch import occupied_seconds

TASKS = ("upscale", "binarize", "recognize", "fetch")


def test_each_end_of_a_worker_process_is_read_from_the_schedulers_log() -> None:
    line = (
        "2026-11-21T11:13:48Z [info     ] Workload finished              [supervisor] duration={} exit_code=0"
        " final_state=deferred loc=supervisor.py:2658 workload_id={} workload_type=ExecuteTask\n"
    )
    log = line.format("6.5", "a") + "something else\n" + line.format("1.25", "a") + line.format("2e-1", "b")
    assert occupied_seconds(log) == {"a": [6.5, 1.25], "b": [0.2]}


def _run(processes: int = 1, seconds: float = 2.0) -> Run:
    each = dict.fromkeys(TASKS, seconds)
    return Run(dict.fromkeys(TASKS, processes), each, each, each, tokens=4)


def test_one_process_too_many_in_one_round_misses_the_goal() -> None:
    each = {"submit": 3.5, "fetch": 2.5}
    steps = [Run({"submit": 1, "fetch": 1}, each, each, each, tokens=2)] * 2
    runs = {
        name: [_run(), _run()] for name in ("chain_deferrable", "chain_pipelined", "chain_sdk", "chain_empty")
    }
    late = {**runs, "chain_deferrable": [_run(2), _run(2)], "chain_pipelined": [_run(), _run(2)]}
    made = processes(runs, late, steps)

    assert {row.what.rpartition(", ")[2]: row.met for row in made} == {
        "submit-only": False,
        "consumers in pipelined mode": False,
        "cloud done within the inline wait": True,
        "cloud not done within it": True,
    }


def test_a_submit_is_held_against_an_empty_task_of_its_own_round() -> None:
    # The second round is on a machine half as fast; that changes no verdict.
    rounds = [{"submit": 5.0 * slow, "fetch": 3.0 * slow} for slow in (1, 2)]
    steps = [Run({}, {}, each, each, tokens=2) for each in rounds]
    made = own_time(steps, [_run(seconds=2.0), _run(seconds=4.0)])

    lived = {row.what: row for row in made if row.goal}
    assert [(row.ratio and row.ratio.values, row.met) for row in lived.values()] == [
        ((2.5, 2.5), False),
        ((1.5, 1.5), True),
    ]

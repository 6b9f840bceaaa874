"""
The rows of the failure table that are about a batch in the triggerer, and about a hundred cloud tasks at once.

Invariant: as of :mod:`.failure_rows`. A batch leaves its worker only when it knows how long cloud tasks take; so the first
five documents end at once, and the others are slow.
"""

from __future__ import annotations

from functools import partial

from tests.failures import batch_cases, failure_cases
from tests.failures.batch_cases import QUICK, QUICK_ONES, SOON, SOONER_ONES
from tests.failures.batch_rows import HELD_ROWS, USER
from tests.failures.failure_cases import BATCH_MODES
from tests.failures.failure_table import Outcome, Row

#: Slow documents of the small batches.
SLOW = 5
ALL = QUICK + SLOW
HUNDRED = 100
#: A cloud that answers a poll and a cancel in 50 ms.
BRISK = tuple(
    {"kind": "delay", "delay_seconds": 0.05, "method": method, "probability": 1}
    for method in ("GET", "DELETE")
)

#: Cloud tasks that outlast the submits of all documents on any machine.
LONG_ONES = {"kind": "task_slow", "task_seconds": 100_000, "probability": 1}

_row = partial(
    Row, among=BATCH_MODES, variant="deferred", faults=(QUICK_ONES,), documents=ALL, at_once=SLOW, long=True
)

TRIGGERER = "Batch: the triggerer"
TRIGGERER_ROWS = (
    _row(
        "batch_triggerer_restarted",
        TRIGGERER,
        "Shut down and restarted, as in a deployment, while the batch is deferred",
        "continue; the next triggerer waits for them",
        "nothing",
        Outcome(billed=ALL, cancelled=0, end="success"),
        failure_cases.disturb_while_it_waits,
        disturbs="restart",
    ),
    _row(
        "batch_triggerer_killed",
        TRIGGERER,
        "SIGKILL, or its machine is lost, while the batch is deferred",
        "continue; another triggerer waits for them as soon as the first one's heartbeat is too old",
        "nothing",
        Outcome(billed=ALL, cancelled=0, end="success"),
        failure_cases.disturb_while_it_waits,
        disturbs="kill",
    ),
)

DEFERRED_ROWS = (
    _row(
        "batch_deferred_mark_failed",
        USER,
        "Marks the deferred batch failed while five documents run",
        "cancelled",
        "how many were cancelled, in the log of the trigger",
        Outcome(billed=ALL, cancelled=SLOW, end="failed"),
        failure_cases.mark_failed,
        words=(f"Cancelled {SLOW} cloud tasks, because the task was killed",),
        timed=True,
    ),
    _row(
        "batch_deferred_clear",
        USER,
        "Clears the deferred batch while five documents run",
        "cancelled, by the new attempt before it submits; it submits all documents anew",
        "how many were cancelled",
        Outcome(billed=2 * ALL, cancelled=SLOW, end="success"),
        failure_cases.clear_what_waits,
        words=(f"Cancelled {SLOW} cloud tasks, because the Airflow task was cleared",),
        timed=True,
    ),
    _row(
        "batch_woken_mark_failed",
        USER,
        "Marks the batch failed when its trigger has fired and its worker has not started; three documents run",
        "run to their end: no process is there that could cancel them. `AsposeOcrCancelTasksOperator` as the teardown of "
        "the DAG, or a Clear, does",
        "nothing",
        Outcome(billed=ALL, cancelled=0, end="failed"),
        batch_cases.fail_it_between_event_and_worker,
        faults=(SOONER_ONES, QUICK_ONES),
        variant="deferred_no_slot",
        left_running=True,
    ),
    _row(
        "batch_woken_clear",
        USER,
        "Clears the batch when its trigger has fired and its worker has not started; three documents run",
        "cancelled, by the new attempt before it submits; it submits all documents anew",
        "how many were cancelled",
        Outcome(billed=2 * ALL, cancelled=SLOW - SOON, end="success"),
        batch_cases.clear_between_event_and_worker,
        faults=(SOONER_ONES, QUICK_ONES),
        variant="deferred_no_slot_clear",
        words=(f"Cancelled {SLOW - SOON} cloud tasks, because the Airflow task was cleared",),
    ),
)

_many = partial(_row, long=True, timed=True, alone=True)

MANY_ROWS = (
    _many(
        "batch_mark_failed_100",
        USER,
        "Marks the batch failed while it waits in its worker and 100 documents run; the cloud answers in 50 ms",
        "cancelled, all of them within the three seconds that the worker has",
        '"100 cloud tasks were cancelled, 0 may still run"',
        Outcome(billed=HUNDRED, cancelled=HUNDRED, end="failed"),
        failure_cases.mark_failed,
        faults=(*BRISK, LONG_ONES),
        variant="hundred",
        words=(f"{HUNDRED} cloud tasks were cancelled, 0 may still run",),
        documents=HUNDRED,
        at_once=HUNDRED,
    ),
    _many(
        "batch_deferred_clear_100",
        USER,
        "Clears the deferred batch while 100 documents run; the cloud answers in 50 ms",
        "cancelled, all of them, by the new attempt before it submits; it submits all documents anew",
        '"Cancelled 100 cloud tasks"',
        Outcome(billed=2 * (QUICK + HUNDRED), cancelled=HUNDRED, end="success"),
        failure_cases.clear_what_waits,
        faults=(*BRISK, QUICK_ONES),
        words=(f"Cancelled {HUNDRED} cloud tasks, because the Airflow task was cleared",),
        documents=QUICK + HUNDRED,
    ),
)

BATCH_ROWS = (*HELD_ROWS, *DEFERRED_ROWS, *MANY_ROWS, *TRIGGERER_ROWS)

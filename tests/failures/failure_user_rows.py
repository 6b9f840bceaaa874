"""
The rows of the failure table about deadlines and about users who end tasks.

Invariant: as of :mod:`.failure_rows`, which these follow.
"""

from __future__ import annotations

from tests.failures import failure_cases as cases
from tests.failures.failure_rows import (
    AGAIN,
    ANEW,
    ANSWER_SECONDS,
    CANCELLED,
    DEADLINE,
    KILLED,
    ONCE,
    POLLING_ROWS,
    SLOW,
    SUBMITTING_ROWS,
    TRIGGERER_ROWS,
    WORKER_ROWS,
)
from tests.failures.failure_table import Differs, Outcome, Row

LIMIT = "A deadline"
DEADLINE_ROWS = (
    Row(
        "deadline",
        LIMIT,
        "`timeout_seconds` have passed",
        "polled once more, then cancelled",
        f'"{DEADLINE}"',
        CANCELLED,
        variant="deadline",
        long=True,
        words=(DEADLINE, "its deadline has passed"),
    ),
    Row(
        "execution_timeout",
        LIMIT,
        "`execution_timeout` is 5 seconds away",
        "polled once more, then cancelled",
        f'"{DEADLINE}"',
        CANCELLED,
        variant="execution_timeout",
        long=True,
        words=(DEADLINE, "its deadline has passed"),
    ),
)

USER = "A user"
#: Said by the process that was killed, by the triggerer, or by the new attempt. The first of them cancels.
CANCELS = "Cancelled RecognizeImage"
WAITS_FOR_THE_SAME = "a cleared consumer waits again for the same cloud task"
USER_ROWS = (
    Row(
        "mark_failed_soon",
        USER,
        "Marks the waiting task failed, and the cloud answers at once",
        "cancelled within seconds",
        f'"{KILLED}"',
        CANCELLED,
        cases.mark_failed,
        long=True,
        timed=True,
    ),
    Row(
        "mark_failed",
        USER,
        "Marks the waiting task failed",
        "cancelled; if the cloud is slow, as soon as it has answered a status request",
        f'"{KILLED}", where the cloud answers before the process ends',
        CANCELLED,
        cases.mark_failed,
        SLOW,
        long=True,
        timed=True,
        answer_seconds=ANSWER_SECONDS,
    ),
    Row(
        "mark_success",
        USER,
        "Marks the waiting task success",
        "cancelled; if the cloud is slow, as soon as it has answered a status request",
        f'"{KILLED}", where the cloud answers before the process ends',
        Outcome(billed=1, cancelled=1, end="success"),
        cases.mark_success,
        SLOW,
        long=True,
        timed=True,
        answer_seconds=ANSWER_SECONDS,
    ),
    Row(
        "fail_run",
        USER,
        "Marks the run failed while the task waits",
        "cancelled; if the cloud is slow, as soon as it has answered a status request",
        f'"{KILLED}", where the cloud answers before the process ends',
        CANCELLED,
        cases.fail_the_run,
        SLOW,
        long=True,
        timed=True,
        answer_seconds=ANSWER_SECONDS,
    ),
    Row(
        "clear_running",
        USER,
        "Clears the waiting task while it runs in a worker",
        "cancelled; the new attempt submits another cloud task",
        f'"{CANCELS}"',
        ANEW,
        cases.clear_what_waits,
        variant="in_worker",
        long=True,
        timed=True,
        words=(CANCELS,),
        differs={"pipelined": Differs(WAITS_FOR_THE_SAME, outcome=ONCE, words=())},
    ),
    Row(
        "clear_deferred",
        USER,
        "Clears the waiting task while it is deferred",
        "cancelled; the new attempt submits another cloud task",
        f'"{CANCELS}"',
        ANEW,
        cases.clear_what_waits,
        long=True,
        timed=True,
        words=(CANCELS,),
        differs={
            "inline": Differs("it is never deferred", possible=False),
            "pipelined": Differs(WAITS_FOR_THE_SAME, outcome=ONCE, words=()),
        },
    ),
    Row(
        "clear_run",
        USER,
        "Clears the run while the task waits",
        "cancelled; the new attempt submits another cloud task",
        f'"{CANCELS}"',
        ANEW,
        cases.clear_the_run,
        long=True,
        timed=True,
        words=(CANCELS,),
    ),
    Row(
        "clear_finished",
        USER,
        "Clears the run after its end",
        "completed, and is not deleted; the new attempt submits another cloud task",
        "nothing",
        AGAIN,
        cases.clear_after_the_end,
    ),
)

ROWS = (
    *WORKER_ROWS,
    *TRIGGERER_ROWS,
    *POLLING_ROWS,
    *SUBMITTING_ROWS,
    *DEADLINE_ROWS,
    *USER_ROWS,
)

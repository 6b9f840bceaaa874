"""
The rows of the failure table that are about a batch: five documents in two steps, which are ten cloud tasks.

Invariant: as of :mod:`.failure_rows`.
"""

from __future__ import annotations

from functools import partial

from tests.failures import batch_cases, failure_cases
from tests.failures.failure_cases import BATCH_DOCUMENTS, BATCH_MODES
from tests.failures.failure_table import Outcome, Row

DOCUMENTS = BATCH_DOCUMENTS
ALL = 2 * DOCUMENTS
ONCE = Outcome(billed=ALL, cancelled=0, end="success")
#: One cloud task more than without the failure.
ONE_MORE = Outcome(billed=ALL + 1, cancelled=0, end="success")
CANCELLED = Outcome(billed=DOCUMENTS, cancelled=DOCUMENTS, end="failed")
ANEW = Outcome(billed=ALL + DOCUMENTS, cancelled=DOCUMENTS, end="success")
LEFT = Outcome(billed=DOCUMENTS, cancelled=0, end="failed")

TWICE = "may be billed twice"
GOES_ON = "Going on with a batch of 5 documents"

_row = partial(Row, among=BATCH_MODES, at_once=DOCUMENTS, long=True)

WORKER = "Batch: the worker"
WORKER_ROWS = (
    _row(
        "batch_killed_before_submit",
        WORKER,
        "SIGKILL before the first request has reached the cloud",
        "the retry submits them",
        f'"{TWICE}" for the documents whose intent is in the journal: it is unknown whether they were sent',
        ONCE,
        failure_cases.kill_in_submit,
        ({"kind": "hold", "path": "/connect/token"},),
    ),
    _row(
        "batch_killed_in_submit",
        WORKER,
        "SIGKILL during a request: the cloud has accepted it, and its answer does not arrive",
        "runs to its end, and its id is lost; the retry submits another cloud task for that document and continues with all "
        "others",
        f'"{TWICE}", and `maybe_billed_twice` in the manifest',
        ONE_MORE,
        batch_cases.kill_in_submit_of_one,
        ({"kind": "hold", "method": "POST", "path": "BinarizeImage", "after": "accepted"},),
        words=(TWICE,),
        at_once=DOCUMENTS - 1,
    ),
    _row(
        "batch_killed_while_waiting",
        WORKER,
        "SIGKILL while all documents run in the cloud",
        "continue, and the retry finds them",
        f'"{GOES_ON}"',
        ONCE,
        failure_cases.kill_while_it_waits,
        words=(GOES_ON,),
    ),
    _row(
        "batch_killed_in_last_try",
        WORKER,
        "SIGKILL while all documents run in the cloud, in the last try",
        "run to their end; `AsposeOcrCancelTasksOperator` as the teardown of the DAG, or a Clear, cancels them",
        "Airflow's own words about a process that was killed",
        LEFT,
        failure_cases.kill_in_the_last_try,
        variant="last_try",
        left_running=True,
    ),
    _row(
        "batch_two_workers",
        WORKER,
        "Suspended, until Airflow takes the worker for lost and a retry runs; then both run",
        "continue, and the retry finds them; the first worker finds the retry in the journal and stops",
        f'"{GOES_ON}"',
        ONCE,
        batch_cases.suspend_until_a_retry_runs,
        words=(GOES_ON,),
    ),
    _row(
        "batch_killed_after",
        WORKER,
        "SIGKILL when the manifest is written and Airflow does not know of it yet",
        "completed; the retry submits nothing",
        "nothing",
        ONCE,
        batch_cases.let_it_finish,
        variant="killed_after",
    ),
    _row(
        "batch_evicted",
        WORKER,
        "SIGTERM (a drained node) while all documents run in the cloud, with a try left",
        "continue, and the retry finds them",
        f'"{GOES_ON}"',
        ONCE,
        failure_cases.evict_while_it_waits,
        words=(GOES_ON,),
    ),
    _row(
        "batch_evicted_in_last_try",
        WORKER,
        "SIGTERM while all documents run in the cloud, in the last try",
        "cancelled, as many as three seconds allow",
        "how many were cancelled, and how many may still run",
        CANCELLED,
        failure_cases.evict_in_the_last_try,
        variant="last_try",
    ),
)

STATE = "Batch: what it keeps"
STATE_ROWS = (
    _row(
        "batch_journal_deleted",
        STATE,
        "SIGKILL, and the journal was deleted before the retry",
        "run to their end; the retry submits nothing",
        '"There is no journal of a batch"; only a Clear submits again',
        LEFT,
        batch_cases.kill_and_delete_the_journal,
        words=("There is no journal of a batch",),
        left_running=True,
    ),
    _row(
        "batch_journal_cut_off",
        STATE,
        "SIGKILL, and a part of the journal is cut off before the retry",
        "run to their end; the retry submits nothing",
        '"The journal of the batch cannot be read", with the name of the file; only a Clear submits again',
        LEFT,
        batch_cases.kill_and_cut_off_the_journal,
        words=("The journal of the batch cannot be read",),
        left_running=True,
    ),
    _row(
        "batch_journal_of_another_version",
        STATE,
        "SIGKILL, and a later version of the provider has written a part of the journal",
        "run to their end; the retry submits nothing",
        '"The journal of the batch cannot be read", with the versions and the name of the file; only a Clear submits again',
        LEFT,
        batch_cases.kill_and_write_as_another_version,
        words=("The journal of the batch cannot be read", "it has the schema version 999"),
        left_running=True,
    ),
    _row(
        "batch_journal_half_a_line",
        STATE,
        "SIGKILL while the store writes a part of the journal: half of a line is there",
        "continue, and the retry finds them: what that part would have announced was not sent",
        f'"{GOES_ON}"',
        ONCE,
        batch_cases.kill_with_half_a_line,
        words=(GOES_ON,),
    ),
    _row(
        "batch_journal_refused",
        STATE,
        "The store refuses to write the journal for longer than `error_budget_seconds`, and is repaired before the retry",
        "continue; nothing is submitted meanwhile; the retry finds them",
        '"The batch submits nothing until it can write the journal again"',
        ONCE,
        batch_cases.store_refuses_the_journal,
        variant="late_retry",
        words=("The batch submits nothing until it can write the journal again", GOES_ON),
    ),
    _row(
        "batch_destination_refuses",
        STATE,
        "The destination refuses the results, and is repaired before the retry",
        "completed; the retry fetches them again",
        "the storage's own words, in the log and in the rows of the manifest",
        ONCE,
        batch_cases.destination_refuses_once,
        variant="late_retry",
    ),
)

CLOUD = "Batch: the cloud"
CLOUD_ROWS = (
    _row(
        "batch_quota",
        CLOUD,
        "402: the quota is used up while two documents run and three wait",
        "run to their end; nothing more is submitted",
        "the error of the account; rows `not_started` in the manifest",
        Outcome(billed=2, cancelled=0, end="failed"),
        batch_cases.quota_is_used_up,
        variant="two_at_once",
        at_once=2,
    ),
    _row(
        "batch_poison",
        CLOUD,
        "The cloud task of one document ends in `Error`",
        "the retry submits that document's step again, and nothing of the others",
        "the cloud's own messages, in the row of the manifest",
        ONE_MORE,
        batch_cases.let_it_finish,
        ({"kind": "task_error", "path": "RecognizeImage", "messages": ["the page is upside down"]},),
        words=("TaskFailedError",),
    ),
    _row(
        "batch_poison_allowed",
        CLOUD,
        "The same, and `max_failures` allows it",
        "the others end as usual",
        "a row `failed` in the manifest, and no retry",
        ONCE,
        batch_cases.let_it_finish,
        ({"kind": "task_error", "path": "RecognizeImage", "messages": ["the page is upside down"]},),
        variant="one_may_fail",
    ),
)

DAY_ROWS = (
    _row(
        "batch_expired",
        CLOUD,
        "SIGKILL, and the retry comes after the 24 hours for which the cloud keeps results",
        "are gone; nothing is submitted again",
        "`TaskExpiredError`, in the row of each document",
        LEFT,
        batch_cases.a_day_passes,
        variant="two_days",
        words=("TaskExpiredError",),
    ),
    _row(
        "batch_expired_again",
        CLOUD,
        'The same, with `on_expired="resubmit"`',
        "are gone; the retry submits the step again",
        f'"{TWICE}", and `maybe_billed_twice` in the manifest',
        Outcome(billed=ALL + DOCUMENTS, cancelled=0, end="success"),
        batch_cases.a_day_passes,
        variant="two_days_again",
        words=(TWICE,),
    ),
)

USER = "Batch: a user"
USER_ROWS = (
    _row(
        "batch_mark_failed",
        USER,
        "Marks the waiting batch failed",
        "cancelled, as many as three seconds allow",
        "how many were cancelled, and how many may still run",
        CANCELLED,
        failure_cases.mark_failed,
        timed=True,
    ),
    _row(
        "batch_clear",
        USER,
        "Clears the waiting batch",
        "cancelled; the new attempt submits all documents anew",
        "how many were cancelled",
        ANEW,
        failure_cases.clear_what_waits,
        timed=True,
    ),
)

HELD_ROWS = (*WORKER_ROWS, *STATE_ROWS, *CLOUD_ROWS, *DAY_ROWS, *USER_ROWS)

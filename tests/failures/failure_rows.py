"""
What each failure costs: the rows of the failure table.

Invariant: every row is run in each mode that can have it, on real Airflow processes; nothing is written down here that
is not also seen there. Importing this starts nothing.
"""

from __future__ import annotations

from tests.failures import failure_cases as cases
from tests.failures.failure_cases import POLL
from tests.failures.failure_table import Differs, Outcome, Row

REATTACHED = "re-attached, nothing billed again"
TWICE = "may be billed twice"
DEADLINE = "which is the deadline"
KILLED = "the task was killed"
CLEAR_THAT = "clear that task, not this one"

#: Polls are slow, and a cancel is answered late.
ANSWER_SECONDS = 5
SLOW = (
    {"kind": "delay", "delay_seconds": ANSWER_SECONDS, "method": "GET", "probability": 1},
    {
        "kind": "delay",
        "delay_seconds": ANSWER_SECONDS,
        "method": "DELETE",
        "after": "accepted",
        "probability": 1,
    },
)
ONCE = Outcome(billed=1, cancelled=0, end="success")
AGAIN = Outcome(billed=2, cancelled=0, end="success")
ANEW = Outcome(billed=2, cancelled=1, end="success")
LEFT = Outcome(billed=1, cancelled=0, end="failed")
CANCELLED = Outcome(billed=1, cancelled=1, end="failed")

#: A consumer that is tried again waits again; there is no record that it could take the cloud task up from.
WAITS_AGAIN = Differs(
    "the consumer waits again, and its log does not contain this text", words=("is completed",)
)


def submitting(*faults: dict[str, object]) -> tuple[dict[str, object], ...]:
    return tuple({"method": "POST", "path": "RecognizeImage", **fault} for fault in faults)


def polling(**fault: object) -> tuple[dict[str, object], ...]:
    return ({"method": "GET", "path": POLL, **fault},)


WORKER = "The worker"
WORKER_ROWS = (
    Row(
        "killed_before_submit",
        WORKER,
        "SIGKILL before the request has reached the cloud",
        "the retry submits it",
        f'"{TWICE}", because it is unknown whether it was sent',
        ONCE,
        cases.kill_in_submit,
        ({"kind": "hold", "path": "/connect/token"},),
        long=True,
        words=(TWICE,),
    ),
    Row(
        "killed_in_submit",
        WORKER,
        "SIGKILL during the request: the cloud has accepted it, and its answer does not arrive",
        "runs to its end, and its id is lost; the retry submits another cloud task",
        f'"{TWICE}"',
        AGAIN,
        cases.kill_in_submit,
        submitting({"kind": "hold", "after": "accepted"}),
        long=True,
        words=(TWICE,),
    ),
    Row(
        "killed_while_waiting",
        WORKER,
        "SIGKILL while it waits",
        "continues, and the retry finds it",
        f'"{REATTACHED}"',
        ONCE,
        cases.kill_while_it_waits,
        variant="in_worker",
        long=True,
        words=(REATTACHED,),
        differs={"pipelined": WAITS_AGAIN},
    ),
    Row(
        "evicted_while_waiting",
        WORKER,
        "SIGTERM (a drained node) while it waits, with a try left",
        "continues, and the retry finds it",
        f'"continues without this process", then "{REATTACHED}"',
        ONCE,
        cases.evict_while_it_waits,
        variant="in_worker",
        long=True,
        words=("continues without this process", REATTACHED),
        differs={
            "pipelined": Differs(
                "the consumer waits again; its log contains only the first of the two texts",
                words=("continues without this process",),
            )
        },
    ),
    Row(
        "evicted_in_last_try",
        WORKER,
        "SIGTERM while it waits, in the last try",
        "cancelled",
        f'"{KILLED}"',
        CANCELLED,
        cases.evict_in_the_last_try,
        variant="in_worker_last_try",
        long=True,
        words=(KILLED,),
    ),
    Row(
        "killed_in_last_try",
        WORKER,
        "SIGKILL while it waits, in the last try",
        "runs to its end, and no task waits for it any more: a known limitation",
        "Airflow's own words about a process that was killed",
        LEFT,
        cases.kill_in_the_last_try,
        variant="in_worker_last_try",
        long=True,
        left_running=True,
    ),
    Row(
        "own_code_fails",
        WORKER,
        "Your own code fails after the wait (`post_execute`, a callback, a full disk), and the task is retried",
        "the retry finds it completed",
        f'"{REATTACHED}"',
        ONCE,
        variant="fails_once",
        words=(REATTACHED,),
        differs={"pipelined": WAITS_AGAIN},
    ),
)

NO_TRIGGERER = Differs("it waits in the worker", possible=False)
TRIGGERER = "The triggerer"
TRIGGERER_ROWS = (
    Row(
        "triggerer_restarted",
        TRIGGERER,
        "Shut down and restarted, as in a deployment",
        "continues; the next triggerer waits for it, with the same deadline",
        "nothing",
        ONCE,
        cases.disturb_while_it_waits,
        long=True,
        disturbs="restart",
        differs={"inline": NO_TRIGGERER},
    ),
    Row(
        "triggerer_killed",
        TRIGGERER,
        "SIGKILL, or its machine is lost",
        "continues; another triggerer waits for it as soon as the first one's heartbeat is too old",
        "nothing",
        ONCE,
        cases.disturb_while_it_waits,
        long=True,
        disturbs="kill",
        differs={"inline": NO_TRIGGERER},
    ),
    Row(
        "event_lost",
        TRIGGERER,
        "SIGKILL after its trigger has seen the end of the cloud task and before Airflow has received the event",
        "completed; another triggerer polls again and fires the event",
        "nothing",
        ONCE,
        cases.disturb_with_the_event_under_way,
        long=True,
        disturbs="kill",
        one_by_one=True,
        differs={"inline": Differs("there is no event", possible=False)},
    ),
)

POLLING = "The cloud answers a poll with an error"
NOTHING_LOST = "continues"
POLLING_ROWS = (
    Row(
        "poll_401",
        POLLING,
        "401, twice: the token is refused, and a new one too",
        NOTHING_LOST,
        'a warning: "the cloud answered 401"',
        ONCE,
        faults=polling(kind="status", status=401, count=2),
        words=("the cloud answered 401",),
    ),
    Row(
        "poll_429",
        POLLING,
        "429 with `Retry-After`, twice",
        NOTHING_LOST,
        'a warning: "the cloud answered 429"',
        ONCE,
        faults=polling(kind="status", status=429, headers={"Retry-After": "1"}, count=2),
        words=("the cloud answered 429",),
    ),
    Row(
        "poll_503",
        POLLING,
        "503, three times",
        NOTHING_LOST,
        'a warning: "the cloud answered 503"',
        ONCE,
        faults=polling(kind="status", status=503, count=3),
        words=("the cloud answered 503",),
    ),
    Row(
        "poll_reset",
        POLLING,
        "The connection is dropped, three times",
        NOTHING_LOST,
        'a warning: "Could not read the status"',
        ONCE,
        faults=polling(kind="drop", count=3),
        words=("Could not read the status",),
    ),
    Row(
        "poll_html",
        POLLING,
        "200 with an HTML page, three times",
        NOTHING_LOST,
        'a warning: "is no JSON"',
        ONCE,
        faults=polling(kind="html", count=3),
        words=("is no JSON",),
    ),
    Row(
        "outage",
        POLLING,
        "503 for longer than `error_budget_seconds`, with a try left",
        "continues; the retry finds it",
        f'"keeps running for the retry, which continues the wait", then "{REATTACHED}"',
        ONCE,
        cases.outage_until_it_fails,
        polling(kind="status", status=503, probability=1),
        long=True,
        words=("keeps running for the retry", REATTACHED),
        differs={"pipelined": WAITS_AGAIN},
    ),
    Row(
        "unknown_status",
        POLLING,
        "A status that this version does not know",
        "is not cancelled",
        "the task fails, without a retry; the message contains the unknown status",
        LEFT,
        faults=({"kind": "unknown_status", "path": POLL},),
        words=("Paused",),
    ),
    Row(
        "not_exist_young",
        POLLING,
        "`NotExist`, in the first 15 seconds of the cloud task",
        NOTHING_LOST,
        "nothing",
        ONCE,
        faults=submitting({"kind": "not_exist", "hidden_seconds": 5}),
    ),
    Row(
        "not_exist_old",
        POLLING,
        "`NotExist`, later",
        "is not cancelled; the retry submits another cloud task",
        '"The cloud does not know the task"',
        AGAIN,
        faults=submitting({"kind": "not_exist", "hidden_seconds": 3600}),
        words=("The cloud does not know the task",),
        differs={
            "pipelined": Differs(
                f'the consumer fails without a retry and says "{CLEAR_THAT}"; that second submit is billed',
                action=cases.as_advised,
                words=("The cloud does not know the task", CLEAR_THAT),
            )
        },
    ),
    Row(
        "task_error",
        POLLING,
        "The cloud task ends in `Error`",
        "has ended; the retry submits another cloud task",
        "the cloud's own messages",
        AGAIN,
        faults=submitting({"kind": "task_error", "messages": ["the page is upside down"]}),
        words=("the page is upside down",),
        differs={
            "pipelined": Differs(
                f'the consumer fails without a retry and says "{CLEAR_THAT}"; that second submit is billed',
                action=cases.as_advised,
                words=("the page is upside down", CLEAR_THAT),
            )
        },
    ),
)

SUBMITTING = "The cloud answers a submit with an error"
SENT_AGAIN = "the accepted cloud task runs to its end, its id is lost, and another one is submitted"
SUBMITTING_ROWS = (
    Row(
        "submit_401",
        SUBMITTING,
        "401: the token has expired",
        "submitted once, with a new token",
        "nothing",
        ONCE,
        faults=submitting({"kind": "expired_token"}),
    ),
    Row(
        "submit_429",
        SUBMITTING,
        "429 with `Retry-After`, twice",
        "submitted once, after the time that the cloud names",
        "nothing",
        ONCE,
        faults=submitting({"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "count": 2}),
    ),
    Row(
        "submit_503",
        SUBMITTING,
        "503, and the cloud has accepted the submit nevertheless",
        SENT_AGAIN,
        f'"{TWICE}"',
        AGAIN,
        faults=submitting({"kind": "status", "status": 503, "after": "accepted"}),
        words=(TWICE,),
    ),
    Row(
        "submit_reset",
        SUBMITTING,
        "The connection is dropped after the cloud has accepted the submit",
        SENT_AGAIN,
        f'"{TWICE}"',
        AGAIN,
        faults=submitting({"kind": "drop", "after": "accepted"}),
        words=(TWICE,),
    ),
    Row(
        "submit_html",
        SUBMITTING,
        "200 with an HTML page, after the cloud has accepted the submit",
        SENT_AGAIN,
        f'"{TWICE}"',
        AGAIN,
        faults=submitting({"kind": "html", "after": "accepted"}),
        words=(TWICE,),
    ),
)

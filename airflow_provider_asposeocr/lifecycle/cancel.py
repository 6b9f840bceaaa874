"""
Cancel a cloud task that is not wanted any more: one decision, and two drivers that ask and cancel.

Invariant: a cancel follows the cloud's own answer that the task still runs, because the result of a completed task is
paid for. Where the cloud does not answer, the task is left running. The one exception is the signal handler of a worker,
which has three seconds in all.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.polling.progress import task_text
from airflow_provider_asposeocr.api.tasks import has_ended
from airflow_provider_asposeocr.metrics import count

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.http.retrying import RequestRetry
    from airflow_provider_asposeocr.api.responses import TaskRef

log = logging.getLogger(__name__)

#: Between two questions for the status.
ASK_AGAIN_SECONDS = 0.5
#: Name of the threads that ask, so that a test can wait for them.
THREAD_NAME = "aspose-ocr-ask"


@dataclass(frozen=True)
class CancelRule:
    """
    How a caller cancels.

    :param ask_seconds: How long to ask for the status, again and again, until the cloud answers.
    :param on_silence: What to do if it has not: ``leave`` the task running, or ``cancel`` it.
    :param retry: How the cancel is repeated; by default as the client's other requests.
    """

    ask_seconds: float
    on_silence: Literal["leave", "cancel"] = "leave"
    retry: RequestRetry | None = None


#: A worker that stops waiting: the deadline, a broken wait, a cloud task that was replaced.
IN_WORKER = CancelRule(15.0)
#: The trigger at its deadline. If the cloud does not answer, the worker that receives the event asks again.
IN_TRIGGER = CancelRule(15.0, retry=ONCE)
#: The trigger of a task that a user has killed. Airflow grants 30 s by default ([triggerer] on_kill_timeout).
KILL_IN_TRIGGER = CancelRule(28.0)
#: The signal handler of a worker. Airflow ends the process five seconds after the signal, so that one second is left for
#: the question, and silence counts as "still running".
KILL_IN_WORKER = CancelRule(1.0, on_silence="cancel", retry=ONCE)

Decision = Literal["cancel", "leave", "ask again"]


def decide_cancel(
    ref: TaskRef,
    answer: TaskStatus | AsposeOcrError | None,
    asked_seconds: float,
    now: float,
    rule: CancelRule,
) -> Decision:
    """
    Decide about a cloud task that is not wanted any more.

    :param ref: The task.
    :param answer: Its status, or the error of the question for it; ``None`` = no answer came in time.
    :param asked_seconds: How long the caller has asked.
    :param now: Seconds since the epoch.
    :param rule: The caller's rule.
    """
    if isinstance(answer, TaskStatus):
        return "leave" if has_ended(ref, answer, now) else "cancel"
    may_answer = answer is None or answer.retryable
    if may_answer and asked_seconds < rule.ask_seconds:
        return "ask again"
    return rule.on_silence


@dataclass(frozen=True)
class CancelOutcome:
    """
    What has become of a cloud task that is not wanted any more.

    :param what: ``cancelled``; ``ended``: it had ended before, so that there was nothing to cancel; ``unknown``: it may
        still run.
    :param status: What the cloud has said before; ``None`` = it has not answered.
    :param error: Why the cloud could not be asked, or did not cancel it.
    """

    what: Literal["cancelled", "ended", "unknown"]
    status: TaskStatus | None = None
    error: AsposeOcrError | None = None


def _said(outcome: CancelOutcome, ref: TaskRef, reason: str) -> CancelOutcome:
    task = task_text(ref)
    if outcome.what == "cancelled":
        log.info("Cancelled %s, because %s.", task, reason)
        count("cancels", operation=ref.operation)
    elif outcome.what == "ended":
        log.info("%s has ended and is not cancelled.", task)
    else:
        error = outcome.error
        why = "The cloud did not say in time whether it does." if error is None else error.message
        log.warning("%s may still run, although %s: %s", task, reason, why)
    return outcome


def cancel_if_running(
    client: CloudClient,
    ref: TaskRef,
    reason: str,
    rule: CancelRule | None = None,
    may_cancel: Callable[[], bool] = lambda: True,
) -> CancelOutcome:
    """
    Cancel a cloud task unless it has ended.

    :param client: Client of its account.
    :param ref: The task.
    :param reason: Why it is not wanted any more, for the log: the rest of a sentence that begins with "because".
    :param rule: How long to ask, and what silence means; by default :data:`IN_WORKER`.
    :param may_cancel: Asked right before the cancel: the signal handler may have run out of time meanwhile.
    :return: What has become of it, which is logged, too. Errors of the cloud are in it and not raised.
    """
    rule, began = rule or IN_WORKER, time.monotonic()
    while True:
        answer = _status_within(client, ref, rule.ask_seconds - (time.monotonic() - began))
        decision = decide_cancel(ref, answer, time.monotonic() - began, time.time(), rule)
        if decision != "ask again":
            break
        time.sleep(ASK_AGAIN_SECONDS)
    if decision == "leave":
        return _said(_left(answer), ref, reason)
    status = answer if isinstance(answer, TaskStatus) else None
    if not may_cancel():
        return _said(CancelOutcome("unknown", status), ref, reason)
    try:
        client.cancel(ref.operation, ref.id, rule.retry)
    except AsposeOcrError as error:
        return _said(CancelOutcome("unknown", status, error), ref, reason)
    return _said(CancelOutcome("cancelled", status), ref, reason)


def _left(answer: TaskStatus | AsposeOcrError | None) -> CancelOutcome:
    if isinstance(answer, TaskStatus):
        return CancelOutcome("ended", answer)
    return CancelOutcome("unknown", None, answer)


def _status_within(client: CloudClient, ref: TaskRef, seconds: float) -> TaskStatus | AsposeOcrError | None:
    """Ask in a thread of its own: a request may take longer than the caller has time."""
    answers: list[TaskStatus | AsposeOcrError] = []

    def ask() -> None:
        try:
            answers.append(client.status(ref.operation, ref.id, ONCE, ahead=True).status)
        except AsposeOcrError as error:
            answers.append(error)

    thread = Thread(target=ask, daemon=True, name=THREAD_NAME)
    thread.start()
    thread.join(max(0.0, seconds))
    return answers[0] if answers else None


@dataclass(frozen=True)
class Turns:
    """
    How cloud tasks that are cancelled at the same time take turns.

    :param places: Entered for each attempt; by default, as many attempts as come.
    :param seconds: Longest wait for the answer to one question, so that others get their turn; by default as long as the
        rule asks.
    """

    places: AbstractAsyncContextManager[Any] = field(default_factory=nullcontext)
    seconds: float = math.inf


async def cancel_if_running_async(
    client: AsyncCloudClient,
    ref: TaskRef,
    reason: str,
    rule: CancelRule,
    seen: TaskStatus | None = None,
    turns: Turns | None = None,
) -> CancelOutcome:
    """
    Cancel a cloud task unless it has ended, in an event loop.

    :param client: Client of its account.
    :param ref: The task.
    :param reason: Why it is not wanted any more, for the log.
    :param rule: How long to ask, and what silence means.
    :param seen: What the cloud has answered a moment ago, so that it need not be asked again; by default nothing.
    :param turns: Its turns among others that are to be cancelled; by default it waits for none.
    :return: As in :func:`cancel_if_running`.
    """
    turns, began = turns or Turns(), None
    while True:
        async with turns.places:
            began = began or time.monotonic()
            left = rule.ask_seconds - (time.monotonic() - began)
            outcome = await try_cancel_async(client, ref, rule, began, min(left, turns.seconds), seen)
        if outcome is not None:
            return _said(outcome, ref, reason)
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def try_cancel_async(
    client: AsyncCloudClient,
    ref: TaskRef,
    rule: CancelRule,
    began: float,
    question_seconds: float,
    seen: TaskStatus | None = None,
) -> CancelOutcome | None:
    """
    Ask once for a cloud task's status, and cancel the task unless it has ended.

    :param client: Client of its account.
    :param ref: The task.
    :param rule: How long to ask in all, and what silence means.
    :param began: When the caller began to ask, by the monotonic clock.
    :param question_seconds: How long to wait for the answer to this question.
    :param seen: What the cloud has answered a moment ago; by default nothing.
    :return: What has become of it; ``None`` = ask again.
    """
    answer = seen or await _status_within_async(client, ref, question_seconds)
    decision = decide_cancel(ref, answer, time.monotonic() - began, time.time(), rule)
    if decision == "ask again":
        return None
    if decision == "leave":
        return _left(answer)
    status = answer if isinstance(answer, TaskStatus) else None
    try:
        await client.cancel(ref.operation, ref.id, rule.retry)
    except AsposeOcrError as error:
        return CancelOutcome("unknown", status, error)
    return CancelOutcome("cancelled", status)


async def _status_within_async(
    client: AsyncCloudClient, ref: TaskRef, seconds: float
) -> TaskStatus | AsposeOcrError | None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            # Ahead of all polls, and in spite of a pause that the cloud has asked for.
            return (await client.status(ref.operation, ref.id, ONCE, ahead=True)).status
    except TimeoutError:
        return None
    except AsposeOcrError as error:
        return error

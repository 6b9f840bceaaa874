"""
Cancel the cloud tasks of a batch, as many as there is time for.

Invariant: each cancel follows the cloud's own answer, by the decision that the single operators use. If the cloud does not
answer about one cloud task, the others are cancelled all the same. Those that may still run are counted and logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.polling.progress import task_text
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.lifecycle.cancel import ASK_AGAIN_SECONDS, try_cancel_async
from airflow_provider_asposeocr.metrics import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.lifecycle.cancel import CancelRule

log = logging.getLogger(__name__)

#: Cancels under way at once. More would not fit into a connection's 16 sockets.
AT_ONCE = 16
#: Longest wait for the answer to one question, so that others get their turn.
QUESTION_SECONDS = 5.0
#: Most cloud tasks that may still run and are named in the log.
NAMED = 5


@dataclass
class Cancels:
    """
    What has become of the cloud tasks of a batch that are not wanted any more.

    :param cancelled: Those that were cancelled.
    :param ended: Those that had ended before, so that there was nothing to cancel.
    :param gone: Those of the ended ones that the cloud does not know any more: a trigger has cancelled them when a user
        killed the task, or the cloud has deleted them after a day.
    :param left: Those that may still run.
    :param problem: Why one of the last could not be cancelled, as text that can be logged; empty where the cloud did not
        answer in time.
    """

    cancelled: list[TaskRef] = field(default_factory=list)
    ended: list[TaskRef] = field(default_factory=list)
    gone: list[TaskRef] = field(default_factory=list)
    left: list[TaskRef] = field(default_factory=list)
    problem: str = ""

    def text(self, reason: str) -> str:
        """
        Describe what has become of the cloud tasks, in one or two sentences.

        :param reason: Why they were not wanted any more: the rest of a sentence that begins with "because".
        """
        said = f"Cancelled {len(self.cancelled)} cloud tasks, because {reason}; {len(self.ended)} had ended."
        if not self.left:
            return said
        named = ", ".join(task_text(ref) for ref in self.left[:NAMED])
        more = f" and {len(self.left) - NAMED} more" if len(self.left) > NAMED else ""
        why = self.problem or "The cloud did not answer in time."
        return f"{said} {len(self.left)} may still run: {named}{more}. {why}"


async def cancel_all_async(
    client: AsyncCloudClient, refs: Sequence[TaskRef], reason: str, rule: CancelRule, seconds: float
) -> Cancels:
    """
    Cancel the cloud tasks that still run, 16 at once, and log how many were.

    :param client: Client of their account.
    :param refs: The tasks.
    :param reason: Why they are not wanted any more, for the log.
    :param rule: How long to ask about the tasks, and what silence means. A cancel that failed is not repeated at once, as
        its ``retry`` has it, but goes to the end of the queue.
    :param seconds: All the time there is.
    :return: What has become of them. Errors of the cloud are in it and not raised.
    """
    done, queue, began = Cancels(), deque(refs), time.monotonic()
    undecided = {ref.id: ref for ref in refs}
    once = replace(rule, retry=ONCE)

    async def work() -> None:
        while queue:
            ref = queue.popleft()
            outcome = await try_cancel_async(client, ref, once, began, QUESTION_SECONDS)
            error = None if outcome is None else outcome.error
            if error is not None:
                done.problem = shown(error.message)
            if outcome is None or (outcome.status is not None and error is not None and error.retryable):
                queue.append(ref)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
                continue
            del undecided[ref.id]
            if outcome.what == "cancelled":
                count("cancels", operation=ref.operation)
            {"cancelled": done.cancelled, "ended": done.ended, "unknown": done.left}[outcome.what].append(ref)
            if outcome.what == "ended" and outcome.status is TaskStatus.NOT_EXIST:
                done.gone.append(ref)

    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(refs)))))
    done.left += undecided.values()
    log.log(logging.WARNING if done.left else logging.INFO, "%s", done.text(reason))
    return done

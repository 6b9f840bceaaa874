"""
A later try of a batch whose steps were changed since it began.

Invariant: documents that are done are not sent again, and no submit that may have been billed is forgotten, as with a single
submit whose settings were changed (:func:`.lifecycle.record.decide_start`). All other documents go through the new steps:
those that were not begun from the beginning, the others from the first step that was changed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.batch.cancels import cancel_all_async
from airflow_provider_asposeocr.batch.left import CANCEL_SECONDS, LeftBatch
from airflow_provider_asposeocr.batch.records import Replanned, record_to_dict
from airflow_provider_asposeocr.batch.references import running_refs
from airflow_provider_asposeocr.lifecycle.cancel import IN_WORKER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.batch.opening import OpenBatch
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.steps import Step

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """
    The batch goes on with the steps that it began with.

    :param because: Why, as the rest of a sentence that begins with "because".
    """

    because: str


def decide_steps(batch: Batch, wanted: Sequence[Step]) -> int | Kept | None:
    """
    Decide what a later try does about steps that were changed. Pure.

    :param batch: The batch, with the steps that count so far.
    :param wanted: The steps that this try was given.
    :return: The index of the first step that was changed; ``None`` = none was.
    """
    old, new = batch.steps, tuple(wanted)
    if old == new:
        return None
    if batch.register is not None:
        return Kept("its documents are claimed in a register for these steps")
    if len(new) < len(old):
        return Kept("there are fewer steps now")
    before, after = old[-1], new[-1]
    if (before.possible_suffixes, before.results_per_type) != (
        after.possible_suffixes,
        after.results_per_type,
    ):
        return Kept("the results would have other names, which were checked when it began")
    pairs = zip(old, new, strict=False)
    return next((index for index, (one, other) in enumerate(pairs) if one != other), len(old))


async def replan(
    opened: OpenBatch, wanted: tuple[Step, ...], client: AsyncCloudClient, *, retries_failed: bool
) -> OpenBatch:
    """
    Let the documents that are not done go through the steps that a later try was given.

    :param opened: The batch, whose journal this process owns.
    :param wanted: The steps that this try was given.
    :param client: Client of the account.
    :param retries_failed: Whether documents that have failed are submitted again.
    :return: The batch with the steps that count from now on, which are durable.
    :raises JournalFencedError: if another process has taken over. Then nothing was cancelled; or this process has cancelled
        cloud tasks while the other one took over, which finds them gone, and announces that they are billed again.
    :raises JournalUnreachableError: if the storage does not answer or refuses.
    """
    first = decide_steps(opened.batch, wanted)
    if isinstance(first, Kept):
        log.warning(
            "The steps have changed since the batch began. It goes on with those that it began with, because %s. Clear the "
            "task to begin anew, which is billed again.",
            first.because,
        )
    if not isinstance(first, int):
        return opened
    left = LeftBatch(opened.batch, opened.state, opened.journal)
    running = running_refs(opened.batch, opened.state)
    refs = [ref for index, ref in running if opened.state.of(index).step >= first]
    log.warning(
        "Step %d was changed since the batch began. What is done stays. The other documents go through the new steps, from "
        "the first changed one on. %d cloud tasks of the old steps do not count any more, and stay billed; those that still "
        "run are cancelled.",
        first + 1,
        len(refs),
    )
    if refs:
        # The process that has taken over waits for these cloud tasks.
        await asyncio.to_thread(opened.journal.check)
        done = await cancel_all_async(client, refs, "the steps were changed", IN_WORKER, CANCEL_SECONDS)
        await asyncio.to_thread(left.note_cancelled, done.cancelled)
    record = Replanned([step.to_dict() for step in wanted], first, retries_failed)
    await asyncio.to_thread(opened.journal.append, [record_to_dict(record, opened.journal.epoch)])
    await asyncio.to_thread(opened.journal.check)
    opened.state.apply(record)
    return replace(opened, batch=replace(opened.batch, steps=wanted))

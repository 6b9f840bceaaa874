"""
Decide when a batch should leave its worker: for how long no document will have to be moved. Pure.

Invariant: while durations are not known, only tasks that have run for a while let the batch leave its worker; a deferral
that comes back at once would cost as much as the cloud traffic of a hundred documents.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.batch.polls import WAKE_SHARE
from airflow_provider_asposeocr.batch.work import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.polling.durations import Entry
    from airflow_provider_asposeocr.batch.machine import Machine
    from airflow_provider_asposeocr.batch.settings import BatchSettings

#: Time between two looks of a deferred batch at documents that other batches have: each needs a start of the worker.
DEFERRED_LOOK_SECONDS = 120.0


def will_be_idle(running: Sequence[tuple[float, Entry]], seconds: float) -> bool:
    """
    Forecast whether a worker would have nothing to do for a time.

    :param running: For each cloud task that runs, its age in seconds, and what is known about tasks like it.
    :param seconds: The time.
    :return: Whether less than a quarter of the tasks is expected to have ended by then; ``False`` if nothing runs.
    """
    # For a single task, wait until it has ended with a probability of one half: its expected number of ends never reaches 1.
    wanted = min(max(1.0, len(running) / WAKE_SHARE), len(running) / 2)
    return math.fsum(entry.share_ended(age, age + seconds) for age, entry in running) < wanted


def is_worth_leaving(machine: Machine, settings: BatchSettings, now: float) -> bool:
    """
    Decide whether the batch should wait in the triggerer, because its worker will be idle.

    Polls that are under way do not count as work: with a slow cloud and many tasks some always are. The engine begins no
    more of them, and leaves when the last one has its answer (:attr:`.Machine.is_idle`).

    :param machine: The batch.
    :param settings: Its settings: ``deferrable``, and ``defer_idle_seconds``, the least time that is worth a deferral.
    :param now: Seconds since the epoch.
    """
    if not settings.deferrable or not machine.waits_for_cloud:
        return False
    running = [
        (max(0.0, now - work.task.submitted_epoch), machine.book.entry(work.task.operation, work.input_bytes))
        for work in machine.works.values()
        if work.phase in (Phase.RUNNING, Phase.POLLING)
    ]
    return will_be_idle(running, settings.defer_idle_seconds)


def next_look_at(machine: Machine, settings: BatchSettings, now: float) -> float | None:
    """
    Decide whether a worker is left because other batches have all documents that are not done.

    :param machine: The batch.
    :param settings: Its settings: ``deferrable``, and ``defer_idle_seconds``, the least time that is worth a deferral.
    :param now: Seconds since the epoch.
    :return: When to look at these documents again; ``None`` = the worker stays.
    """
    until = machine.state.busy_until
    if not settings.deferrable or until is None or not machine.waits_for_others:
        return None
    at = min(until, now + DEFERRED_LOOK_SECONDS, settings.deadline_at)
    return at if at - now >= settings.defer_idle_seconds else None

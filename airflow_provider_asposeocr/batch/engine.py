"""
Take the documents of a batch through their cloud steps.

Invariant: nothing is decided here. A pure machine says what to do; this does it, and tells the machine what came of it.
"""

from __future__ import annotations

import time
from random import random as usual_random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.http.retrying import Random
    from airflow_provider_asposeocr.batch.ending import Deferral, Ended, Progress, Stopped
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.running import RunningTask
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.batch.woken import Woken


class BatchEngine:
    """
    One try of a batch, in one event loop.

    :param batch: What is to be done.
    :param journal: The journal, which this process owns: made with ``Journal.create`` or ``Journal.take_over``.
    :param records: What the journal says so far, in its order; nothing where it was just created.
    :param settings: Limits and policies.
    :param client: The client of the batch's account, of this loop.
    :param woken: What the trigger has told, where the batch was deferred; by default nothing.
    :param on_progress: Called in the loop whenever a document has ended, at most once a second. It must not block.
    :param clock: Seconds since the epoch.
    :param random: Source of jitter.
    """

    def __init__(
        self,
        batch: Batch,
        journal: Any,
        records: Sequence[Mapping[str, Any]],
        settings: BatchSettings,
        client: AsyncCloudClient,
        *,
        woken: Woken | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        clock: Callable[[], float] = time.time,
        random: Random = usual_random,
    ) -> None:
        self._batch = batch

    async def run(self) -> Ended | Deferral:
        """
        Work until nothing is left to do, or until all that is under way runs in the cloud for a while.

        :return: How the try ends. With :class:`.ending.Deferral` nothing is lost if the process ends now.
        :raises JournalFencedError: if another process has taken the batch over; it goes on there.
        :raises StorageError: if the journal cannot be written. What runs in the cloud is left for the next try.
        """
        raise NotImplementedError

    def running(self) -> list[RunningTask]:
        """Return the cloud tasks that may run now, in the order of their documents. May be called from any thread."""
        raise NotImplementedError

    async def stop(self, *, cancel: bool, seconds: float) -> Stopped:
        """
        Submit nothing more; :meth:`run` returns afterwards.

        :param cancel: Whether the running cloud tasks are cancelled; if not, they are left for a later try.
        :param seconds: How long that may take.
        """
        raise NotImplementedError

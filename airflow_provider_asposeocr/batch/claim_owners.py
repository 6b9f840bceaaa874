"""
Find out whether the owner of a claim in the register may still work.

Invariant: Airflow decides. If it does not answer, the owner counts as one that works, and nothing is taken over.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.uris import same_place
from airflow_provider_asposeocr.ingestion.register import owner_by_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.ingestion.register import Owner
    from airflow_provider_asposeocr.ingestion.register_records import ClaimRecord

log = logging.getLogger(__name__)

#: How long an answer of Airflow about an owner is kept: a batch asks about each document of a batch that has ended.
_OWNER_SECONDS = 10.0


class ClaimOwners:
    """
    The owners of claims, as one batch sees them. Threads may share it.

    :param batch: The batch.
    :param journal: URI of its journal.
    :param installation: Name of its Airflow installation; may be empty.
    :param state_of: Asks Airflow for the state of the task instance of a claim; ``None`` = Airflow does not
        know that task instance, or does not know it yet. It may raise anything.
    :param monotonic: Seconds since any moment.
    """

    def __init__(
        self,
        batch: Batch,
        journal: str,
        installation: str,
        state_of: Callable[[ClaimRecord], str | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batch = batch
        self._journal = journal
        self._installation = installation
        self._state_of = state_of
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._owners: dict[str, tuple[float, Owner]] = {}

    def owner_of(self, claim: ClaimRecord) -> Owner:
        """
        Tell which batch has an open claim, and whether its task instance may still work. Blocks while it asks Airflow.

        :param claim: The claim.
        """
        if same_place(claim.place.journal) == same_place(self._journal):
            return "ours"
        if claim.installation != self._installation:
            return "foreign"
        instance = (claim.dag_id, claim.run_id, claim.task_id, claim.map_index)
        batch = self._batch
        if instance == (batch.dag_id, batch.run_id, batch.task_id, batch.map_index):
            # The claim is of this task instance itself: from before a Clear, or from after it, if this process was suspended
            # meanwhile.
            return "ended" if _clears(claim.place.journal) <= _clears(self._journal) else "alive"
        # The key is the journal: after a Clear, the same task instance is another owner, which may work.
        place = claim.place.journal
        with self._lock:
            known = self._owners.get(place)
            if known is None or self._monotonic() - known[0] > _OWNER_SECONDS:
                known = self._owners[place] = (self._monotonic(), self._ask(claim))
            return known[1]

    def _ask(self, claim: ClaimRecord) -> Owner:
        try:
            return owner_by_state(self._state_of(claim))
        except Exception as error:  # any error of Airflow's API
            log.warning(
                "Airflow does not return the state of a task that has claimed a document: %s", shown(error)
            )
            return "alive"


def _clears(journal: str) -> int:
    """Return the number that each Clear raises, which ends the URI of a journal."""
    number = journal.rstrip("/").rpartition("/")[2]
    return int(number) if number.isdecimal() else 0

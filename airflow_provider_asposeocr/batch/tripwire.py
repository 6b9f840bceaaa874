"""
The tripwire: one key in Airflow's ``task_state_store`` that says where a batch's journal is and how much it holds.

Invariant: a deleted journal is never taken for that of a batch that has not begun. The key is written after the empty
journal is durable and before the first document is sent. Airflow's UI shows it, with the progress of the batch.

Before Airflow 3.3 there is no such store. Then a journal that was deleted is not noticed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_asposeocr.api.printable import shown, shown_all, validation_problems
from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.lifecycle.store import least_retention

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

#: Key in the ``task_state_store``, and of the XCom that says where a batch's journal and manifest are.
BATCH_KEY = "aspose_ocr_batch"
#: Each write costs 20 ms of CPU in Airflow's API server, whatever it holds.
LEAST_SECONDS_BETWEEN_WRITES = 15.0
_ABSENT = object()


class TripwireRecord(BaseModel):
    """
    What the key holds.

    :param schema_version: Version of this form.
    :param journal: URI of the journal's folder.
    :param max_tries: Airflow's count when it was written: another one now means that the task was cleared.
    :param acknowledged: How many records the journal had.
    :param progress: What the batch has done so far, for people who look at it in Airflow's UI.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = 1
    journal: str = Field(min_length=1)
    max_tries: int
    acknowledged: int = Field(ge=0)
    progress: dict[str, Any] = {}


@dataclass(frozen=True)
class UnreadableTripwire:
    """
    What the key holds if it cannot be read: another version wrote it, or a person edited it.

    :param why: What is wrong, fit to be shown.
    :param max_tries: Airflow's count when it was written, if that can be read.
    """

    why: str
    max_tries: int | None = None


@dataclass(frozen=True)
class JournalPlan:
    """
    Which journal a try opens.

    :param uri: Its folder.
    :param must_exist: Whether it was begun by an earlier try, so that a missing one is an error.
    :param at_least: How many records it must have.
    :param superseded: Folder of the journal of the tries before a Clear: its cloud tasks are cancelled. If it
        cannot be read, that is only a warning, because the user wants to begin again.
    :param warning: What to log.
    """

    uri: str
    must_exist: bool = False
    at_least: int = 0
    superseded: str | None = None
    warning: str | None = None


def parse_tripwire(stored: Any) -> TripwireRecord | UnreadableTripwire:
    """
    Read the content of the key.

    :param stored: What the store returned.
    """
    try:
        return TripwireRecord.model_validate(stored)
    except ValidationError as error:
        max_tries = stored.get("max_tries") if isinstance(stored, dict) else None
        is_count = isinstance(max_tries, int) and not isinstance(max_tries, bool)
        return UnreadableTripwire(shown_all(validation_problems(error)), max_tries if is_count else None)


def plan_journal(
    found: TripwireRecord | UnreadableTripwire | None, max_tries: int, rendered_uri: str
) -> JournalPlan:
    """
    Decide which journal a try opens. Pure.

    :param found: What the tripwire says; ``None`` = it is not there.
    :param max_tries: Airflow's count now.
    :param rendered_uri: Where the parameters of this try would put the journal.
    :return: The plan. A retry opens the journal that the tripwire names, also if the parameters render differently now.
    :raises JournalError: if it cannot be read, and the task was not cleared since.
    """
    if found is None:
        return JournalPlan(rendered_uri)
    was_cleared = found.max_tries is not None and found.max_tries != max_tries
    if isinstance(found, UnreadableTripwire):
        what = f"The key {BATCH_KEY!r} in the task state store, which names the batch's journal"
        text = f"{what}, cannot be read: {found.why}."
        if not was_cleared:
            raise JournalError(f"{text} This try has sent nothing.")
        return JournalPlan(
            rendered_uri, warning=f"{text} What the earlier tries have submitted may be billed."
        )
    if was_cleared:
        return JournalPlan(rendered_uri, superseded=found.journal)
    return JournalPlan(found.journal, must_exist=True, at_least=found.acknowledged)


class Tripwire:
    """
    The tripwire of one task instance.

    :param store: Airflow's ``task_state_store``; ``None`` before Airflow 3.3.
    :param max_tries: Airflow's count now.
    :param clock: Seconds since any moment.
    """

    def __init__(self, store: Any, max_tries: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._max_tries = max_tries
        self._clock = clock
        self._journal = ""
        self._written_at = float("-inf")

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Tripwire:
        """
        Make the tripwire of the running task instance.

        :param context: Airflow's context.
        """
        return cls(context.get("task_state_store"), getattr(context["ti"], "max_tries", 0))

    def read(self) -> TripwireRecord | UnreadableTripwire | None:
        """
        Read the key. Blocks; not for an event loop.

        :return: What it holds; ``None`` if it is not there.
        """
        if self._store is None:
            return None
        try:
            stored = self._store.get(BATCH_KEY, _ABSENT)
        except ValueError as error:  # what a store of the user's has is no JSON
            return UnreadableTripwire(shown(error))
        return None if stored is _ABSENT else parse_tripwire(stored)

    def plan(self, rendered_uri: str) -> JournalPlan:
        """
        Decide which journal this try opens; see :func:`plan_journal`. Blocks; not for an event loop.

        :param rendered_uri: Where the parameters of this try would put the journal.
        :raises JournalError: if the key cannot be read.
        """
        found = self.read()
        try:
            return plan_journal(found, self._max_tries, rendered_uri)
        except JournalError:
            if found is not None and found.max_tries is None:
                # Written so that the Clear which the error advises is recognized as a Clear.
                self._set(TripwireRecord(journal=rendered_uri, max_tries=self._max_tries, acknowledged=1))
            raise

    def arm(self, journal_uri: str, acknowledged: int) -> None:
        """
        Write the key, after the journal was opened and before anything is sent. Blocks; not for an event loop.

        :param journal_uri: The journal's folder.
        :param acknowledged: How many records it has.
        """
        self._journal = journal_uri
        self._set(TripwireRecord(journal=journal_uri, max_tries=self._max_tries, acknowledged=acknowledged))

    async def note(self, acknowledged: int, progress: Mapping[str, Any], *, at_once: bool = False) -> bool:
        """
        Write how far the batch is, at most every 15 seconds. A store that does not answer is logged, no error.

        :param acknowledged: How many records the journal has.
        :param progress: What to show to people.
        :param at_once: Whether to write now, because the try ends or defers.
        :return: Whether it was written.
        """
        now = self._clock()
        if self._store is None or not (at_once or now - self._written_at >= LEAST_SECONDS_BETWEEN_WRITES):
            return False
        self._written_at = now
        record = TripwireRecord(
            journal=self._journal,
            max_tries=self._max_tries,
            acknowledged=acknowledged,
            progress=dict(progress),
        )
        try:
            # Not on the loop: Airflow raises DeadlockImminentError there while another request is under way.
            await asyncio.to_thread(self._set, record)
        except Exception as error:  # any error of the store's backend
            log.warning(
                "The progress of the batch cannot be written to the task state store: %s", shown(error)
            )
            return False
        return True

    def forget(self) -> None:
        """Delete the key, after the journal was deleted. Blocks; not for an event loop."""
        if self._store is not None:
            self._store.delete(BATCH_KEY)

    def _set(self, record: TripwireRecord) -> None:
        if self._store is not None:
            self._store.set(BATCH_KEY, record.model_dump(mode="json"), retention=least_retention())
            self._written_at = self._clock()

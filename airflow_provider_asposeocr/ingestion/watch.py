"""
Decide when the watcher of an inbox sends an event. Pure.

Invariant: its state is in memory only. After each start it sends an event as soon as there is a document, so that a lost
event costs time but no document. The run that the event starts lists the inbox and finds what is new.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_asposeocr.ingestion.inbox_files import InboxFile

#: Waits after errors of the storage, one after the other; the last one is repeated.
BACKOFF_SECONDS = (60.0, 120.0, 240.0, 480.0, 900.0)
#: An event lies in Airflow's database, and goes to each task of the run.
_MOST_EVENT_BYTES = 199


@dataclass
class Look:
    """
    One listing of the inbox, page by page.

    :param now: The present moment, in seconds of the process's own clock.
    :param quiet_seconds: How long a document must not have changed to count.
    :param most_files: With more documents than this, none is compared.
    :param earlier: When the documents of the listing before were first seen, by their keys.
    """

    now: float
    quiet_seconds: float = 0.0
    most_files: int = 10_000
    earlier: dict[bytes, float] = field(default_factory=dict)
    #: How many documents were listed.
    files: int = 0
    #: When each document was first seen with the version that it has.
    since: dict[bytes, float] = field(default_factory=dict)

    def take(self, page: Iterable[InboxFile]) -> bool:
        """
        Take a page of documents into account.

        :param page: The documents.
        :return: Whether to list the next page.
        """
        for file in page:
            self.files += 1
            if self.is_full:
                return False
            # These keys are compared in this process only, where a file has one spelling.
            text = f"{file.uri}\0{file.version or ''}"
            key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            self.since[key] = self.earlier.get(key, self.now)
        return True

    @property
    def is_full(self) -> bool:
        """Whether there are more documents than are compared."""
        return self.files > self.most_files

    def keys(self) -> set[bytes]:
        """Return the documents that have not changed for long enough: those that a run would read."""
        return {key for key, since in self.since.items() if self.now - since >= self.quiet_seconds}


@dataclass
class Speaker:
    """
    Decides after each listing whether the watcher sends an event.

    :param repeat_seconds: Time between two events if there are more documents than are compared.
    """

    repeat_seconds: float
    _told: set[bytes] = field(default_factory=set)
    _spoke_at: float | None = None

    def hears(self, look: Look) -> tuple[int, int] | None:
        """
        Take a listing.

        :param look: A listing that has ended, or is full.
        :return: How many documents there are, and how many of them no event has counted yet; ``None`` = no event is sent. A
            removed document is no reason for an event.
        """
        if look.is_full:
            self._told = set()
            if self._spoke_at is not None and look.now - self._spoke_at < self.repeat_seconds:
                return None
            self._spoke_at = look.now
            return look.files, look.files
        found = look.keys()
        new = len(found - self._told)
        # Only the present documents are kept: one that is removed and dropped again is new.
        self._told = found
        if not new:
            return None
        self._spoke_at = look.now
        return len(found), new


def event_payload(inbox: str, files: int, new: int) -> dict[str, Any]:
    """
    Make the payload of an event; it is less than 200 bytes of JSON.

    :param inbox: URI of the inbox, without connection. A long one is cut.
    :param files: How many documents there are.
    :param new: How many the last event did not know.
    """
    payload = {"inbox": inbox, "files": files, "new_since_last": new}
    while len(json.dumps(payload)) > _MOST_EVENT_BYTES:
        inbox = inbox[: len(inbox) - max(1, (len(json.dumps(payload)) - _MOST_EVENT_BYTES) // 12)]
        payload["inbox"] = f"{inbox}…"
    return payload


def backoff_seconds(errors: int) -> float:
    """
    Return how long to wait after errors of the storage.

    :param errors: How many there were one after the other; at least 1.
    """
    return BACKOFF_SECONDS[min(errors, len(BACKOFF_SECONDS)) - 1]

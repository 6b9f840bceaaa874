"""
The journal of the requests to the emulated cloud, and the count of accepted submits that the cloud would have billed.

Invariant: an entry contains no header and no body, and therefore no token, secret or document. Entries are numbered without
gaps in the order of arrival. Code uses this module from the event loop only.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Most entries that are kept, so that a load test does not fill the memory. The numbers continue above it.
MAX_ENTRIES = 100_000


@dataclass
class Entry:
    """
    One request to a path of the cloud.

    :param n: Number in the order of arrival, from 1.
    :param time: Time of the arrival, by the emulator's clock.
    :param method: HTTP method.
    :param path: Path as it was sent.
    :param id: Task id in the query, if there was one.
    :param status: HTTP status of the answer; ``None`` if there is no answer yet, or if the connection was dropped.
    :param task_id: Task that the request created or named, if it exists.
    :param account: Client id of a valid token, if there was one.
    :param request_bytes: Number of bytes of the request body that were read.
    :param faults: Kinds of the fault rules that applied.
    :param canned: Whether the answer contains results that do not depend on what the input shows.
    :param held: Whether a fault rule holds the request now.
    :param answered: Whether the emulator has finished the request.
    :param answer_lost: Whether the client cannot have received the whole answer: the emulator dropped the connection or cut
        the answer short, or the client had closed the connection before.
    """

    n: int
    time: float
    method: str
    path: str
    id: str | None
    status: int | None = None
    task_id: str | None = None
    account: str | None = None
    request_bytes: int = 0
    faults: list[str] = field(default_factory=list)
    canned: bool = False
    held: bool = False
    answered: bool = False
    answer_lost: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object."""
        return asdict(self)


class Journal:
    """The entries, and a method that waits for them."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._count = 0
        self._changed = asyncio.Event()

    def open(self, time: float, method: str, path: str, query_id: str | None) -> Entry:
        """Add an entry for a request that has arrived."""
        self._count += 1
        entry = Entry(self._count, time, method, path, query_id)
        self._entries.append(entry)
        self.announce()
        return entry

    def close(self, entry: Entry) -> None:
        """Mark the request of an entry as finished."""
        entry.answered = True
        self.announce()

    def since(self, n: int) -> list[Entry]:
        """Return the entries after number ``n``, oldest first."""
        return [entry for entry in self._entries if entry.n > n]

    async def wait_for(
        self, n: int, wanted: Callable[[Entry], bool], count: int, timeout_seconds: float
    ) -> list[Entry]:
        """
        Wait until the journal has ``count`` wanted entries after number ``n``.

        :param n: Number of an entry; only later ones count.
        :param wanted: Returns whether an entry is wanted.
        :param count: Number of entries to wait for.
        :param timeout_seconds: Longest wait in real time.
        :return: The wanted entries; fewer than ``count`` after ``timeout_seconds``.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            changed = self._changed
            found = [entry for entry in self.since(n) if wanted(entry)]
            if len(found) >= count or loop.time() >= deadline:
                return found
            try:
                await asyncio.wait_for(changed.wait(), deadline - loop.time())
            except TimeoutError:
                continue

    def clear(self) -> None:
        """Delete all entries and number new ones from 1."""
        self._entries.clear()
        self._count = 0
        self.announce()

    def announce(self) -> None:
        """Wake the callers of :meth:`wait_for` after a change."""
        self._changed.set()
        self._changed = asyncio.Event()


class Billing:
    """
    Accepted submits per operation.

    An accepted submit counts even if its answer does not arrive, because the cloud bills it. (The vendor does not document
    whether polls are billed, too.)
    """

    def __init__(self) -> None:
        self._accepted: Counter[str] = Counter()

    def count(self, operation: str) -> None:
        """Count one accepted submit."""
        self._accepted[operation] += 1

    def as_json(self) -> dict[str, int]:
        """Return the accepted submits per operation; operations without any are left out."""
        return dict(self._accepted)

    def restore(self, accepted: Mapping[str, int]) -> None:
        """Set the counts to those of an earlier emulator."""
        self._accepted = Counter(accepted)

    def clear(self) -> None:
        """Set all counts to 0."""
        self._accepted.clear()

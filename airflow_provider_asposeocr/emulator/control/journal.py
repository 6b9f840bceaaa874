"""
What was asked of the emulator, and what the cloud would have billed.

Invariant: an entry holds no header and no body, so neither tokens nor secrets nor documents can be read here;
entries are numbered without gaps in the order of arrival. Used from the event loop only.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Entries kept; a load test must not fill the memory. Numbers go on beyond it.
MAX_ENTRIES = 100_000


@dataclass
class Entry:
    """
    One request to a path of the cloud.

    :param n: Number in the order of arrival, from 1.
    :param time: Instant of the arrival, by the emulator's clock.
    :param method: HTTP method.
    :param path: Path as it was sent.
    :param id: Task id of the query, if there was one.
    :param status: HTTP status of the answer; ``None`` while there is none, or if the connection was dropped.
    :param task_id: Task that was created or asked for, if it exists.
    :param account: Client id of a valid token, if there was one.
    :param request_bytes: Bytes of the request body that were read.
    :param faults: Kinds of the fault rules that hit it.
    :param held: Whether a fault rule holds it back now.
    :param answered: Whether the emulator is done with the request.
    :param answer_lost: Whether the client can not have got the whole answer: the connection was dropped or the answer
        cut short, or the client had gone when it was to be sent.
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
    held: bool = False
    answered: bool = False
    answer_lost: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object."""
        return asdict(self)


class Journal:
    """The entries, and a way to wait for one."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._count = 0
        self._changed = asyncio.Event()

    def open(self, time: float, method: str, path: str, query_id: str | None) -> Entry:
        """Enter a request that has arrived."""
        self._count += 1
        entry = Entry(self._count, time, method, path, query_id)
        self._entries.append(entry)
        self.announce()
        return entry

    def close(self, entry: Entry) -> None:
        """Say that the emulator is done with a request."""
        entry.answered = True
        self.announce()

    def since(self, n: int) -> list[Entry]:
        """Return the entries after number ``n``, oldest first."""
        return [entry for entry in self._entries if entry.n > n]

    async def wait_for(
        self, n: int, wanted: Callable[[Entry], bool], count: int, timeout_seconds: float
    ) -> list[Entry]:
        """
        Wait until so many entries after number ``n`` are wanted ones.

        :param timeout_seconds: Longest wait in real time.
        :return: The wanted entries; fewer than ``count`` if the time was up.
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
        """Forget all entries and count from 1 again."""
        self._entries.clear()
        self._count = 0
        self.announce()

    def announce(self) -> None:
        """Let those who wait for an entry look again."""
        self._changed.set()
        self._changed = asyncio.Event()


class Billing:
    """
    Accepted submits per operation.

    A submit counts once it is accepted, whether or not its answer arrives: that is what the cloud bills (whether
    polls are billed as well is undocumented).
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
        """Start from numbers that were counted before."""
        self._accepted = Counter(accepted)

    def clear(self) -> None:
        """Start again from 0."""
        self._accepted.clear()

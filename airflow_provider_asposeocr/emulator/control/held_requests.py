"""
Requests that a fault rule holds until a test releases them.

Invariant: only a release ends the wait of a held request; there is no time limit. Code uses this module from the event loop
only.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.control.journal import Entry, Journal


class HeldRequests:
    """
    The requests that are held now.

    :param journal: Journal, whose entries show which requests are held.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._gates: dict[int, asyncio.Event] = {}

    async def wait(self, entry: Entry) -> None:
        """Hold a request until it is released."""
        gate = asyncio.Event()
        with self._held(entry, gate):
            await gate.wait()

    @contextmanager
    def _held(self, entry: Entry, gate: asyncio.Event) -> Iterator[None]:
        self._gates[entry.n] = gate
        entry.held = True
        self._journal.announce()
        try:
            yield
        finally:
            entry.held = False
            if self._gates.get(entry.n) is gate:  # After a reset, another request may have the same number.
                del self._gates[entry.n]

    def release(self, n: int | None = None) -> int:
        """
        Release held requests.

        :param n: Number of the request in the journal; by default all held requests.
        :return: The number of released requests.
        """
        numbers = list(self._gates) if n is None else [n]
        gates = [gate for number in numbers if (gate := self._gates.pop(number, None)) is not None]
        for gate in gates:
            gate.set()
        return len(gates)

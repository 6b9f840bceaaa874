"""
Choose the files of an inbox that the next batches read: the oldest ones that were not read yet, up to a limit of the user's.

Invariant: a file is chosen only if it is not in the index, and, where programs may still write into the inbox, only if two
readings of its version, ``quiet_seconds`` apart, are equal. A new file comes before one that earlier runs could not read.
Clocks are never compared: this process measures the time between the two readings, and files are ordered by the times of
their storage.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.ingestion.inbox_files import InboxFile, InboxListing, unchanged
from airflow_provider_asposeocr.ingestion.seen import key_at
from airflow_provider_asposeocr.ingestion.work_list import WorkFile, WorkList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_asposeocr.ingestion.inbox import AsposeOcrInbox
    from airflow_provider_asposeocr.ingestion.seen import SeenKeys


#: A file behind what it is ordered by: whether all others come before it, its age, and its name.
_Ranked = tuple[bool, float, str, InboxFile]


@dataclass
class Oldest:
    """
    The oldest of many files. At most twice as many as are wanted are in memory.

    :param most: How many are wanted.
    """

    most: int
    _kept: list[_Ranked] = field(default_factory=list)
    #: Files that sort after this one are not among the oldest.
    _last: _Ranked | None = None

    def add(self, file: InboxFile, *, is_put_back: bool = False) -> None:
        """
        Take a file into account.

        :param file: The file.
        :param is_put_back: Whether all others come before it, however young they are. No by default.
        """
        # By the name last, so that two runs choose alike.
        ranked = (is_put_back, file.changed_at, file.uri, file)
        if self._last is not None and ranked[:3] > self._last[:3]:
            return
        self._kept.append(ranked)
        if len(self._kept) >= 2 * self.most:
            self._kept = self._first()
            self._last = self._kept[-1]

    def files(self) -> list[InboxFile]:
        """Return the oldest files, the oldest first; of equally old ones in the order of their names."""
        return [ranked[-1] for ranked in self._first()]

    def _first(self) -> list[_Ranked]:
        return sorted(self._kept, key=itemgetter(0, 1, 2))[: self.most]


@dataclass(frozen=True)
class InboxPlan:
    """
    The files that are read next, and counts.

    :param files: The files, the oldest first.
    :param listed: How many documents the inbox has.
    :param new: How many of them were not read yet.
    :param growing: How many were chosen, but changed between the two readings; a later run takes them.
    :param refused: How many files cannot be read at all, for example links out of the inbox.
    :param oldest_at: When the oldest new document was last changed, in seconds since the epoch by the clock of its storage;
        0 = there is none, or the storage does not say it.
    :param others: How many files of the inbox are no documents by their name.
    :param failed: How many documents are left out because they have failed permanently.
    """

    files: tuple[InboxFile, ...]
    listed: int
    new: int
    growing: int = 0
    refused: int = 0
    oldest_at: float = 0.0
    others: int = 0
    failed: int = 0

    @property
    def left(self) -> int:
        """How many new documents are left to later runs."""
        return self.new - len(self.files)

    @property
    def size_bytes(self) -> int:
        """How large the chosen files are together, as far as the storage says."""
        return sum(file.size_bytes or 0 for file in self.files)


@dataclass(frozen=True)
class Clock:
    """
    Time, as this process measures it.

    :param monotonic: Seconds since any moment.
    :param sleep: Waits for some seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def plan_inbox(
    inbox: AsposeOcrInbox,
    pipeline: str,
    seen: SeenKeys,
    *,
    most: int,
    include_failed: bool = False,
    clock: Clock | None = None,
) -> InboxPlan:
    """
    Choose the files of an inbox that are read next. Blocks while it lists, and for ``quiet_seconds``.

    :param inbox: The inbox.
    :param pipeline: Name of the pipeline that reads it.
    :param seen: The files that it has read already.
    :param most: How many files are chosen at most.
    :param include_failed: Whether files that have failed permanently are read again.
    :param clock: By default the clock of this process.
    :return: The plan.
    :raises SourceError: if the inbox cannot be listed; :class:`.SourceUnreadableError` if its storage does not answer.
    """
    clock = clock or Clock()
    listing, oldest, listed, new, failed = InboxListing(inbox), Oldest(most), 0, 0, 0
    oldest_at = math.inf
    for page in listing.pages():
        listed += len(page)
        for file in page:
            key = key_at(pipeline, inbox.place_of(file.uri), file.version)
            if not seen.has(key, include_failed=include_failed):
                new += 1
                oldest_at = min(oldest_at, file.changed_at)
                oldest.add(file, is_put_back=key in seen.put_back)
            elif key not in seen.settled:
                failed += 1
    chosen = oldest.files()
    still = chosen
    if chosen and inbox.quiet:
        _wait_until(clock.monotonic() + inbox.quiet, clock)
        still = list(unchanged(chosen))
    growing = len(chosen) - len(still)
    return InboxPlan(
        tuple(still),
        listed,
        new,
        growing,
        listing.refused_files,
        oldest_at if new else 0.0,
        listing.other_files,
        failed,
    )


def _wait_until(moment: float, clock: Clock) -> None:
    while (left := moment - clock.monotonic()) > 0:
        clock.sleep(left)


def work_lists(
    files: Sequence[InboxFile], documents: int, *, register: str, base: str, pipeline: str
) -> Iterator[WorkList]:
    """
    Divide files among batches. Pure.

    :param files: The files, the oldest first.
    :param documents: How many a batch reads at most.
    :param register: URI of the register, with a slash at its end.
    :param base: URI of the inbox, with a slash at its end.
    :param pipeline: Name of the pipeline.
    :return: A work list for each batch, made while it is asked for.
    """
    for start in range(0, len(files), documents):
        part = files[start : start + documents]
        entries = tuple(WorkFile(file.uri, file.version, file.size_bytes) for file in part)
        yield WorkList(register, base, pipeline, entries)

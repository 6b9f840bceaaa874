"""
The watcher of an inbox, in the triggerer.

Invariant: it never submits, writes or remembers anything, never raises and never returns, because Airflow starts a trigger
that has ended again every two seconds. The storage is listed in a thread, so that the waits of other tasks in the process go
on. An event only wakes a DAG up: the run lists for itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.ingestion.inbox import IGNORE, PATTERN, AsposeOcrInbox
from airflow_provider_asposeocr.ingestion.watch import Look, Speaker, backoff_seconds, event_payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

log = logging.getLogger(__name__)

#: How long one look may take.
LOOK_SECONDS = 60.0
#: A changed connection or rotated key is noticed after this time at the latest.
FRESH_SECONDS = 3600.0
#: Files of one page. While a page is parsed, the waits of other tasks in the process are late.
PAGE_FILES = 200
_LEAST_INTERVAL_SECONDS = 10.0
#: Looks of many watchers are spread by up to this share of the interval.
_JITTER = 0.2


class AsposeOcrInboxTrigger(BaseEventTrigger):
    """
    Wake a DAG up when there are new documents in an inbox.

    :param folder: Absolute path or URI of the inbox; the other parameters up to ``quiet_seconds`` are those of
        :class:`.AsposeOcrInbox`, too.
    :param poll_interval_seconds: Time between two looks; 60 by default, at least 10.
    :param most_files: With more documents than this, they are not compared any more, because listing them slows the
        triggerer down; 10,000 by default. Then there is an event every ``repeat_seconds``.
    :param repeat_seconds: Time between two events where there are more than ``most_files`` documents; 900 by default.
    :raises InputError: at parse time, if the inbox cannot be meant.
    :raises ValueError: at parse time, if a number makes no sense.
    """

    def __init__(
        self,
        folder: str,
        pattern: str | None = None,
        ignore: list[str] | None = None,
        recursive: bool = True,
        quiet_seconds: float | None = None,
        poll_interval_seconds: float = 60.0,
        most_files: int = 10_000,
        repeat_seconds: float = 900.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.inbox = AsposeOcrInbox(
            folder,
            PATTERN if pattern is None else pattern,
            IGNORE if ignore is None else tuple(ignore),
            recursive,
            quiet_seconds,
        )
        if not poll_interval_seconds >= _LEAST_INTERVAL_SECONDS:
            raise ValueError(
                f"poll_interval_seconds must be at least {_LEAST_INTERVAL_SECONDS:g}, not {poll_interval_seconds!r}"
            )
        if not (isinstance(most_files, int) and most_files >= 1 and repeat_seconds > 0):
            raise ValueError(
                f"most_files must be 1 or more and repeat_seconds more than 0, not {most_files!r} and {repeat_seconds!r}"
            )
        self.poll_interval_seconds = poll_interval_seconds
        self.most_files = most_files
        self.repeat_seconds = repeat_seconds
        self._sleep: Callable[[float], Any] = asyncio.sleep
        self._monotonic: Callable[[], float] = time.monotonic
        self._look_seconds = LOOK_SECONDS
        self._since: dict[bytes, float] = {}
        self._fresh_at: float | None = None
        #: Set when the thread of the last look has ended.
        self._ended: threading.Event | None = None
        self._closed = threading.Event()
        self._warned = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and exactly the arguments of the constructor."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                **self.inbox.to_dict(),
                "poll_interval_seconds": self.poll_interval_seconds,
                "most_files": self.most_files,
                "repeat_seconds": self.repeat_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, speak if there is a reason, and sleep, for ever."""
        speaker, errors = Speaker(self.repeat_seconds), 0
        while True:
            told = None
            try:
                look = await self._look()
                told, errors = speaker.hears(look), 0
            except Exception as error:
                errors += 1
                self._fresh_at = None  # Credentials may have changed, or connections may be broken.
                self._warn(error, backoff_seconds(errors))
            if told is not None:
                yield TriggerEvent(event_payload(self.inbox.uri, *told))
            pause = backoff_seconds(errors) if errors else self.poll_interval_seconds
            await self._sleep(pause * (1 + _JITTER * random.random()))  # noqa: S311  # spreads looks

    async def cleanup(self) -> None:
        """End a listing that is under way at its next page."""
        self._closed.set()

    async def on_kill(self) -> None:
        """Do nothing: Airflow also calls this when the description of the inbox has changed."""

    def _warn(self, error: Exception, seconds: float) -> None:
        log.warning(
            "The inbox %s could not be listed: %s. The next look is in about %g seconds; the schedule of the DAG is not "
            "affected.",
            shown(self.inbox.uri, 300),
            shown(error) or type(error).__name__,
            seconds,
        )

    async def _look(self) -> Look:
        """List the inbox in a thread of its own. One that hangs is not joined by a second one."""
        if self._ended is not None and not self._ended.is_set():
            raise TimeoutError("the storage has not answered the last look yet")
        now = self._monotonic()
        is_fresh = self._fresh_at is None or now - self._fresh_at >= FRESH_SECONDS
        look = Look(now, self.inbox.quiet, self.most_files, self._since)
        await self._in_thread(lambda: self._list(look, now + self._look_seconds, is_fresh=is_fresh))
        if is_fresh:
            self._fresh_at = now
        self._since = look.since if self.inbox.quiet else {}
        if look.is_full and not self._warned:
            self._warned = True
            log.warning(
                "The inbox %s has more than %d documents, which are too many to compare in a triggerer. The watcher wakes "
                "the DAG up every %g seconds instead. Let the store notify a queue, or schedule the DAG by time.",
                shown(self.inbox.uri, 300),
                self.most_files,
                self.repeat_seconds,
            )
        return look

    def _list(self, look: Look, until: float, *, is_fresh: bool) -> None:
        # In the thread, because these imports take long.
        from airflow_provider_asposeocr.documents.file_systems import fresh_path, object_path
        from airflow_provider_asposeocr.ingestion.inbox_files import InboxListing

        # A file that cannot be read stays where it is: once a minute it would fill the log of the triggerer.
        listing = InboxListing(
            self.inbox, fresh_path if is_fresh else object_path, PAGE_FILES, warns=is_fresh
        )
        for page in listing.pages():
            if not look.take(page):
                break
            if self._closed.is_set() or self._monotonic() > until:
                raise TimeoutError(f"it took longer than {self._look_seconds:g} seconds")

    async def _in_thread(self, work: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        ended = self._ended = threading.Event()

        def end(error: BaseException | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        def run() -> None:
            problem: BaseException | None = None
            try:
                work()
            except Exception as error:
                problem = error
            ended.set()
            if not loop.is_closed():
                loop.call_soon_threadsafe(end, problem)

        # A daemon: a storage that does not answer must not keep the triggerer from ending.
        threading.Thread(target=run, name="aspose-ocr-inbox", daemon=True).start()
        async with asyncio.timeout(self._look_seconds):
            await done

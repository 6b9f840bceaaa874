"""
The triggers that ours is compared with: one that does nothing, and one that polls with aiohttp and nothing else.

Invariant: the floor polls as often as ours, over as many connections, reads the answer whole and looks at the
status, since no poll can do less.
"""

from __future__ import annotations

import asyncio
import json
from itertools import repeat
from random import random
from typing import TYPE_CHECKING, Any, ClassVar

import aiohttp
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class NoOpTrigger(BaseTrigger):
    """
    Sleeps as ours does between its polls.

    :param seconds: Mean time between two awakenings.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.NoOpTrigger", {"seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        for _ in repeat(None):
            await asyncio.sleep(self.seconds * (0.8 + 0.4 * random()))
        yield TriggerEvent(None)


class BareTrigger(BaseTrigger):
    """
    Polls a URL with one aiohttp session for all.

    :param url: URL of the status.
    :param token: Bearer token; never renewed.
    :param connections: Most connections of the session.
    :param seconds: Mean time between two polls.
    """

    session: ClassVar[aiohttp.ClientSession | None] = None

    def __init__(self, url: str, token: str, connections: int, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.url, self.token, self.connections, self.seconds = url, token, connections, seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kwargs = {
            "url": self.url,
            "token": self.token,
            "connections": self.connections,
            "seconds": self.seconds,
        }
        return f"{__name__}.BareTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        cls = type(self)
        if cls.session is None:
            cls.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=self.connections))
        headers = {"Authorization": f"Bearer {self.token}"}
        while True:
            await asyncio.sleep(self.seconds * (0.8 + 0.4 * random()))
            async with cls.session.get(self.url, headers=headers) as response:
                state = json.loads(await response.read())
            if state["taskStatus"] in ("Completed", "Error", "NotExist"):
                break
        yield TriggerEvent(state["taskStatus"])

"""Waiting for another process. Invariant: it ends, and whoever waited looks for himself at what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(holds: Callable[[], object], timeout_seconds: float = 30.0) -> None:
    """
    Give something time to become true; whoever checks it afterwards says that it has not.

    :param holds: Whether it is.
    :param timeout_seconds: Longest wait.
    """
    deadline = time.monotonic() + timeout_seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.3)

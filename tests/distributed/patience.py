"""Wait for another process. Invariant: the wait ends, and the caller checks the result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(holds: Callable[[], object], timeout_seconds: float = 30.0) -> None:
    """
    Wait until a condition is true, or the time is over; the caller checks the condition afterwards.

    :param holds: Whether it is.
    :param timeout_seconds: Longest wait.
    """
    deadline = time.monotonic() + timeout_seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.3)

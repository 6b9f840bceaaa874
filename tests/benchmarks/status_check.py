"""
What the HTTP provider's trigger asks about each answer. It loads this module anew with each poll.

Invariant: imports nothing, so that the rival is not charged for what is not its own.
"""

from __future__ import annotations

from typing import Any


async def has_ended(response: Any) -> bool:
    return response.json()["taskStatus"] in ("Completed", "Error", "NotExist")

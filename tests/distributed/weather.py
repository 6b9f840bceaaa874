"""
What the cloud does wrong during a storm.

Invariant: five in a hundred requests meet a fault, from the first to the last. Submits meet fewer of the faults that
leave a client not knowing whether it is billed, because a task instance may send a document again only once: with 300
submits a second loss in the same task instance must stay unlikely (below 1 % per storm), or storms would fail for it.
"""

from __future__ import annotations

from typing import Any

KINDS = frozenset({"status", "drop", "delay", "expired_token"})
#: Share of requests that meet some fault.
SHARE = 0.05
SLOW_SECONDS = 2.0
#: Of the submits: the answer is lost after, or instead of, the acceptance. 300 x 0.003² + 2 x 0.003 = 0.9 %.
LOST_AFTER, LOST_BEFORE = 0.0012, 0.0003
#: Of a batch's submits: the account has to wait a second, which the whole batch does.
TOO_MANY = 0.005


def rules(seed: int) -> list[dict[str, Any]]:
    """
    Make the fault rules.

    :param seed: Of all draws.
    """
    each, harmless = SHARE / 4, (SHARE - 2 * LOST_AFTER - 2 * LOST_BEFORE) / 2
    found: list[dict[str, Any]] = [
        {"kind": "status", "status": 503, "method": "GET", "probability": each},
        {"kind": "drop", "method": "GET", "probability": each},
        {"kind": "delay", "delay_seconds": SLOW_SECONDS, "method": "GET", "probability": each},
        {"kind": "expired_token", "method": "GET", "probability": each},
        {"kind": "expired_token", "method": "POST", "probability": harmless},
        {"kind": "delay", "delay_seconds": SLOW_SECONDS, "after": "accepted", "probability": harmless},
        {"kind": "status", "status": 503, "after": "accepted", "probability": LOST_AFTER},
        {"kind": "drop", "after": "accepted", "probability": LOST_AFTER},
        {"kind": "status", "status": 503, "method": "POST", "probability": LOST_BEFORE},
        {"kind": "drop", "method": "POST", "probability": LOST_BEFORE},
        {"kind": "status", "status": 503, "path": "/connect/token", "probability": SHARE / 2},
        {"kind": "drop", "path": "/connect/token", "probability": SHARE / 2},
    ]
    for rule in found:
        rule["seed"] = seed
    # However small the storm, each kind happens in it, and so do both kinds of unknown windows.
    found += [
        {"kind": "drop", "after": "accepted", "path": "*BinarizeImage", "count": 1},
        {"kind": "status", "status": 503, "after": "accepted", "path": "*RecognizeImage", "count": 1},
        {"kind": "delay", "delay_seconds": SLOW_SECONDS, "method": "GET", "count": 1},
        {"kind": "expired_token", "method": "GET", "count": 1},
    ]
    return found


def batch_rules(seed: int) -> list[dict[str, Any]]:
    """
    Make the fault rules of a storm over a batch: five in a hundred polls, fetches and submits.

    All submits that meet one are refused for certain: what is billed twice then comes from the blows alone, and from
    :func:`once`.

    :param seed: Of all draws.
    """
    each = SHARE / 4
    found: list[dict[str, Any]] = [
        {"kind": "status", "status": 503, "method": "GET", "probability": each},
        {"kind": "drop", "method": "GET", "probability": each},
        {"kind": "delay", "delay_seconds": SLOW_SECONDS, "method": "GET", "probability": each},
        {"kind": "expired_token", "method": "GET", "probability": each},
        {"kind": "expired_token", "method": "POST", "probability": SHARE - TOO_MANY},
        {
            "kind": "status",
            "status": 429,
            "headers": {"Retry-After": "1"},
            "method": "POST",
            "probability": TOO_MANY,
        },
    ]
    return [{**rule, "seed": seed} for rule in found]


def once() -> list[dict[str, Any]]:
    """Make rules that each strike once: both ways to lose the answer of a submit that was accepted."""
    return [
        {"kind": "drop", "after": "accepted", "path": "*BinarizeImage", "count": 1},
        {"kind": "status", "status": 503, "after": "accepted", "path": "*RecognizeImage", "count": 1},
    ]

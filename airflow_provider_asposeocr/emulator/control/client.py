"""
Client of the emulator's control API, for tests.

Invariant: waiting for a request is an event on the emulator's side, not a sleep on ours.
"""

from __future__ import annotations

import time
from typing import Any

import requests

#: The emulator is asked again after so long, so that one wait does not depend on one connection.
_POLL_SECONDS = 20.0


class EmulatorControl:
    """
    The control API of one emulator.

    :param url: The emulator's base URL, for example ``http://127.0.0.1:8080``.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/_emulator"

    def journal(self, since: int = 0) -> list[dict[str, Any]]:
        """
        Return the requests the cloud's paths have seen.

        :param since: Leave out entries up to this number ``n``.
        """
        entries: list[dict[str, Any]] = self._call("GET", "journal", params={"since": since})
        return entries

    def billing(self) -> dict[str, int]:
        """Return the accepted submits per operation, for example ``{"RecognizeImage": 2}``."""
        accepted: dict[str, int] = self._call("GET", "billing")
        return accepted

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks in the order of their submits, deleted ones included."""
        tasks: list[dict[str, Any]] = self._call("GET", "tasks")
        return tasks

    def clock(self) -> dict[str, float]:
        """Return ``now`` (seconds since the epoch) and ``advanced_seconds``."""
        clock: dict[str, float] = self._call("GET", "clock")
        return clock

    def advance_clock(self, seconds: float) -> dict[str, float]:
        """
        Move retention, token expiry, lock-outs and task durations forward.

        :param seconds: Seconds, 0 or more.
        """
        clock: dict[str, float] = self._call("POST", "clock", json={"advance_seconds": seconds})
        return clock

    def add_faults(self, *rules: dict[str, Any]) -> list[dict[str, Any]]:
        """
        Put fault rules in force; the kinds are in ``docs/emulator.md``.

        :param rules: For example ``{"kind": "status", "status": 503, "path": "RecognizeImage", "count": 2}``.
        :return: All rules in force, with their hits.
        :raises ValueError: if a rule is not one.
        """
        faults: list[dict[str, Any]] = self._call("POST", "faults", json=list(rules))
        return faults

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules in force, each as ``{"rule": ..., "hits": ..., "exhausted": ...}``."""
        faults: list[dict[str, Any]] = self._call("GET", "faults")
        return faults

    def clear_faults(self) -> None:
        """Lift all fault rules and let go what they hold: the outage is over."""
        self._call("DELETE", "faults")

    def release(self, n: int | None = None) -> int:
        """
        Let requests go on that a ``hold`` rule holds back; the rule stays in force.

        :param n: Number of the request in the journal; by default all that are held now.
        :return: How many were held.
        """
        released: dict[str, int] = self._call("POST", "release", params={} if n is None else {"n": n})
        return released["released"]

    def reset(self) -> None:
        """Forget tasks, journal, billing, faults, tokens and lock-outs, and return to real time."""
        self._call("POST", "reset")

    def wait_for_request(
        self,
        method: str | None,
        path_glob: str = "*",
        count: int = 1,
        timeout_seconds: float = 30.0,
        *,
        since: int = 0,
        answered: bool = True,
        held: bool = False,
    ) -> list[dict[str, Any]]:
        """
        Wait until the emulator has seen a request.

        :param method: HTTP method; ``None`` is any.
        :param path_glob: Glob on the path after ``/v5.0/ocr`` in any casing, or ``/connect/token``.
        :param count: Number of requests to wait for.
        :param timeout_seconds: Longest wait, in real time.
        :param since: Only entries after this number ``n`` count.
        :param answered: Wait until the emulator is done with them, not only for their arrival.
        :param held: Wait until a ``hold`` rule holds them back instead.
        :return: Their journal entries.
        :raises TimeoutError: if there were fewer when the time was up.
        """
        deadline = time.monotonic() + timeout_seconds
        wanted: dict[str, Any] = {"since": since, "path": path_glob, "count": count}
        wanted["held" if held else "answered"] = held or answered
        if method is not None:
            wanted["method"] = method
        while True:
            left = max(0.0, deadline - time.monotonic())
            wanted["wait_seconds"] = min(left, _POLL_SECONDS)
            entries: list[dict[str, Any]] = self._call("GET", "journal", params=wanted)
            if len(entries) >= count:
                return entries
            if not left:
                raise TimeoutError(
                    f"The emulator saw {len(entries)} of {count} requests {method or 'of any method'} {path_glob}"
                    f" in {timeout_seconds} seconds."
                )

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        with requests.Session() as session:
            session.trust_env = False  # The emulator is on this machine; a proxy is not to be asked for it.
            response = session.request(method, f"{self._url}/{path}", timeout=_POLL_SECONDS + 10, **arguments)
        if response.status_code == 422:
            raise ValueError(f"The emulator does not take this: {response.json()['detail']}")
        response.raise_for_status()
        return response.json()

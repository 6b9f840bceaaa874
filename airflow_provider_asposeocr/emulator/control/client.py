"""
The client of the emulator's control API, for tests.

To wait for a request, it sends one request to the emulator, which answers when the event has occurred. It does not sleep.
"""

from __future__ import annotations

import time
from typing import Any

import requests

#: After this time the client sends its request again, so that a wait does not depend on one connection.
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
        Return the requests that the cloud's paths have received.

        :param since: Return only entries after this number ``n``.
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
        Advance the clock that retention, token expiry, lock-outs and task durations follow.

        :param seconds: Seconds, 0 or more.
        """
        clock: dict[str, float] = self._call("POST", "clock", json={"advance_seconds": seconds})
        return clock

    def add_faults(self, *rules: dict[str, Any]) -> list[dict[str, Any]]:
        """
        Add fault rules; ``docs/emulator.md`` describes the kinds.

        :param rules: For example ``{"kind": "status", "status": 503, "path": "RecognizeImage", "count": 2}``.
        :return: All active rules, with the number of requests to which each has applied.
        :raises ValueError: if a rule is invalid.
        """
        faults: list[dict[str, Any]] = self._call("POST", "faults", json=list(rules))
        return faults

    def faults(self) -> list[dict[str, Any]]:
        """Return the active rules, each as ``{"rule": ..., "hits": ..., "exhausted": ...}``."""
        faults: list[dict[str, Any]] = self._call("GET", "faults")
        return faults

    def clear_faults(self) -> None:
        """Remove all fault rules, and release the requests that they hold."""
        self._call("DELETE", "faults")

    def release(self, n: int | None = None) -> int:
        """
        Release requests that a ``hold`` rule holds; the rule stays active.

        :param n: Number of the request in the journal; by default all held requests.
        :return: The number of released requests.
        """
        released: dict[str, int] = self._call("POST", "release", params={} if n is None else {"n": n})
        return released["released"]

    def reset(self) -> None:
        """Delete tasks, journal, billing, faults, tokens and lock-outs, and set the clock to real time."""
        self._call("POST", "reset")

    def wait_for_request(
        self,
        method: str | None,
        path_glob: str = "*",
        count: int = 1,
        timeout_seconds: float = 120.0,
        *,
        since: int = 0,
        answered: bool = True,
        held: bool = False,
    ) -> list[dict[str, Any]]:
        """
        Wait until the emulator has received and answered a request.

        :param method: HTTP method; ``None`` means any method.
        :param path_glob: Glob on the path after ``/v5.0/ocr`` in any casing, or ``/connect/token``.
        :param count: Number of requests to wait for.
        :param timeout_seconds: Longest wait, in real time. A process that submits may first have to import Airflow,
            which takes a minute on a busy machine.
        :param since: Count only entries after this number ``n``.
        :param answered: Whether to wait until the emulator has answered the requests; ``False`` waits for their arrival.
        :param held: Whether to wait until a ``hold`` rule holds the requests.
        :return: The journal entries of the requests.
        :raises TimeoutError: if fewer requests have come in this time.
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
                    f"The emulator received {len(entries)} of {count} requests {method or 'of any method'} {path_glob}"
                    f" in {timeout_seconds} seconds."
                )

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        with requests.Session() as session:
            session.trust_env = False  # The emulator is on this machine; a proxy cannot reach it.
            response = session.request(method, f"{self._url}/{path}", timeout=_POLL_SECONDS + 10, **arguments)
        if response.status_code == 422:
            raise ValueError(f"The emulator refuses this request: {response.json()['detail']}")
        response.raise_for_status()
        return response.json()

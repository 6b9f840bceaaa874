"""A sink for what the provider tells Airflow's metrics."""

from __future__ import annotations

import socket
from collections import defaultdict
from typing import Any


class Sink:
    """Remembers what it is sent, by name without prefix and by operation: sums of counters, lists of seconds, gauges."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str | None], int] = defaultdict(int)
        self.seconds: dict[tuple[str, str | None], list[float]] = defaultdict(list)
        self.gauges: dict[str, float] = {}

    def incr(self, name: str, value: int, *, tags: dict[str, str] | None) -> None:
        self.counts[_key(name, tags)] += value

    def timing(self, name: str, value: float, *, tags: dict[str, str] | None) -> None:
        self.seconds[_key(name, tags)].append(value / 1000)

    def gauge(self, name: str, value: float, *, tags: dict[str, str] | None) -> None:
        self.gauges[_key(name, tags)[0]] = value

    @property
    def names(self) -> set[str]:
        """The names of all metrics that came."""
        return {name for name, _ in (*self.counts, *self.seconds)} | set(self.gauges)


def _key(name: str, tags: dict[str, str] | None) -> tuple[str, str | None]:
    prefix, _, rest = name.partition(".")
    assert prefix == "aspose_ocr"
    return rest, tags["operation"] if tags else None


class UdpSink:
    """A StatsD server, as far as it receives: a UDP socket on a port of this machine."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.close()

    def received(self) -> list[str]:
        """Return the lines that came since the last call, of this provider alone."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return [line for line in lines if "aspose_ocr." in line]

    def settings(self) -> dict[str, str]:
        """Return the environment variables with which Airflow sends to it."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.port),
        }


def sent_to(sink: Any, lines: list[str]) -> Any:
    """Add lines of the StatsD protocol without tags to a sink."""
    for line in lines:
        name, _, rest = line.partition(":")
        value, _, kind = rest.partition("|")
        name = name[name.index("aspose_ocr.") :]
        method = {"c": sink.incr, "ms": sink.timing, "g": sink.gauge}[kind]
        method(name, int(value) if kind == "c" else float(value), tags=None)
    return sink

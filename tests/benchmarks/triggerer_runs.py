"""
Processes full of waits, for :mod:`.triggerer`.

Invariant: all kinds of waits poll the same running tasks of one emulator, equally often, and the emulator counts their
polls: no wait counts its own.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import requests

from airflow_provider_asposeocr.api.account import DEFAULT_CONNECTIONS
from airflow_provider_asposeocr.api.polling.plan import Cadence, WaitPlan
from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.benchmarks.measuring import CHECKOUT
from tests.benchmarks.tls_front import certificate, tls_front

if TYPE_CHECKING:
    from collections.abc import Iterator

WAITS = 1000
#: Mean time between two polls of a wait, so that the waits make 300 polls per second together.
INTERVAL_SECONDS = WAITS / 300
STATUS = "/v5.0/ocr/Utilities/GetTaskStatus"
SECRET = "emulator"


@dataclass(frozen=True)
class Run:
    """
    What one process was measured at.

    :param cpu_seconds: CPU time in the window.
    :param polls: Status requests that the emulator saw in the window.
    :param lag_seconds: The lag of the event loop that one in a thousand exceeds.
    :param collections: Generation and seconds of each collection of garbage in the window.
    :param bytes_per_wait: Bytes of Python objects per wait, if they were counted.
    :param connections: Most TCP connections to the emulator at once.
    :param tokens: Token requests, of the whole run.
    :param seconds: Time from the first request to the last one.
    """

    cpu_seconds: float
    polls: int
    lag_seconds: float
    collections: list[tuple[int, float]]
    bytes_per_wait: float
    connections: int
    tokens: int
    seconds: float


class Bench:
    """
    An emulator with as many running tasks as there are waits.

    :param emulator: Where the tasks are.
    :param url: Base URL that the waits are given: that of TLS in front of it.
    :param certificate: What the waits are to trust.
    """

    def __init__(self, emulator: EmulatorProcess, url: str, certificate: Path) -> None:
        self._url, self._certificate = url, certificate
        self._emulator = emulator
        self.control = emulator.control
        self._session = requests.Session()
        self._session.trust_env = False
        self._token = self._new_token()
        self._submitted_at = datetime.now(UTC)
        self._ids = [self._submit() for _ in range(WAITS)]
        self._seen = self.control.journal()[-1]["n"]

    def _new_token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._emulator.client_id,
            "client_secret": SECRET,
        }
        answer = self._session.post(f"{self._emulator.url}/connect/token", data=form)
        return str(answer.json()["access_token"])

    def _submit(self) -> str:
        answer = self._post_page()
        if (
            answer.status_code == HTTPStatus.UNAUTHORIZED
        ):  # On a slow machine a short-lived token ends meanwhile.
            self._token = self._new_token()
            answer = self._post_page()
        answer.raise_for_status()
        return answer.text

    def _post_page(self) -> requests.Response:
        return self._session.post(
            f"{self._emulator.url}/v5.0/ocr/RecognizeImage",
            json={"image": "iVBORw0KGgo=", "settings": {}},
            headers={"Authorization": f"Bearer {self._token}", "Accept": "text/plain"},
        )

    def waits(self, kind: str) -> tuple[str, list[dict[str, Any]]]:
        """
        Describe the waits of a kind.

        :param kind: ``ours``, ``bare``, ``http`` or ``nothing``.
        :return: Class path and constructor arguments of the triggers.
        """
        make = {"ours": self._ours, "bare": self._bare, "http": self._http, "nothing": self._nothing}[kind]
        described = [make(id) for id in self._ids]
        return described[0][0], [kwargs for _, kwargs in described]

    def _ours(self, id: str) -> tuple[str, dict[str, Any]]:
        reference = {
            "operation": "RecognizeImage",
            "id": id,
            "submitted_at": self._submitted_at.isoformat(),
            "conn_id": "ocr",
        }
        return "airflow_provider_asposeocr.triggers.task.AsposeOcrTaskTrigger", {
            "reference": reference,
            "plan": WaitPlan(time.time() + 3600, Cadence(INTERVAL_SECONDS, INTERVAL_SECONDS)).to_dict(),
        }

    def _bare(self, id: str) -> tuple[str, dict[str, Any]]:
        return "tests.benchmarks.rival_triggers.BareTrigger", {
            "url": f"{self._url}{STATUS}?id={id}",
            "token": self._token,
            "connections": DEFAULT_CONNECTIONS,
            "seconds": INTERVAL_SECONDS,
        }

    def _http(self, id: str) -> tuple[str, dict[str, Any]]:
        return "airflow.providers.http.triggers.http.HttpEventTrigger", {
            "http_conn_id": "status_url",
            "method": "GET",
            "endpoint": f"{STATUS}?id={id}",
            "headers": {"Authorization": f"Bearer {self._token}"},
            "response_check_path": "tests.benchmarks.status_check.has_ended",
            "poll_interval": INTERVAL_SECONDS,
        }

    def _nothing(self, _: str) -> tuple[str, dict[str, Any]]:
        return "tests.benchmarks.rival_triggers.NoOpTrigger", {"seconds": INTERVAL_SECONDS}

    def run(self, kind: str, window_seconds: float, count: int = WAITS, **options: Any) -> Run:
        """
        Run the waits of a kind in a process of their own.

        :param kind: As of :meth:`waits`.
        :param window_seconds: Length of the measurement.
        :param count: Number of waits.
        :param options: More fields of the job.
        :raises RuntimeError: if a wait ended before its time, since the others are then measured in vain.
        """
        classpath, waits = self.waits(kind)
        spread = INTERVAL_SECONDS * count / WAITS
        job = {"classpath": classpath, "waits": waits[:count], "spread_seconds": spread, **options}
        measured, connections = self._measured({**job, "window_seconds": window_seconds})
        if measured["ended"]:
            raise RuntimeError(f"A wait of {classpath} ended: {measured['ended'][0]}")
        seen = self._emulator.control.journal(self._seen)
        self._seen = max((entry["n"] for entry in seen), default=self._seen)
        polls = [
            entry
            for entry in seen
            if entry["path"] == STATUS and measured["began_at"] <= entry["time"] < measured["ended_at"]
        ]
        lags = sorted(measured["lags_seconds"])
        return Run(
            cpu_seconds=measured["cpu_seconds"],
            polls=len(polls),
            lag_seconds=lags[math.floor(len(lags) * 0.999)],
            collections=measured["collections"],
            bytes_per_wait=measured["bytes_per_wait"],
            connections=connections,
            tokens=sum(entry["path"] == "/connect/token" for entry in seen),
            seconds=seen[-1]["time"] - seen[0]["time"] if seen else 0.0,
        )

    def _measured(self, job: dict[str, Any]) -> tuple[dict[str, Any], int]:
        connections = 0
        with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as given:
            json.dump(job, given)
            given.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.triggerer_process"],
                cwd=CHECKOUT,
                env=os.environ | self._environment(home),
                stdin=given,
                stdout=subprocess.PIPE,
                text=True,
            )
            with process:
                inside = psutil.Process(process.pid)
                while process.poll() is None:
                    connections = max(connections, self._connections_of(inside))
                    time.sleep(0.2)
                assert process.stdout is not None
                said = process.stdout.read()
        if process.returncode:
            raise RuntimeError(f"The process with the waits failed: {said[-1000:]}")
        return json.loads(said.splitlines()[-1]), connections

    def _environment(self, home: str) -> dict[str, str]:
        url = self._url
        extra = {"max_requests_per_second": 1000, "ca_bundle": str(self._certificate)}
        ours = {"conn_type": "aspose_ocr", "host": url, "login": self._emulator.client_id, "password": SECRET}
        return {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # The default of 20 per second would hold 1,000 waits back; the benchmark wants their cost.
            "AIRFLOW_CONN_OCR": json.dumps({**ours, "extra": extra}),
            "SSL_CERT_FILE": str(self._certificate),
            "AIRFLOW_CONN_STATUS_URL": json.dumps({"conn_type": "http", "host": url}),
        }

    def _connections_of(self, process: psutil.Process) -> int:
        port = int(self._url.rpartition(":")[2])
        try:
            connections = process.net_connections("tcp")
        except psutil.Error:  # it has just ended
            return 0
        return sum(each.status == "ESTABLISHED" and each.raddr.port == port for each in connections)


@contextmanager
def bench(token_seconds: float = 3600.0) -> Iterator[Bench]:
    """
    Start an emulator whose tasks do not end, behind TLS.

    :param token_seconds: Life of an access token.
    """
    arguments = ("--engine", "canned", "--task-seconds", "1000000", "--token-seconds", str(token_seconds))
    with EmulatorProcess(*arguments) as emulator, tempfile.TemporaryDirectory() as folder:
        both = certificate(Path(folder))
        with tls_front(int(emulator.url.rpartition(":")[2]), both) as url:
            yield Bench(emulator, url, both)

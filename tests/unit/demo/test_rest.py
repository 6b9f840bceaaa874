"""The client of Airflow's REST API, against an API server that is too busy to answer in time."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from demo.rest import AirflowRest
from demo.rest_session import RestError

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_SECONDS = 0.3


class BusyAirflow(ThreadingHTTPServer):
    """
    Does what it is asked but answers the first request for each path only when the test is over.

    :ivar runs: Ids of the runs that were made.
    :ivar asked: Method and path of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.over = threading.Event()
        self.runs: list[str] = []
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: BusyAirflow

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(200, {"access_token": "t", "state": "success"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        run_id = body.get("dag_run_id", "of Airflow")
        known = run_id in self.server.runs
        if not known:
            self.server.runs.append(run_id)
        self._answer(409 if known else 200, {"dag_run_id": run_id})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        asked = (self.command, self.path)
        first = asked not in self.server.asked
        self.server.asked.append(asked)
        if first and self.path != "/auth/token":
            self.server.over.wait()
            return
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def busy() -> Iterator[BusyAirflow]:
    with BusyAirflow() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def rest(busy: BusyAirflow) -> AirflowRest:
    return AirflowRest(busy.url, request_seconds=REQUEST_SECONDS)


def test_a_slow_answer_is_waited_for(rest: AirflowRest) -> None:
    assert rest.wait_for_run("dag", "run", 60) == "success"


def test_a_run_whose_start_was_not_answered_is_started_once(rest: AirflowRest, busy: BusyAirflow) -> None:
    run_id = rest.trigger("dag")

    assert busy.runs == [run_id]
    assert len([path for method, path in busy.asked if method == "POST"]) > 1


def test_what_may_not_be_sent_twice_is_not(rest: AirflowRest, busy: BusyAirflow) -> None:
    with pytest.raises(RestError, match="was not answered"):
        rest.create_connection("ocr", "aspose_ocr")

    assert len([path for method, path in busy.asked if method == "POST"]) == 1


def test_a_wait_for_a_component_that_has_ended_is_over(busy: BusyAirflow) -> None:
    def check() -> None:
        raise RuntimeError("the API server has ended")

    with pytest.raises(RuntimeError, match="has ended"):
        AirflowRest(busy.url, check, request_seconds=REQUEST_SECONDS).run("dag", "run")

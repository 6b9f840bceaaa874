"""What `make airflow` prints: where Airflow is, who may log in, and what to do there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import pytest
from airflow.dag_processing.dagbag import DagBag
from starlette.routing import Match, Route

from airflow_provider_asposeocr.plugin import AsposeOcrPlugin
from demo.airflow_settings import settings
from demo.play import DAGS, INBOX, OUTBOX, PLAY, VIEWER_DAG, show_results, welcome, where_to_look
from demo.rest_session import RestError, WaitedTooLong

if TYPE_CHECKING:
    from pathlib import Path

    from demo.environment import DemoEnvironment

URL = "http://127.0.0.1:28080"
RUN_ID = "manual__7d0bd4b4-5c2f-4a8b-9a5d-0d1c0a1f6f7e"


def addresses(text: str) -> list[str]:
    """Return the paths of all printed addresses of Airflow."""
    return [urlsplit(address).path for address in re.findall(r"http://\S+", text)]


@pytest.fixture
def dags(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The DAGs of the playground, whose connections are those of two emulators."""
    for conn_id in ("ASPOSE_OCR_DEFAULT", "ASPOSE_OCR_TESSERACT"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", "{}")
    found: dict[str, Any] = {}
    for folder in DAGS:
        bag = DagBag(str(folder), bundle_name=folder.name)
        assert bag.import_errors == {}
        found |= bag.dags
    return found


class TestWelcome:
    def test_says_where_airflow_is_that_there_is_no_login_and_how_to_end(self) -> None:
        text = welcome(URL, ["rapidocr", "tesseract"])
        assert text.startswith(f"Open {URL} (there is no login: every visitor is an administrator)")
        assert "Ctrl-C ends everything." in text
        assert f"read from {INBOX}/ and write to {OUTBOX}/" in text
        assert f"Logs: {PLAY}" in text

    def test_there_is_no_login_indeed(self, tmp_path: Path) -> None:
        values = settings(tmp_path, [tmp_path], URL, 1)
        assert values["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "True"
        assert not any("AUTH_MANAGER_USERS" in name or name.endswith("__AUTH_MANAGER") for name in values)

    def test_its_dags_are_there(self, dags: dict[str, Any]) -> None:
        _, *paths = addresses(welcome(URL, ["rapidocr", "tesseract"]))
        assert paths == ["/dags/demo_rapidocr", "/dags/demo_tesseract"]
        assert {path.removeprefix("/dags/") for path in paths} <= dags.keys()
        assert [name for name in dags if name.startswith("aspose_ocr_")]

    def test_an_engine_that_does_not_run_is_not_named(self) -> None:
        assert "tesseract" not in welcome(URL, ["rapidocr"])


class TestWhereToLook:
    def test_the_first_address_is_that_of_a_document_with_words(self, dags: dict[str, Any]) -> None:
        path = addresses(where_to_look(URL, RUN_ID))[0]
        *_, dag_id, run_id, task_id, map_index = path.split("/")
        assert (run_id, map_index) == (RUN_ID, "0")
        fetch = dags[dag_id].get_task(unquote(task_id))
        assert fetch.task_type == "AsposeOcrFetchResultOperator"
        (recognize,) = (
            task for task in fetch.upstream_list if task.task_type == "AsposeOcrRecognizeImageOperator"
        )
        assert "Hocr" in recognize.settings["resultType"]

    def test_the_viewer_and_airflow_serve_the_addresses(self) -> None:
        document, run, in_airflow = addresses(where_to_look(URL, RUN_ID))
        (app,) = AsposeOcrPlugin.fastapi_apps
        from airflow_provider_asposeocr.viewer.app import pages

        for path in (document, run):
            assert path.startswith(f"{app['url_prefix']}/")
            scope = {"type": "http", "method": "GET", "path": path.removeprefix(app["url_prefix"])}
            routes = [route for route in pages.routes if isinstance(route, Route)]
            assert any(route.matches(scope)[0] is Match.FULL for route in routes), path
        assert in_airflow == f"/dags/{VIEWER_DAG}/runs/{RUN_ID}"
        assert any(view["name"] == "OCR results" for view in AsposeOcrPlugin.external_views)


@dataclass
class Rest:
    """Stands in for Airflow's REST API."""

    start_error: RestError | None = None
    ended: str | RestError = "success"
    started: list[str] = field(default_factory=list)
    known_after_seconds: float = 0.0

    def wait_for_dag(self, dag_id: str, timeout_seconds: float = 60.0) -> None:
        if self.known_after_seconds > timeout_seconds:
            raise WaitedTooLong(f"waited {timeout_seconds:.0f} s for DAG {dag_id} to be known")
        self.known_after_seconds = 0.0

    def start(self, dag_id: str) -> str:
        self.wait_for_dag(dag_id)
        if self.start_error is not None:
            raise self.start_error
        self.started.append(dag_id)
        return RUN_ID

    def wait_for_run(self, dag_id: str, run_id: str, timeout_seconds: float) -> str:
        if isinstance(self.ended, RestError):
            raise self.ended
        return self.ended


def printed(rest: Rest, capsys: pytest.CaptureFixture[str]) -> str:
    running = SimpleNamespace(rest=rest, airflow=SimpleNamespace(base_url=URL))
    show_results(cast("DemoEnvironment", running))
    return capsys.readouterr().out


class TestShowResults:
    def test_of_a_run_that_succeeds(self, capsys: pytest.CaptureFixture[str]) -> None:
        rest = Rest()
        text = printed(rest, capsys)
        assert rest.started == [VIEWER_DAG]
        assert text.endswith(f"{where_to_look(URL, RUN_ID)}\n")
        assert "not succeeded" not in text

    def test_of_a_machine_that_needs_minutes_to_read_the_dags(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert where_to_look(URL, RUN_ID) in printed(Rest(known_after_seconds=300), capsys)

    @pytest.mark.parametrize("ended", ["failed", WaitedTooLong("waited 600 s")], ids=str)
    def test_of_another_it_says_so_and_the_playground_goes_on(
        self, ended: str | RestError, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = printed(Rest(ended=ended), capsys)
        assert f"That run has not succeeded: {ended}" in text
        assert text.endswith(f"{where_to_look(URL, RUN_ID)}\n")

    def test_of_one_that_does_not_start_there_is_no_address(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = printed(Rest(start_error=WaitedTooLong("waited 60 s for DAG demo_viewer to be known")), capsys)
        assert "No scans were read: waited 60 s for DAG demo_viewer to be known" in text
        assert "http://" not in text

"""The pages about the emulator, for browsers and for programs."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_asposeocr import __version__
from airflow_provider_asposeocr.emulator.__main__ import main
from airflow_provider_asposeocr.emulator.control import faults
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.server import Emulator
    from tests.support.emulator_clients import CloudClient

PAGES = ["/", "/docs"]
BROWSER = {"Origin": "http://127.0.0.1", "Accept": "text/html"}


class Page(HTMLParser):
    """Collects what a page links to and loads, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = dict(attributes)
        if tag == "a":
            self.links.append(str(names.get("href")))
        elif tag in ("script", "link", "img", "iframe") or "src" in names:
            self.loaded.append(f"{tag} {names}")

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def test_the_console_script_is_the_command_line() -> None:
    (script,) = entry_points(group="console_scripts", name="aspose-ocr-emulator")

    assert script.load() is main


def test_its_help_has_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: aspose-ocr-emulator ")


def test_the_first_page_says_what_it_is_and_where_to_go(cloud: CloudClient) -> None:
    answer = requests.get(f"{cloud.url}/", timeout=PATIENCE_SECONDS)

    page = Page(answer.text)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Aspose.OCR Cloud emulator" in page.text
    assert __version__ in page.text
    assert "canned" in page.text
    for link in page.links:
        assert requests.get(f"{cloud.url}{link}", timeout=PATIENCE_SECONDS).status_code == 200, link


def test_health_says_what_it_is(cloud: CloudClient) -> None:
    answer = requests.get(f"{cloud.url}/health", timeout=PATIENCE_SECONDS)

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "name": "Aspose.OCR Cloud emulator",
        "version": __version__,
        "engine": "canned",
    }


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_load_nothing_from_anywhere(cloud: CloudClient, path: str) -> None:
    answer = requests.get(f"{cloud.url}{path}", headers=BROWSER, timeout=PATIENCE_SECONDS)

    assert Page(answer.text).loaded == []
    assert not re.search(r"url\(|@import|<script", answer.text)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", [*PAGES, "/health", "/openapi.json"])
def test_they_show_no_secret_and_leave_no_trace(
    cloud: CloudClient, canned_emulator: Emulator, path: str
) -> None:
    before = cloud.emulator.control.journal()

    text = requests.get(f"{cloud.url}{path}", timeout=PATIENCE_SECONDS).text

    assert cloud.emulator.control.journal() == before
    assert cloud.headers["Authorization"].split()[1] not in text
    assert "other" not in Page(text).text.split()  # The second account's id.


class TestDocs:
    def test_every_call_is_described(self, cloud: CloudClient) -> None:
        openapi = requests.get(f"{cloud.url}/openapi.json", timeout=PATIENCE_SECONDS).json()
        page = Page(requests.get(f"{cloud.url}/docs", timeout=PATIENCE_SECONDS).text)

        calls = [(method, path) for path, methods in openapi["paths"].items() for method in methods]
        assert len(calls) == 10
        for method, path in calls:
            operation = openapi["paths"][path][method]
            assert re.search(rf"\b{method.upper()}\s+{re.escape(path)}", page.text)
            assert operation["description"].split("\n")[0] in page.text
            for parameter in operation.get("parameters", []):
                assert parameter["description"] in page.text

    def test_every_fault_rule_is_described(self, cloud: CloudClient) -> None:
        page = Page(requests.get(f"{cloud.url}/docs", timeout=PATIENCE_SECONDS).text)

        for name in dir(faults):
            if name.endswith("Fault"):
                kind = getattr(faults, name).model_fields["kind"].annotation.__args__[0]
                assert f'"{kind}"' in page.text
                assert f"#{name}" in page.links

    def test_only_the_control_api_is_described(self, cloud: CloudClient) -> None:
        openapi = requests.get(f"{cloud.url}/openapi.json", timeout=PATIENCE_SECONDS).json()

        assert {path.split("/")[1] for path in openapi["paths"]} == {"_emulator"}


def test_other_paths_are_the_clouds(cloud: CloudClient) -> None:
    """They are refused and journalled as before; the cloud's API asks for its token."""
    assert requests.get(f"{cloud.url}/doc", timeout=PATIENCE_SECONDS).status_code == 404
    assert (
        requests.get(f"{cloud.url}/v5.0/ocr/RecognizeImage?id=x", timeout=PATIENCE_SECONDS).status_code == 401
    )
    assert [entry["path"] for entry in cloud.emulator.control.journal()[-2:]] == [
        "/doc",
        "/v5.0/ocr/RecognizeImage",
    ]

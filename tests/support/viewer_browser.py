"""Pages of the viewer in a browser, as a user with a role sees them."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Frame, Page, Request

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from demo.local_airflow import LocalAirflow
    from demo.rest import AirflowRest
    from tests.support.role_server import RoleServer

WAIT_MS = 60_000
#: Where pictures of the pages land.
SCREENSHOTS = Path(os.environ.get("ASPOSE_OCR_SCREENSHOTS") or "/tmp/aspose-ocr-screenshots")


@dataclass
class Seen:
    """A run of the DAG ``viewer``, the server that shows it, its Airflow and its cloud, and a folder for more files."""

    server: RoleServer
    rest: AirflowRest
    run_id: str
    folder: Path
    airflow: LocalAirflow
    cloud: EmulatorControl

    def manifest(self, task_id: str = "fetch") -> dict[str, Any]:
        """Return the manifest of a task."""
        found: dict[str, Any] = self.rest.xcom("viewer", self.run_id, task_id)
        return found

    def stored(self, name: str, content: bytes, type: str = "Text") -> dict[str, Any]:
        """Write a file; returns what a manifest says of it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        checksum = hashlib.sha256(content).hexdigest()
        return {"type": type, "uri": str(path), "bytes": len(content), "sha256": checksum, "skipped": False}

    def plant(self, value: Any, task_id: str = "other", key: str = "return_value") -> None:
        """As a user, write an XCom."""
        self.server.write_xcom("ulla", "viewer", self.run_id, task_id, value, key)

    @contextmanager
    def planted_batch(self, address: dict[str, Any]) -> Iterator[None]:
        """As a user, write the XCom of a batch, and delete it in the end: as long as it is there, no other XCom counts."""
        self.plant(address, key="aspose_ocr_batch")
        try:
            yield
        finally:
            task = f"/api/v2/dags/viewer/dagRuns/{self.run_id}/taskInstances/other"
            self.server.request("DELETE", f"{task}/xcomEntries/aspose_ocr_batch", "ulla")


class Pages:
    """
    Browser windows of one test.

    :param seen: The run and its server.
    :param browser: The browser.
    """

    def __init__(self, seen: Seen, browser: Browser) -> None:
        self._seen = seen
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.requests: list[str] = []
        self._finished: list[Request] = []
        self.problems: list[str] = []

    def open(
        self,
        path: str,
        name: str | None = "vera",
        *,
        width: int = 1280,
        scheme: str = "light",
        server: RoleServer | None = None,
    ) -> Page:
        """
        Open an address of the server.

        :param path: The address; ``{run}`` stands for the DAG and the run.
        :param name: The user; ``None`` = without a login.
        :param width: Of the window, in pixels.
        :param scheme: What the system prefers, ``light`` or ``dark``.
        :param server: Another server than that of the run.
        """
        server = server or self._seen.server
        size: Any = {"width": width, "height": 800}
        preferred: Any = scheme
        context = self._browser.new_context(viewport=size, color_scheme=preferred)
        self._contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        if name is not None:
            context.add_cookies([{"name": "_token", "value": server.token(name), "url": server.url}])
        page = context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfinished", lambda request: self._finished.append(request))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(f"{server.url}{path.replace('{run}', f'viewer/{self._seen.run_id}')}")
        return page

    def view(self, task_id: str, name: str | None = "vera", *, query: str = "", **options: Any) -> Page:
        """Open the page of a task instance."""
        return self.open(f"/aspose-ocr/view/{{run}}/{task_id}/-1{query}", name, **options)

    def wire_bytes(self) -> int:
        """Return how many bytes of answers have come over the wire, headers included."""
        sizes = [request.sizes() for request in self._finished]
        return sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes)

    def keep(self, name: str) -> None:
        """Keep a picture of the last page, over one of an earlier run of the tests."""
        if self._contexts and self._contexts[-1].pages:
            keep_picture(self._contexts[-1].pages[-1], name)

    def close(self) -> None:
        """Close all windows."""
        for context in self._contexts:
            context.close()


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of what a window shows."""
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def is_dark(page: Page | Frame) -> bool:
    """Tell whether a page, or one in a frame, has a dark background."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) < 3 * 128

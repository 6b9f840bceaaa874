"""`make airflow`, as a newcomer starts it, follows the address that it prints, and ends it with Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.processes import Service, session_members
from tests.support.airflow_stack import CHECKOUT
from tests.support.patience import PATIENCE_SECONDS
from tests.support.viewer_browser import keep_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.airflow

#: What it needs of a checkout; its files go into the checkout, and those of a developer's own playground have to stay.
NEEDED = ("Makefile", "demo", "example_dags", "airflow_provider_asposeocr")
#: Environments that exist: the interpreter of the tests has what they would install.
STAMPS = (".venv/demo.stamp", ".env-tessdata/stamp")
#: It prints all addresses of the viewer in one piece; this one is the last.
LAST_LINE = "the tab OCR results\n"


@dataclass
class Playground:
    """A running `make airflow`, and which sessions its processes are in."""

    service: Service
    sessions: set[int] = field(default_factory=set)

    def wait(self, what: str, holds: Callable[[], bool], *, alive: bool = True) -> None:
        """Wait until something holds; as long as it must be alive, fail at once when it has ended."""
        deadline = time.monotonic() + 3 * PATIENCE_SECONDS
        while not holds():
            if alive:
                self.service.check()
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.service.output()}"
            time.sleep(0.5)

    def look(self) -> None:
        """Note the sessions of all its processes. Each service has one, which has the tasks that it forks, too."""
        children = psutil.Process(self.service.pid).children(recursive=True)
        self.sessions |= {self.service.pid, *(os.getsid(child.pid) for child in children)}

    def left(self) -> dict[int, list[int]]:
        """Return the processes that run, by session."""
        return {session: found for session in self.sessions if (found := session_members(session))}

    def addresses(self) -> list[str]:
        """Return the printed addresses, from that of the document with words on."""
        (shown,) = re.findall(r"See what was read:\n(.*)", self.service.output(), re.DOTALL)
        return re.findall(r"http://\S+", shown)


@pytest.fixture
def playground(tmp_path: Path) -> Iterator[Playground]:
    for name in NEEDED:
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        copy(CHECKOUT / name, tmp_path / name)
    # Those of the make that runs the tests are no business of this one.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "-C", str(tmp_path), "airflow", f"BIN={Path(sys.executable).parent}"]
    old = [argument for stamp in STAMPS for argument in ("-o", stamp)]
    started = Playground(Service("make airflow", [*command, *old], env, tmp_path / "log.txt"))
    try:
        yield started
    finally:
        started.service.stop(60)
        for session in started.left().values():
            for pid in session:
                os.kill(pid, signal.SIGKILL)


def test_a_newcomer_sees_the_words_of_a_scan_in_boxes_and_nothing_is_left(
    playground: Playground, page: Page
) -> None:
    playground.wait("the addresses", lambda: LAST_LINE in playground.service.output())
    playground.look()
    assert len(playground.sessions) >= 6  # make, an emulator, and the four of Airflow
    assert "has not succeeded" not in playground.service.output()
    document, run, in_airflow = playground.addresses()

    answers: dict[str, int] = {}
    page.on("response", lambda answer: answers.update({answer.url: answer.status}))
    page.goto(document)
    page.wait_for_selector(".overlay .word")
    assert page.locator("h1").inner_text().startswith("01-75dpi.png")
    assert page.locator(".overlay .word").count() == page.locator(".words .word").count() > 40
    page.wait_for_load_state("networkidle")
    keep_picture(page, "make-airflow")
    data = {url: status for url, status in answers.items() if "/aspose-ocr/data/" in url}
    assert len(data) >= 3, answers  # the document, its picture and its hOCR
    assert set(data.values()) == {200}, data

    page.goto(run)
    page.wait_for_selector(".card")
    assert page.locator(".batches a").inner_text() == "batch"
    page.goto(in_airflow)
    page.get_by_role("link", name="OCR results").click()
    page.frame_locator("iframe").locator(".card").first.wait_for()

    playground.look()
    playground.service.signal(signal.SIGINT, whole_session=True)  # as a terminal does
    playground.wait("its end", lambda: not playground.service.members(), alive=False)
    assert "Everything that was started has been ended." in playground.service.output()
    assert playground.left() == {}

"""
What a look at the viewer costs the API server, compared with static files of the same size that the same server sends.

Invariant: the same process answers both, in turn, and its CPU time is what counts. The server is Airflow's own, with its
middleware and the rights of a user who has logged in. An OCR engine has read the page, and its pictures are those that a
worker makes: the server compresses hOCR, which random bytes would make cheaper or dearer.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import requests

from airflow_provider_asposeocr.emulator.work.jobs import Job
from airflow_provider_asposeocr.emulator.work.workers import available_engines, make_worker
from airflow_provider_asposeocr.previews.making import render_pages
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.benchmarks.measuring import Row, compared, in_turn, publish
from tests.support.drawn_pages import a4_page
from tests.support.viewer_world import DAG, RUN, StoredRun, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = int(os.environ.get("VIEWER_ROUNDS", "7"))
#: Looks at a page, and at a gallery, in one round: the kernel counts CPU time in hundredths of a second.
LOOKS = 40
GALLERIES = 4
CARDS = 50
PLUGINS = Path(__file__).parent / "plugins"
PLACE = f"{DAG}/{quote(RUN, safe='')}/fetch/-1"
#: Modules that the scripts of the page import.
MODULES = ("document.js", "details.js", "gallery.js", "overlay.js", "hocr.js", "blocks.js", "dom.js")
ONE_FILE = "one static file of that size"
SAME_FILES = "static files of those sizes, in as many requests"


@dataclass(frozen=True)
class ReadPage:
    """
    An A4 page full of small print.

    :param engine: The OCR engine that has read it.
    :param hocr: Its words and their places.
    :param picture: The picture that a worker makes of it.
    :param thumbnail: The small one.
    """

    engine: str
    hocr: bytes
    picture: bytes
    thumbnail: bytes


def read_page(folder: Path) -> ReadPage:
    """
    Draw a page, read it with an OCR engine of the emulator, and make its pictures.

    :param folder: Existing empty folder for the files of all that.
    """
    document, results, pictures = folder / "page.png", folder / "results", folder / "pictures"
    a4_page()[0].save(document)
    results.mkdir()
    pictures.mkdir()
    engine = "rapidocr" if available_engines()["tesseract"] else "tesseract"
    outcome = make_worker(engine)(Job("RecognizeImage", document, results, {"resultType": "TextAndHocr"}))
    (hocr,) = (result.path.read_bytes() for result in outcome.results if result.type == "Hocr")
    (page,) = render_pages(document, pictures).pages
    return ReadPage(engine, hocr, page.picture.read_bytes(), page.thumbnail.read_bytes())


class Server:
    """
    A running API server with results to show.

    :param airflow: The server.
    :param static: Folder of the rival's files.
    """

    def __init__(self, airflow: LocalAirflow, static: Path) -> None:
        self._airflow = airflow
        self._static = static
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {AirflowRest(airflow.base_url).token()}"
        self._session.headers["Accept-Encoding"] = "gzip"

    def get(self, path: str) -> Any:
        """Request an address; returns the answer."""
        answer = self._session.get(f"{self._airflow.base_url}{path}", timeout=300)
        answer.raise_for_status()
        return answer

    def cpu_ms(self) -> float:
        """Return the CPU time of the server and its processes so far."""
        server = psutil.Process(self._airflow.pid("api-server"))
        times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
        return 1000 * sum(each.user + each.system for each in times)

    def first_look(self) -> list[int]:
        """Do what a browser does that sees the page for the first time; returns the bytes of each answer on the wire."""
        answers = [self.get(f"/aspose-ocr/view/{PLACE}")]
        names = re.findall(r'static/([a-z.]+)"', answers[0].text)
        answers += [self.get(f"/aspose-ocr/static/{name}") for name in (*names, *MODULES)]
        answers.append(self.get(f"/aspose-ocr/data/instance/{PLACE}"))
        document = answers[-1].json()["document"]
        files = (document["pages"][0]["image"], document["results"][0])
        answers += [self.get(f"/aspose-ocr/{file['address']}") for file in files]
        return [_wire_bytes(answer) for answer in answers]

    def gallery(self) -> None:
        """Look at a gallery: its cards and their pictures."""
        cards = self.get(f"/aspose-ocr/data/rows/{PLACE.replace('fetch', 'batch')}").json()["cards"]
        for card in cards:
            self.get(f"/aspose-ocr/{card['thumbnail']}")

    def static_files(self, sizes: Sequence[int]) -> None:
        """Request files of the rival, one of each size."""
        for size in sizes:
            # Airflow compresses no picture, whatever it contains.
            path = self._static / f"{size}.webp"
            if not path.exists():
                path.write_bytes(os.urandom(size))
            self.get(f"/static-files/{path.name}")

    def cost_ms(self, look: Callable[[], object], looks: int) -> float:
        """Return the CPU time of one look."""
        before = self.cpu_ms()
        for _ in range(looks):
            look()
        return (self.cpu_ms() - before) / looks


def _wire_bytes(answer: requests.Response) -> int:
    sent = int(answer.headers.get("Content-Length") or len(answer.content))
    return sent + sum(len(name) + len(value) + 4 for name, value in answer.headers.items())


def store_results(run: StoredRun, read: ReadPage) -> None:
    """
    Store a page with its pictures, and a batch of pages with thumbnails.

    :param run: A run of Airflow.
    :param read: The page.
    """
    run.begin()
    page = {"number": 1, "width": 2480, "height": 3508, "image": run.stored("1.webp", read.picture)}
    small = run.stored("1-small.webp", read.thumbnail)
    run.fetched(run.result("page.hocr", read.hocr, "Hocr"), pages=[{**page, "thumbnail": small}])
    rows = []
    for number in range(CARDS):
        small = run.stored(f"small/{number}.webp", read.thumbnail)
        rows.append(manifest(pages=[{**page, "thumbnail": small}], first_words="How the text begins"))
    run.batch(*rows)


def rows(server: Server, read: ReadPage) -> Sequence[Row]:
    """
    Measure.

    :param server: The server.
    :param read: The page that it shows.
    """
    # The first requests of a process import modules and open connections to the database.
    sizes = server.first_look()
    server.gallery()
    ours, one, same = in_turn(
        ROUNDS,
        lambda: server.cost_ms(server.first_look, LOOKS),
        lambda: server.cost_ms(lambda: server.static_files([sum(sizes)]), LOOKS),
        lambda: server.cost_ms(lambda: server.static_files(sizes), LOOKS),
    )
    thumbnails = [len(read.thumbnail)] * CARDS
    galleries, pictures = in_turn(
        ROUNDS,
        lambda: server.cost_ms(server.gallery, GALLERIES),
        lambda: server.cost_ms(lambda: server.static_files(thumbnails), GALLERIES),
    )
    page = (
        f"{sum(sizes) / 1000:.0f} kB in {len(sizes)} requests: the page and its scripts, what is known of the document, the "
        f"picture of an A4 page ({len(read.picture) / 1000:.0f} kB), and its hOCR "
        f"({len(read.hocr) / 1000:.0f} kB, of {read.engine}), which the server compresses"
    )
    gallery = f"its rows and {CARDS} thumbnails of {len(read.thumbnail) / 1000:.1f} kB"
    what = f"CPU of the API server per gallery of {CARDS} documents"
    return [
        compared("CPU of the API server per first view of a page", ours, ONE_FILE, one, unit="ms", note=page),
        compared("the same", ours, SAME_FILES, same, unit="ms"),
        compared(what, galleries, "its thumbnails as static files", pictures, unit="ms", note=gallery),
    ]


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("static", "dags", "page"):
            (folder / each).mkdir()
        read = read_page(folder / "page")
        env = {
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
            "STATIC_FILES_FOLDER": str(folder / "static"),
        }
        with LocalAirflow(folder / "airflow", folder / "dags", env, components=("api-server",)) as airflow:
            store_results(StoredRun(airflow.home / "airflow.db", folder / "results"), read)
            publish("viewer", rows(Server(airflow, folder / "static"), read))


if __name__ == "__main__":
    main()

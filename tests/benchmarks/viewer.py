"""
What a look at the viewer costs the API server, compared with static files of the same size that the same server sends.

Invariant: the same process answers both, in turn, and its CPU time is what counts. The server is Airflow's own, with its
middleware and the rights of a user who has logged in.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import requests

from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.benchmarks.measuring import Row, compared, in_turn, publish
from tests.support.viewer_world import DAG, RUN, StoredRun, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = int(os.environ.get("VIEWER_ROUNDS", "7"))
#: Looks at a page, and at a gallery, in one round: the kernel counts CPU time in hundredths of a second.
LOOKS = 40
GALLERIES = 4
#: What an A4 page full of text takes: its picture, its hOCR, and a small picture.
PICTURE_BYTES, HOCR_BYTES, THUMBNAIL_BYTES = 200_000, 60_000, 6_000
CARDS = 50
PLUGINS = Path(__file__).parent / "plugins"
RIVAL = "static files of that size, as many bytes in one file for a page and one file for each picture of a gallery"


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

    def first_look(self) -> int:
        """Do what a browser does that sees the page for the first time; returns how many bytes came over the wire."""
        answers = [self.get(f"/aspose-ocr/view/{PLACE}")]
        names = re.findall(rb'static/([a-z.]+)"', answers[0].content)
        scripts = ("document.js", "details.js", "gallery.js", "overlay.js", "hocr.js", "dom.js")
        answers += [self.get(f"/aspose-ocr/static/{name}") for name in (*map(bytes.decode, names), *scripts)]
        answers.append(self.get(f"/aspose-ocr/data/instance/{PLACE}"))
        document = answers[-1].json()["document"]
        files = (document["pages"][0]["image"], document["results"][0])
        answers += [self.get(f"/aspose-ocr/{file['address']}") for file in files]
        return sum(_wire_bytes(answer) for answer in answers)

    def gallery(self) -> None:
        """Look at a gallery: its cards and their pictures."""
        cards = self.get(f"/aspose-ocr/data/rows/{PLACE.replace('fetch', 'batch')}").json()["cards"]
        for card in cards:
            self.get(f"/aspose-ocr/{card['thumbnail']}")

    def static_file(self, name: str, size: int, times: int = 1) -> None:
        """Request a file of the rival."""
        path = self._static / name
        if not path.exists():
            path.write_bytes(os.urandom(size))
        for _ in range(times):
            self.get(f"/static-files/{name}")

    def cost_ms(self, look: Callable[[], object], looks: int) -> float:
        """Return the CPU time of one look."""
        before = self.cpu_ms()
        for _ in range(looks):
            look()
        return (self.cpu_ms() - before) / looks


PLACE = f"{DAG}/{quote(RUN, safe='')}/fetch/-1"


def _wire_bytes(answer: requests.Response) -> int:
    sent = int(answer.headers.get("Content-Length") or len(answer.content))
    return sent + sum(len(name) + len(value) + 4 for name, value in answer.headers.items())


def store_results(run: StoredRun) -> None:
    """Store a page with a preview, and a batch of pages with thumbnails."""
    run.begin()
    hocr = run.result("page.hocr", os.urandom(HOCR_BYTES), "Hocr")
    picture = run.stored("1.webp", os.urandom(PICTURE_BYTES))
    page = {"number": 1, "width": 1131, "height": 1600, "image": picture}
    run.fetched(hocr, pages=[{**page, "thumbnail": run.stored("1-small.webp", os.urandom(THUMBNAIL_BYTES))}])
    rows = []
    for number in range(CARDS):
        small = run.stored(f"small/{number}.webp", os.urandom(THUMBNAIL_BYTES))
        rows.append(manifest(pages=[{**page, "thumbnail": small}], first_words="How the text begins"))
    run.batch(*rows)


def rows(server: Server) -> Sequence[Row]:
    """
    Measure.

    :param server: The server.
    """
    wire = server.first_look()
    server.gallery()
    ours, theirs = in_turn(
        ROUNDS,
        lambda: server.cost_ms(server.first_look, LOOKS),
        lambda: server.cost_ms(lambda: server.static_file("page.webp", wire), LOOKS),
    )
    galleries, pictures = in_turn(
        ROUNDS,
        lambda: server.cost_ms(server.gallery, GALLERIES),
        lambda: server.cost_ms(lambda: server.static_file("small.webp", THUMBNAIL_BYTES, CARDS), GALLERIES),
    )
    page = f"{wire / 1000:.0f} kB in 12 requests: the page and its scripts, what is known of the document, picture, hOCR"
    gallery = f"its rows and {CARDS} thumbnails of {THUMBNAIL_BYTES // 1000} kB"
    return [
        compared("First view of a page, CPU of the API server", ours, RIVAL, theirs, unit="ms", note=page),
        compared(
            f"Gallery of {CARDS} documents, likewise", galleries, RIVAL, pictures, unit="ms", note=gallery
        ),
    ]


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (static := folder / "static").mkdir()
        (dags := folder / "dags").mkdir()
        env = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS), "STATIC_FILES_FOLDER": str(static)}
        with LocalAirflow(folder / "airflow", dags, env, components=("api-server",)) as airflow:
            store_results(StoredRun(airflow.home / "airflow.db", folder / "results"))
            publish("viewer", rows(Server(airflow, static)))


if __name__ == "__main__":
    main()

"""
The viewer in a real API server with users of several roles, below a path as behind a proxy.

Each attack is what a user of Airflow can do with the REST API.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from airflow_provider_asposeocr.viewer.answers import NOT_VERIFIED
from demo.rest import AirflowRest
from tests.support.airflow_stack import SCAN
from tests.support.role_server import RoleServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.server import EmulatorProcess
    from demo.local_airflow import LocalAirflow

pytestmark = pytest.mark.airflow

LARGE_BYTES = 100 * 1024 * 1024


@dataclass
class Viewed:
    """A run of the DAG ``viewer`` and the server that shows it."""

    server: RoleServer
    run_id: str
    outbox: Path
    manifest: dict[str, Any]

    def data(self, kind: str, task_id: str, rest: str = "") -> str:
        return f"/aspose-ocr/data/{kind}/viewer/{self.run_id}/{task_id}/-1{rest}"

    def file(
        self, task_id: str = "fetch", part: str = "/0/results/0", name: str | None = "vera", **headers: str
    ) -> Any:
        return self.server.get(self.data("file", task_id, part), name, headers=headers, stream=True)

    def plant(self, task_id: str, *results: dict[str, Any]) -> None:
        """As a user, write a manifest into the XCom of a task."""
        forged = {**self.manifest, "results": list(results)}
        self.server.write_xcom("ulla", "viewer", self.run_id, task_id, forged)


@pytest.fixture(scope="module")
def viewed(
    airflow: LocalAirflow, emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Viewed]:
    emulator.control.reset()
    folder = tmp_path_factory.mktemp("viewer")
    (folder / "inbox").mkdir()
    for number in range(3):
        (folder / "inbox" / f"scan-{number}.png").write_bytes(SCAN.read_bytes())
    (folder / "inbox" / "no-image.png").write_bytes(b"text")
    rest = AirflowRest(airflow.base_url, airflow.check)
    outbox = folder / "outbox"
    conf = {"scan": str(SCAN), "inbox": f"{folder}/inbox/", "outbox": f"file://{outbox}/"}
    run_id = rest.start("viewer", conf)
    with RoleServer(airflow, "/x/") as server:
        assert rest.wait_for_run("viewer", run_id, timeout_seconds=600) == "success"
        yield Viewed(server, run_id, outbox, rest.xcom("viewer", run_id, "fetch"))


@pytest.fixture(autouse=True)
def restore(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the run as it was."""
    yield
    if "viewed" in request.fixturenames:
        viewed = request.getfixturevalue("viewed")
        viewed.server.write_xcom("ulla", "viewer", viewed.run_id, "fetch", viewed.manifest)


class TestRights:
    def test_without_a_login_the_page_is_served_and_no_data(self, viewed: Viewed) -> None:
        page = viewed.server.get(f"/aspose-ocr/view/viewer/{viewed.run_id}/fetch/-1", None)
        assert page.status_code == 200
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
        for path in (
            viewed.data("instance", "fetch"),
            viewed.data("rows", "batch"),
            f"/aspose-ocr/data/run/viewer/{viewed.run_id}",
        ):
            assert viewed.server.get(path, None).status_code == 401
        assert viewed.file(name=None).status_code == 401

    def test_a_viewer_sees_the_document(self, viewed: Viewed) -> None:
        view = viewed.server.get(viewed.data("instance", "fetch")).json()
        kinds = [file["kind"] for file in view["document"]["results"]]
        assert kinds == ["text", "other", "hocr"]
        for file, stored in zip(view["document"]["results"], viewed.manifest["results"], strict=True):
            content = viewed.server.get(f"/aspose-ocr/{file['address']}").content
            assert hashlib.sha256(content).hexdigest() == stored["sha256"]
        source = view["document"]["source_file"]
        assert viewed.server.get(f"/aspose-ocr/{source['address']}").content == SCAN.read_bytes()

    def test_a_viewer_sees_the_batch(self, viewed: Viewed) -> None:
        view = viewed.server.get(viewed.data("instance", "batch")).json()
        assert view["batch"]["outcomes"] == {"failed": 1, "succeeded": 3}
        failed = viewed.server.get(viewed.data("rows", "batch", "?outcome=failed")).json()["cards"]
        assert [(card["name"], card["error"]) for card in failed] == [("no-image.png", "SourceContentError")]

    def test_the_tab_of_a_submit_task_shows_the_document(self, viewed: Viewed) -> None:
        view = viewed.server.get(viewed.data("instance", "recognize")).json()
        assert view["document"]["results"][0]["address"].split("/")[4] == "fetch"

    def test_the_run_shows_all(self, viewed: Viewed) -> None:
        view = viewed.server.get(f"/aspose-ocr/data/run/viewer/{viewed.run_id}").json()
        assert [card["task"] for card in view["cards"]] == ["fetch", "fetch_binarized"]
        assert [batch["name"] for batch in view["batches"]] == ["batch"]

    def test_a_task_that_is_not_ours_says_so(self, viewed: Viewed) -> None:
        assert viewed.server.get(viewed.data("instance", "other")).json()["state"] == "not_ours"


class TestAttacks:
    def test_a_rewritten_manifest(self, viewed: Viewed) -> None:
        secret = Path("/etc/passwd")
        viewed.plant(
            "fetch",
            {
                "type": "Text",
                "uri": str(secret),
                "bytes": secret.stat().st_size,
                "sha256": "0" * 64,
                "skipped": False,
            },
        )
        answer = viewed.file()
        assert (answer.status_code, answer.json()) == (409, {"detail": NOT_VERIFIED})

    def test_a_planted_manifest(self, viewed: Viewed) -> None:
        viewed.plant(
            "other", {"type": "Text", "uri": "/etc/passwd", "bytes": 3, "sha256": "0" * 64, "skipped": False}
        )
        assert viewed.server.get(viewed.data("instance", "other")).status_code == 200
        answer = viewed.file("other")
        assert (answer.status_code, answer.json()) == (409, {"detail": NOT_VERIFIED})
        viewed.server.write_xcom("ulla", "viewer", viewed.run_id, "other", 42)

    def test_a_file_that_was_changed_at_equal_size(self, viewed: Viewed, tmp_path: Path) -> None:
        path = tmp_path / "page.txt"
        path.write_bytes(b"before")
        result = {
            "type": "Text",
            "uri": str(path),
            "bytes": 6,
            "sha256": hashlib.sha256(b"before").hexdigest(),
            "skipped": False,
        }
        viewed.plant("fetch", result)
        assert viewed.file().content == b"before"
        path.write_bytes(b"AFTER!")
        assert viewed.file().status_code == 409
        path.unlink()
        assert viewed.file().json() == {"detail": NOT_VERIFIED}

    @pytest.mark.parametrize(
        "uri", ["s3://no_such_connection@bucket/page.txt", "https://127.0.0.1:9/page.txt", "/dev/zero"]
    )
    def test_another_place(self, viewed: Viewed, uri: str) -> None:
        viewed.plant("fetch", {"type": "Text", "uri": uri, "bytes": 3, "sha256": "0" * 64, "skipped": False})
        answer = viewed.file()
        assert (answer.status_code, answer.json()) == (409, {"detail": NOT_VERIFIED})

    @pytest.mark.parametrize(
        ("part", "status"),
        [
            ("/0/results/9", 404),
            ("/0/results/-1", 422),  # no number of a file
            ("/0/results/..%2f..%2fetc%2fpasswd", 404),
            ("/1/results/0", 404),
            ("/0/x/0", 404),
        ],
    )
    def test_traversal(self, viewed: Viewed, part: str, status: int) -> None:
        assert viewed.file(part=part).status_code == status

    def test_nothing_can_be_changed(self, viewed: Viewed) -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert viewed.server.request(method, viewed.data("instance", "fetch"), "ulla").status_code == 405


class TestSending:
    def test_parts_and_what_a_browser_has(self, viewed: Viewed) -> None:
        whole = viewed.file()
        part = viewed.file(**{"Range": "bytes=2-5", "Accept-Encoding": "gzip"})
        assert (part.status_code, part.content) == (206, whole.content[2:6])
        assert viewed.file(**{"If-None-Match": whole.headers["etag"]}).status_code == 304

    def test_a_large_result_takes_no_memory_of_the_server(self, viewed: Viewed, tmp_path: Path) -> None:
        path = tmp_path / "large.pdf"
        digest = hashlib.sha256()
        with path.open("wb") as stream:
            for _ in range(LARGE_BYTES // 2**20):
                block = os.urandom(2**20)
                digest.update(block)
                stream.write(block)
        large = {
            "type": "Pdf",
            "uri": str(path),
            "bytes": LARGE_BYTES,
            "sha256": digest.hexdigest(),
            "skipped": False,
        }
        viewed.plant("fetch", {**large, "uri": str(path)})
        # The first request loads modules, which stay in memory.
        assert viewed.file(**{"Range": "bytes=0-0"}).status_code == 206
        before = _peak_bytes(viewed.server.pid)
        for encoding in ("identity", "gzip"):
            answer = viewed.file(**{"Accept-Encoding": encoding})
            assert answer.headers["content-length"] == str(LARGE_BYTES)
            assert sum(map(len, answer.iter_content(2**20))) == LARGE_BYTES
        grown = _peak_bytes(viewed.server.pid) - before
        assert grown < LARGE_BYTES // 4, f"{grown / 2**20:.0f} MiB more"


def _peak_bytes(pid: int) -> int:
    """Return the most memory that a process and its children have had."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    status = [Path(f"/proc/{process.pid}/status").read_text() for process in processes]
    return sum(int(text.partition("VmHWM:")[2].split()[0]) * 1024 for text in status)


def test_the_tabs_lead_to_the_page(viewed: Viewed) -> None:
    plugins = viewed.server.get("/api/v2/plugins").json()["plugins"]
    views = [
        view for plugin in plugins if plugin["name"] == "aspose_ocr" for view in plugin["external_views"]
    ]
    assert {view["destination"] for view in views} == {"task_instance", "dag_run"}
    for view in views:
        assert view["href"].startswith("/x/aspose-ocr/view/{DAG_ID}/")


def test_the_link_of_a_task_leads_to_the_page(viewed: Viewed) -> None:
    links = viewed.server.get(f"/api/v2/dags/viewer/dagRuns/{viewed.run_id}/taskInstances/fetch/links").json()
    (address,) = links["extra_links"].values()
    assert address.endswith(f"/aspose-ocr/view/viewer/{viewed.run_id}/fetch/-1")


def test_airflow_has_no_import_errors(viewed: Viewed) -> None:
    """A second plugin of the same name would be one."""
    assert viewed.server.get("/api/v2/plugins/importErrors").json()["import_errors"] == []

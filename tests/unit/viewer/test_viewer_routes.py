"""The rights that each route of the viewer asks for."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute

from airflow_provider_asposeocr import viewer
from airflow_provider_asposeocr.plugin import LazyViewer
from airflow_provider_asposeocr.viewer.answers import BROKEN
from airflow_provider_asposeocr.viewer.app import _STATIC, PAGE_POLICY, make_app
from tests.support.viewer_world import DAG, RUN, manifest

if TYPE_CHECKING:
    from tests.support.viewer_world import ViewerWorld

#: Routes without data; each other route must ask for rights.
PUBLIC = {"/view/{dag_id}/{run_id}", "/view/{dag_id}/{run_id}/{task_id}/{map_index}", "/static/{name}"}


def routes_of(app: Any) -> list[APIRoute]:
    """Return all routes, also of routers that FastAPI keeps whole; a route of another kind is a failure."""
    found: list[APIRoute] = []
    for route in app.routes:
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        if inner is not None:
            found += routes_of(route.original_router)
        else:
            assert isinstance(route, APIRoute), route
            found.append(route)
    return found


ROUTES = routes_of(make_app())
GUARDED = [route for route in ROUTES if route.path not in PUBLIC]
ADDRESSES = {
    "/data/run/{dag_id}/{run_id}": f"/data/run/{DAG}/{RUN}",
    "/data/instance/{dag_id}/{run_id}/{task_id}/{map_index}": f"/data/instance/{DAG}/{RUN}/fetch/-1",
    "/data/rows/{dag_id}/{run_id}/{task_id}/{map_index}": f"/data/rows/{DAG}/{RUN}/batch/-1",
    "/data/row/{dag_id}/{run_id}/{task_id}/{map_index}/{row}": f"/data/row/{DAG}/{RUN}/fetch/-1/0",
    "/data/file/{dag_id}/{run_id}/{task_id}/{map_index}/{row}/{part}/{number}": (
        f"/data/file/{DAG}/{RUN}/fetch/-1/0/results/0"
    ),
}


def test_the_routes_are_those_that_are_tested_here() -> None:
    assert {route.path for route in GUARDED} == set(ADDRESSES)
    assert {route.path for route in ROUTES} >= PUBLIC


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.path)
def test_a_route_with_data_asks_for_the_rights_to_the_dag_in_its_path(
    route: APIRoute, world: ViewerWorld
) -> None:
    assert "{dag_id}" in route.path
    world.fetched(world.result("page.txt", b"text"))
    world.batch(manifest(world.result("page.txt", b"text")))
    assert world.get(ADDRESSES[route.path]).status_code == 200
    assert set(world.auth.asked) == {("GET", "XCOM", DAG), ("GET", "TASK_INSTANCE", DAG)}


@pytest.mark.parametrize("address", ADDRESSES.values())
@pytest.mark.parametrize(
    ("token", "status"),
    [(None, 401), ("forged", 403), ("without-xcoms", 403), ("without-states", 403), ("of-another-dag", 403)],
)
def test_without_the_rights_there_is_nothing(
    world: ViewerWorld, address: str, token: str | None, status: int
) -> None:
    world.fetched(world.result("page.txt", b"the text of a page"))
    answer = world.get(address, token)
    assert answer.status_code == status
    assert b"the text" not in answer.content


def test_rights_to_another_dag_do_not_help(world: ViewerWorld) -> None:
    world.fetched(world.result("page.txt", b"text"))
    address = f"/data/instance/{DAG}/{RUN}/fetch/-1"
    assert world.get(f"{address}?dag_id=other", "of-another-dag").status_code == 403
    assert world.get(f"/data/instance/~/{RUN}/fetch/-1", "of-another-dag").status_code == 404
    assert world.get(f"/data/run/~/{RUN}", "of-another-dag").json()["cards"] == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_nothing_can_be_changed(route: APIRoute) -> None:
    assert route.methods == {"GET"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods_are_refused(world: ViewerWorld, method: str) -> None:
    for address in (*ADDRESSES.values(), f"/view/{DAG}/{RUN}"):
        answer = world.client.request(method, address, headers={"Authorization": "Bearer reader"})
        assert answer.status_code == 405


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.path)
def test_a_route_that_reads_a_storage_holds_nobody_up(route: APIRoute) -> None:
    """A coroutine that blocks would stop the whole API server; functions run in threads."""
    assert not inspect.iscoroutinefunction(route.endpoint)


class TestPages:
    @pytest.mark.parametrize("address", [f"/view/{DAG}/{RUN}", f"/view/{DAG}/{RUN}/fetch/-1"])
    def test_the_page_holds_no_data(self, world: ViewerWorld, address: str) -> None:
        """Everybody may load it, so it is the same for each address of a kind."""
        answer = world.get(address, None)
        assert answer.status_code == 200
        assert answer.content == world.get(re.sub(r"scans|fetch", "secret", address), None).content
        assert world.auth.asked == []
        assert DAG not in answer.text

    def test_its_policy_is_strict(self, world: ViewerWorld) -> None:
        answer = world.get("/view/{place}", None)
        assert answer.headers["content-security-policy"] == PAGE_POLICY
        assert "unsafe" not in PAGE_POLICY
        assert PAGE_POLICY.startswith("default-src 'none'")
        assert "frame-ancestors 'self'" in PAGE_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_it_finds_its_own_files_below_any_folder(self, world: ViewerWorld) -> None:
        for address in ("/view/{place}", "/view/{place}/fetch/-1"):
            page = world.get(address, None)
            links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
            assert len(links) == 2
            for link in links:
                assert page.url.join(link).path.startswith("/static/")
                assert world.client.get(page.url.join(link)).status_code == 200

    def test_its_modules_import_only_what_is_served(self, world: ViewerWorld) -> None:
        seen, left = set(), {"main.js"}
        while left:
            name = left.pop()
            seen.add(name)
            answer = world.get(f"/static/{name}", None)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
            left |= set(re.findall(r'from "\./([\w.]+)"', answer.text)) - seen
        assert len(seen) > 4

    @pytest.mark.parametrize("name", ["viewer.html", "..%2fapp.py", "app.py", "../app.py", "", "nothing.js"])
    def test_nothing_else_is_served(self, world: ViewerWorld, name: str) -> None:
        assert world.get(f"/static/{name}", None).status_code == 404

    def test_its_files_are_sent_once(self, world: ViewerWorld) -> None:
        etag = world.get("/static/main.js", None).headers["etag"]
        assert world.get("/static/main.js", None, **{"If-None-Match": etag}).status_code == 304

    def test_it_never_makes_markup_of_data(self, world: ViewerWorld) -> None:
        """Texts of the cloud and of hOCR enter the page as texts alone."""
        for name in sorted(name for name in _STATIC if name.endswith(".js")):
            text = world.get(f"/static/{name}", None).text
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\b"
                r"|new Function|srcdoc|setHTML|importNode|adoptNode|cloneNode",
                text,
            ), name


def test_the_api_server_decodes_no_pictures() -> None:
    """A picture is untrusted, and a decoder has crashed before: that is left to browsers and to a process of a worker."""
    decoders = ("PIL", "pypdfium2", "airflow_provider_asposeocr.previews")
    sources = sorted(Path(viewer.__file__).parent.rglob("*.py"))
    imported = {
        name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
        )
    }
    assert len(sources) > 10
    assert "airflow_provider_asposeocr.viewer.verified" in imported
    assert not [name for name in imported if name.startswith(decoders)]


def test_an_error_tells_nothing_of_the_server(
    world: ViewerWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("postgresql://airflow:the-password@db/")

    monkeypatch.setattr("airflow_provider_asposeocr.viewer.app.view_instance", broken)
    answer = world.get("/data/instance/{place}/a%1B[31mb/-1")
    assert answer.status_code == 500
    assert answer.json() == {"detail": BROKEN}
    (said,) = (message for message in caplog.messages if message.startswith("The viewer failed"))
    assert said.endswith(r"/a\x1b[31mb/-1")


@pytest.mark.parametrize("address", ["row/{place}/fetch/-1/%s", "file/{place}/fetch/-1/0/results/%s"])
def test_an_endless_number_makes_no_sense_and_breaks_nothing(world: ViewerWorld, address: str) -> None:
    """Python reads no more than 4,300 digits. Whoever has no right learns nothing else."""
    for number in ("9" * 5000, "9" * 30, "-1", "x"):
        assert world.get(f"/data/{address}" % number).status_code == 422
        assert world.get(f"/data/{address}" % number, None).status_code == 401


@pytest.mark.parametrize(
    "address",
    ["/data/run/{place}?page=-1", "/data/run/{place}?page=x", f"/data/run/{{place}}?outcome={'x' * 101}"],
)
def test_what_makes_no_sense_is_not_repeated(world: ViewerWorld, address: str) -> None:
    answer = world.get(address)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "The address makes no sense."}


@pytest.mark.parametrize("address", ["/docs", "/redoc", "/openapi.json", "/", "/data", "/view/{place}/"])
def test_there_is_nothing_besides(world: ViewerWorld, address: str) -> None:
    assert world.get(address).status_code == 404


async def test_the_viewer_is_loaded_with_the_first_request() -> None:
    lazy = LazyViewer()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    assert lazy._app is None
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/static/main.js",
        "raw_path": b"/static/main.js",
        "query_string": b"",
        "headers": [],
        "root_path": "",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
    }
    await lazy(scope, receive, send)
    assert sent[0]["status"] == 200
    first = lazy._app
    assert first is not None
    await lazy(scope, receive, send)
    assert lazy._app is first

"""
The routes of the viewer.

Invariant: each route with data asks Airflow for the right to read the XComs of the DAG in its path. A mounted application
inherits no authentication from Airflow. The pages themselves hold no data, and need no login.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.viewer.answers import BROKEN, NO_SUCH_FILE, RefusedError
from airflow_provider_asposeocr.viewer.delivery import GUARDS, deliver
from airflow_provider_asposeocr.viewer.galleries import view_rows, view_run
from airflow_provider_asposeocr.viewer.instances import view_instance, view_row
from airflow_provider_asposeocr.viewer.manifests import find_file
from airflow_provider_asposeocr.viewer.places import Place, parse_map_index, read_document
from airflow_provider_asposeocr.viewer.ranges import etag_of, names_etag

log = logging.getLogger(__name__)

#: The page may load only files of the viewer, and only Airflow may show it in a frame.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
_PAGE_GUARDS = {**GUARDS, "Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
#: Where the page's own files are; nothing else is served.
_STATIC = frozenset(
    {
        "viewer.css",
        "main.js",
        "document.js",
        "details.js",
        "gallery.js",
        "overlay.js",
        "hocr.js",
        "blocks.js",
        "dom.js",
    }
)
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

# Airflow's function reads the path parameter of this name; with another name it would check the right to any DAG. The
# states of task instances are a right of their own.
data = APIRouter(
    prefix="/data",
    dependencies=[
        Depends(requires_access_dag("GET", DagAccessEntity.XCOM)),
        Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)),
    ],
)
pages = APIRouter()

_PageNumber = Annotated[int, Query(ge=0, le=1_000_000)]
# No ``{row:int}``: Starlette converts it before rights are checked, and fails at more digits than Python reads.
_Index = Annotated[int, Path(ge=0, le=1_000_000_000)]
_Word = Annotated[str | None, Query(max_length=100)]


def _place(dag_id: str, run_id: str, task_id: str, map_index: str) -> Place:
    return Place(dag_id, run_id, task_id, parse_map_index(map_index))


_PlaceDep = Annotated[Place, Depends(_place)]


def _answer(view: dict[str, Any]) -> JSONResponse:
    return JSONResponse(view, headers=GUARDS)


# The routes are no coroutines, because storages and the database block: Starlette runs them in threads.


@data.get("/run/{dag_id}/{run_id}")
def run(dag_id: str, run_id: str, page: _PageNumber = 0, outcome: _Word = None) -> JSONResponse:
    """Return a page of the gallery of a run."""
    return _answer(view_run(dag_id, run_id, page, outcome))


@data.get("/instance/{dag_id}/{run_id}/{task_id}/{map_index}")
def instance(place: _PlaceDep) -> JSONResponse:
    """Return what a task instance has stored, or why there is nothing to show."""
    return _answer(view_instance(place))


@data.get("/rows/{dag_id}/{run_id}/{task_id}/{map_index}")
def rows(place: _PlaceDep, page: _PageNumber = 0, outcome: _Word = None, error: _Word = None) -> JSONResponse:
    """Return a page of the gallery of a batch."""
    return _answer(view_rows(place, page, outcome, error))


@data.get("/row/{dag_id}/{run_id}/{task_id}/{map_index}/{row}")
def row(place: _PlaceDep, row: _Index) -> JSONResponse:
    """Return a document of a batch."""
    return _answer(view_row(place, row))


@data.get("/file/{dag_id}/{run_id}/{task_id}/{map_index}/{row}/{part}/{number}")
def file(place: _PlaceDep, row: _Index, part: str, number: _Index, request: Request) -> Response:
    """Return a file of a document. Its place in the manifest is a number, so that no address names a path."""
    claim, kind = find_file(read_document(place, row), part, number)
    return deliver(claim, kind, request.headers)


@pages.get("/view/{dag_id}/{run_id}")
@pages.get("/view/{dag_id}/{run_id}/{task_id}/{map_index}")
def page(request: Request) -> Response:
    """Return the page. It is the same for all: it requests its data with the rights of the user who looks at it."""
    depth = len(request.path_params)
    content = _read("viewer.html").replace(b"{root}", b"../" * depth)
    return Response(content, headers=_PAGE_GUARDS, media_type="text/html; charset=utf-8")


@pages.get("/static/{name}")
def static(name: str, request: Request) -> Response:
    """Return a file of the page."""
    if name not in _STATIC:
        raise RefusedError(404, NO_SUCH_FILE)
    content = _read(name)
    etag = etag_of(hashlib.sha256(content).hexdigest())
    headers = {**GUARDS, "Cache-Control": "no-cache", "ETag": etag}
    if names_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[f".{name.rpartition('.')[2]}"])


@cache
def _read(name: str) -> bytes:
    return (files("airflow_provider_asposeocr.viewer") / "static" / name).read_bytes()


def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)  # noqa: S101  # Starlette calls it for this class alone
    return JSONResponse({"detail": error.sentence}, error.status, headers=GUARDS)


def _not_understood(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "The address makes no sense."}, 422, headers=GUARDS)


def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("The viewer failed at %s", shown(request.url.path, 300), exc_info=error)
    return JSONResponse({"detail": BROKEN}, 500, headers=GUARDS)


def make_app() -> FastAPI:
    """Make the application that the API server mounts."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.include_router(data)
    app.include_router(pages)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Exception, _broken)
    return app

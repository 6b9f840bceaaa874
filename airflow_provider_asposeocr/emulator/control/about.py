"""
The pages about the emulator: ``/``, ``/health`` and ``/docs``.

The pages are for people who open the emulator in a browser. They load nothing from other servers, run no script, and show no
secret, task or document.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from airflow_provider_asposeocr import __version__
from airflow_provider_asposeocr.api.operations import API_PREFIX, TOKEN_PATH
from airflow_provider_asposeocr.emulator.control.api import PREFIX, emulation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "Aspose.OCR Cloud emulator"
#: Path of the description of the control API for programs.
OPENAPI_PATH = "/openapi.json"
#: The browser must load nothing for these pages, also if a name that they show contains HTML.
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
code, pre { font-family: monospace; background: #f3f3f3; padding: .1em .3em } pre { padding: .6em; overflow-x: auto }
table { border-collapse: collapse; margin: .5em 0 } td, th { border: 1px solid #ccc; padding: .2em .6em; text-align: left }
h2 { margin-top: 2em; border-top: 1px solid #ccc; padding-top: 1em } .method { font-weight: bold }
"""


#: The routes of the pages.
ROUTER = APIRouter(include_in_schema=False)


@ROUTER.get("/")
async def about(request: Request) -> HTMLResponse:
    """Show what this server is."""
    return _page(TITLE, _about(emulation_of(request).worker.name))


@ROUTER.get("/health")
async def health(request: Request) -> dict[str, str]:
    """Tell that the emulator runs, and with which engine."""
    engine = emulation_of(request).worker.name
    return {"status": "ok", "name": TITLE, "version": __version__, "engine": engine}


@ROUTER.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show the description of the control API."""
    return _page(f"Control API of the {TITLE}", "".join(_docs(request.app.openapi())))


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n",
        headers=_HEADERS,
    )


def _about(engine: str) -> str:
    return (
        f"<p>This is the emulator of airflow-provider-asposeocr {escape(__version__)}, with the engine"
        f" <b>{escape(engine)}</b>. It implements the protocol of Aspose.OCR Cloud v5.0. It sends no requests, and"
        " nothing is billed.</p>"
        "<table>"
        f"<tr><td><code>{API_PREFIX}/…</code></td><td>the cloud's API, which needs a token</td></tr>"
        f"<tr><td><code>{TOKEN_PATH}</code></td><td>tokens for the client id and secret given at the start</td></tr>"
        f"<tr><td><code>{PREFIX}/…</code></td><td>the control API for tests, on this machine only:"
        ' <a href="/docs">documentation</a></td></tr>'
        '<tr><td><a href="/health"><code>/health</code></a></td><td>200 while the emulator runs</td></tr>'
        "</table>"
    )


def _docs(openapi: dict[str, Any]) -> Iterator[str]:
    schemas = openapi.get("components", {}).get("schemas", {})
    yield (
        f"<p>{escape(openapi['info'].get('description', ''))}"
        f' The same for programs: <a href="{OPENAPI_PATH}"><code>{OPENAPI_PATH}</code></a>.</p>'
    )
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield from _operation(method.upper(), path, operation)
    for name, schema in schemas.items():
        if "properties" in schema and not name.startswith(("HTTPValidation", "Validation")):
            yield from _schema(name, schema)


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<h2><span class="method">{escape(method)}</span> <code>{escape(path)}</code></h2>'
    yield f"<p>{_prose(operation.get('description', ''))}</p>"
    rows = [
        (parameter["name"], _kind(parameter["schema"]), parameter.get("description", ""))
        for parameter in operation.get("parameters", [])
    ]
    yield from _table(("parameter", "type", "meaning"), rows)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        yield f"<p>Body, in JSON: {_kind(body)}</p>"
    data = "" if body is None else " -H 'Content-Type: application/json' -d '…'"
    verb = "" if method == "GET" else f" -X {method}"
    yield f"<pre>curl{escape(verb)} http://127.0.0.1:8080{escape(path)}{escape(data)}</pre>"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}"><code>{escape(name)}</code></h2>'
    yield f"<p>{_prose(schema.get('description', ''))}</p>"
    required = schema.get("required", ())
    rows = []
    for field, about in schema["properties"].items():
        default = "" if "default" not in about else f"default: {json.dumps(about['default'])}"
        rows.append((field, _kind(about), "required" if field in required else default))
    yield from _table(("field", "type", ""), rows)


def _prose(text: str) -> str:
    """Return a docstring as HTML."""
    return re.sub("``(.+?)``", r"<code>\1</code>", escape(text))


def _table(heads: tuple[str, ...], rows: list[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a table; the second cell of a row is HTML already."""
    if not rows:
        return
    yield "<table><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
    for name, kind, about in rows:
        yield f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{escape(about)}</td></tr>"
    yield "</table>"


def _kind(schema: dict[str, Any]) -> str:
    """Return the type of a value, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_kind(each) for each in schema[key])
    if "items" in schema:
        return f"list of: {_kind(schema['items'])}"
    return escape(str(schema.get("type", "anything")))

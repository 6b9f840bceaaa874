"""
The paths of the emulated cloud.

The casing of paths does not matter, because it differs between the vendor's docs and the OpenAPI document.

Invariant: every request is in the journal before the emulator processes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request

from airflow_provider_asposeocr.api.operations import API_PREFIX, STATUS_PATH, TOKEN_PATH
from airflow_provider_asposeocr.emulator.cloud.endpoints import Endpoints
from airflow_provider_asposeocr.emulator.cloud.error_responses import Refused
from airflow_provider_asposeocr.emulator.cloud.exchange import Exchange
from airflow_provider_asposeocr.emulator.cloud.responses import DroppedResponse

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from airflow_provider_asposeocr.emulator.emulation import Emulation


class Cloud:
    """
    ASGI application of the cloud's paths.

    :param emulation: The state of the emulator.
    """

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation
        self._operations = emulation.options.by_path()
        self._endpoints = Endpoints()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        emulation = self._emulation
        entry = emulation.journal.open(
            emulation.clock.now(), request.method, scope["path"], _query_id(request)
        )
        try:
            exchange = Exchange(emulation, request, entry)
            response = exchange.finished(await self._respond(exchange))
            entry.status = None if isinstance(response, DroppedResponse) else response.status_code
            await response(scope, receive, send)
        except ClientDisconnect:
            entry.answer_lost = (
                True  # There is no client to answer; the journal has an entry without a status.
            )
        finally:
            emulation.journal.close(entry)

    async def _respond(self, exchange: Exchange) -> Response:
        try:
            return await exchange.interrupted("request") or await self._dispatch(exchange)
        except Refused as refusal:
            return refusal.response()

    async def _dispatch(self, exchange: Exchange) -> Response:
        method, path = exchange.entry.method, exchange.entry.path.lower().rstrip("/")
        if path == TOKEN_PATH:
            _allow(method, "POST")
            return await self._endpoints.token(exchange)
        if path == STATUS_PATH.lower():
            _allow(method, "GET")
            return await self._endpoints.status(exchange)
        operation = self._operations.get(path)
        if operation is None:
            raise Refused(404, f"The cloud has no such path; operations are under {API_PREFIX}/.")
        _allow(method, "GET", "POST", "DELETE")
        if method == "POST":
            return await self._endpoints.submit(exchange, operation)
        if method == "GET":
            return await self._endpoints.fetch(exchange, operation)
        return await self._endpoints.cancel(exchange, operation)


def _allow(method: str, *methods: str) -> None:
    if method not in methods:
        raise Refused(405, f"The path accepts {', '.join(methods)}.", headers={"Allow": ", ".join(methods)})


def _query_id(request: Request) -> str | None:
    """Return the query's ``id``, whose key may have any casing."""
    return next((value for key, value in request.query_params.items() if key.lower() == "id"), None)

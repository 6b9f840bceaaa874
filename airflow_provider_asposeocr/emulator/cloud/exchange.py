"""
One request to the emulated cloud, and the stages at which fault rules can change its answer.

Invariant: only this module applies fault rules, and the journal contains every rule that applied.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

from airflow_provider_asposeocr.emulator.cloud.error_responses import unauthorized
from airflow_provider_asposeocr.emulator.cloud.responses import (
    DroppedResponse,
    IdResponse,
    TruncatedResponse,
    client_has_gone,
)
from airflow_provider_asposeocr.emulator.control import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from airflow_provider_asposeocr.emulator.control.journal import Entry
    from airflow_provider_asposeocr.emulator.emulation import Emulation


class Exchange:
    """
    A request, its journal entry, and the state of the emulator.

    :param emulation: The state of the emulator.
    :param request: The request.
    :param entry: The entry of the request in the journal.
    """

    def __init__(self, emulation: Emulation, request: Request, entry: Entry) -> None:
        self.emulation = emulation
        self.request = request
        self.entry = entry

    def hits(self, stage: faults.Stage) -> Iterator[faults.AnyRule]:
        """Yield the rules that apply to the request at a stage, and enter each of them in the journal."""
        for rule in self.emulation.faults.hits(stage, self.entry.method, self.entry.path):
            self.entry.faults.append(rule.kind)
            yield rule

    async def interrupted(self, stage: faults.Stage) -> Response | None:
        """
        Apply the rules of a stage.

        :return: The answer that ends the request, or ``None`` if the request continues.
        """
        for rule in self.hits(stage):
            if isinstance(rule, faults.DelayFault):
                await asyncio.sleep(rule.delay_seconds)
            elif isinstance(rule, faults.HoldFault):
                await self.emulation.held_requests.wait(self.entry)
            elif isinstance(rule, faults.DropFault):
                return DroppedResponse()
            elif isinstance(rule, faults.HtmlFault):
                return HTMLResponse(rule.body)
            elif isinstance(rule, faults.StatusFault):
                body = None if rule.status in (204, 304) else rule.body
                return Response(body, rule.status, rule.headers)
        return None

    def authenticate(self) -> str:
        """
        Check the token of the request.

        :return: The client id of the account.
        :raises Refused: with 401, if there is no valid token.
        """
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized("The Authorization header with a bearer token is missing.")
        token = token.strip()
        account = self.emulation.accounts.account_of(token)
        if account is None:
            raise unauthorized("The token is unknown or has expired; request another one.")
        self.entry.account = account
        for _ in self.hits("credentials"):
            self.emulation.accounts.revoke(token)
            raise unauthorized("The token has expired; request another one.")
        return account

    @property
    def has_credentials(self) -> bool:
        """Whether the request carries an ``Authorization`` header."""
        return "authorization" in self.request.headers

    def finished(self, response: Response) -> Response:
        """Return the answer that is sent, and note in the journal whether the client can receive it."""
        if not isinstance(response, DroppedResponse):
            for rule in self.hits("answer"):
                if isinstance(rule, faults.TruncateFault):
                    response = TruncatedResponse(response, rule.chunked)
                    break
        cut = isinstance(response, DroppedResponse | TruncatedResponse)
        self.entry.answer_lost = cut or client_has_gone(self.request.scope)
        if isinstance(response, IdResponse):
            response.task.id_sent = not self.entry.answer_lost
            self.emulation.tasks.save(response.task)
        return response

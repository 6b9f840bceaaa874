"""
The endpoints of the emulated cloud: token, submit, fetch, cancel, status.

Invariant: a task belongs to one account, and does not exist for other accounts. Trial tasks have no account; every client
that sends their id can read them.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import JSONResponse, Response

from airflow_provider_asposeocr.emulator.cloud.answers import (
    Answer,
    answer_for,
    fate_of,
    not_exist,
    tampered,
    without_results,
)
from airflow_provider_asposeocr.emulator.cloud.error_responses import invalid
from airflow_provider_asposeocr.emulator.cloud.request_body import receive, receive_to_file
from airflow_provider_asposeocr.emulator.cloud.responses import IdResponse, OCRResponse
from airflow_provider_asposeocr.emulator.cloud.submission import Submission, read_submission
from airflow_provider_asposeocr.emulator.cloud.tasks import Fate, Task, new_task_id
from airflow_provider_asposeocr.emulator.control.faults import NotExistFault, TaskSlowFault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from starlette.requests import Request

    from airflow_provider_asposeocr.api.enums import TaskStatus
    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.emulator.cloud.exchange import Exchange
    from airflow_provider_asposeocr.emulator.options import Options

_MAX_TOKEN_REQUEST_BYTES = 64 * 1024


async def _token_form(request: Request, body: bytes) -> dict[str, str]:
    """
    Read the fields of a token request.

    The vendor's docs describe an urlencoded body; the vendor's Python SDK 24.8.0 sends multipart/form-data.

    :return: The fields; no fields if the body has neither form.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
        return {name: values[0] for name, values in fields.items()}

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, whole(), max_files=0, max_fields=100).parse()
    except (MultiPartException, KeyError):  # KeyError: no boundary
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}


class Endpoints:
    """
    The endpoints of one emulated cloud.

    They parse one submit at a time, because a submit with its decoded input takes several times its size in memory.
    """

    def __init__(self) -> None:
        self._parsing = asyncio.Semaphore(1)

    async def token(self, exchange: Exchange) -> Response:
        """
        POST /connect/token: issue a token for client credentials.

        The form of a success is in the vendor's docs. The body of an error is undocumented and follows OAuth 2.
        """
        body = await receive(exchange.request, _MAX_TOKEN_REQUEST_BYTES, exchange.entry)
        form = await _token_form(exchange.request, body)
        grant_type, client_id, client_secret = (
            form.get(field, "") for field in ("grant_type", "client_id", "client_secret")
        )
        answer = exchange.emulation.accounts.request_token(grant_type, client_id, client_secret)
        no_store = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        if answer.status == 429:
            return Response(None, 429, {"Retry-After": str(answer.retry_after_seconds), **no_store})
        if answer.status != 200:
            return JSONResponse({"error": answer.error}, answer.status, no_store)
        exchange.entry.account = client_id
        expires_in = int(exchange.emulation.options.token_seconds)
        token = {"access_token": answer.token, "expires_in": expires_in, "token_type": "Bearer"}
        return JSONResponse(token, headers=no_store)

    async def submit(self, exchange: Exchange, operation: Operation) -> Response:
        """POST of an operation: accept a task, and answer with its id alone."""
        account = exchange.authenticate() if operation.needs_token else None
        emulation = exchange.emulation
        folder = emulation.tasks.new_folder()
        try:
            body = folder / "body"
            await receive_to_file(exchange.request, body, emulation.options.max_body_bytes, exchange.entry)
            async with self._parsing:
                submission, digest = await asyncio.to_thread(
                    _unpack, body, folder / "payload", operation, emulation.options
                )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        task = Task(
            id=new_task_id(operation.name),
            operation=operation.name,
            account=account,
            folder=folder,
            settings=submission.settings,
            digest=digest,
            submitted_at=emulation.clock.now(),
            duration_seconds=emulation.task_duration_seconds(),
            fate=Fate("error", messages=(submission.broken,)) if submission.broken else None,
        )
        return await self._accept(exchange, task)

    async def _accept(self, exchange: Exchange, task: Task) -> Response:
        """Accept the task. From here on the submit is billed, also if its answer does not arrive."""
        emulation = exchange.emulation
        emulation.tasks.sweep()
        emulation.tasks.add(task)
        emulation.billing.count(task.operation)
        emulation.save_counters()
        exchange.entry.task_id = task.id
        for rule in exchange.hits("fate"):
            if isinstance(rule, NotExistFault):
                task.hide(rule.hidden_polls, rule.hidden_seconds)
            if isinstance(rule, TaskSlowFault):
                task.duration_seconds = rule.task_seconds
            task.fate = fate_of(rule) or task.fate
        emulation.queue.put(task)
        end = await exchange.interrupted("accepted")
        accepts_json = "application/json" in exchange.request.headers.get("accept", "")
        return end or IdResponse(task, emulation.options.quoted_ids and accepts_json)

    async def fetch(self, exchange: Exchange, operation: Operation) -> Response:
        """GET of an operation: the task's status, and its results if it has any. The answer is always 200."""
        account = exchange.authenticate() if operation.needs_token else None
        task = _visible(exchange, account, operation)
        if task is None or _hidden(exchange, task):
            return OCRResponse(tampered(not_exist(_query_id(exchange)), exchange.hits("view")))
        answer = tampered(_answer(exchange, task), exchange.hits("view"))
        if answer.results:
            exchange.entry.canned = task.outcome is not None and task.outcome.canned
            answer = tampered(answer, exchange.hits("results"))
        return OCRResponse(answer, exchange.emulation.tasks.reading(task))

    async def status(self, exchange: Exchange) -> Response:
        """GET Utilities/GetTaskStatus: the same object as :meth:`fetch`, without results."""
        options = exchange.emulation.options
        task = exchange.emulation.tasks.find(_query_id(exchange))
        account = exchange.authenticate() if exchange.has_credentials else None
        anonymous = options.status_auth == "optional"
        if task is not None and task.account is None:
            anonymous = options.trial_status_auth == "anonymous"
        if account is None and not anonymous:
            exchange.authenticate()
        if task is None or (account is not None and task.account not in (None, account)):
            return OCRResponse(tampered(not_exist(_query_id(exchange)), exchange.hits("view")))
        exchange.entry.task_id = task.id
        if _hidden(exchange, task):
            return OCRResponse(tampered(not_exist(task.id), exchange.hits("view")))
        answer = tampered(_answer(exchange, task), exchange.hits("view"))
        return OCRResponse(without_results(answer, options.status_messages))

    async def cancel(self, exchange: Exchange, operation: Operation) -> Response:
        """DELETE of an operation: the answer is 200 without a body, also if the task does not exist (undocumented)."""
        account = exchange.authenticate() if operation.needs_token else None
        task = _visible(exchange, account, operation)
        if task is not None:
            ended = exchange.emulation.tasks.status(task).is_terminal
            if not ended or exchange.emulation.options.delete_finished == "remove":
                exchange.emulation.tasks.delete(task)
        return await exchange.interrupted("accepted") or Response(None, 200)


def _unpack(body: Path, payload: Path, operation: Operation, options: Options) -> tuple[Submission, str]:
    """Read a submit's body, write its input beside it, and remove the body."""
    submission = read_submission(body.read_bytes(), operation, options)
    body.unlink()
    payload.write_bytes(submission.payload)
    digest = hashlib.sha256(submission.payload).hexdigest()
    return Submission(b"", submission.settings, submission.broken), digest


def _query_id(exchange: Exchange) -> str:
    if not exchange.entry.id:
        raise invalid("id", "The id field is required.")
    return exchange.entry.id.strip()


def _visible(exchange: Exchange, account: str | None, operation: Operation) -> Task | None:
    """Return the task that the query names, or ``None`` if it does not exist for this account under this path."""
    task = exchange.emulation.tasks.find(_query_id(exchange))
    if task is None or task.account not in (None, account):
        return None
    if task.operation != operation.name and exchange.emulation.options.cross_operation == "not_exist":
        return None
    exchange.entry.task_id = task.id
    return task


def _hidden(exchange: Exchange, task: Task) -> bool:
    """Return whether a fault rule hides the task from this GET, and count the GET."""
    hidden = task.is_hidden(exchange.emulation.clock.now())
    task.hidden_polls = max(0, task.hidden_polls - 1)
    if hidden:
        exchange.entry.faults.append("not_exist")
    return hidden


def _answer(exchange: Exchange, task: Task) -> Answer:
    status: TaskStatus = exchange.emulation.tasks.status(task)
    return answer_for(task, status, exchange.emulation.options.pending_code)

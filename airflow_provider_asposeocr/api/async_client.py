"""
The cloud as a client, for an event loop: a triggerer polls and cancels, a batch submits and fetches as well.

Invariant: like :mod:`.client`, nothing is decided here. What blocks is short (pieces of files on the local disk) or in a
thread. Documents and results never pass through a triggerer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.auth.tokens import TokenSlot, parse_token
from airflow_provider_asposeocr.api.client import ClientEnvironment
from airflow_provider_asposeocr.api.errors import (
    AccessDeniedError,
    AsposeOcrError,
    ResultCorruptError,
    UnexpectedResponseError,
)
from airflow_provider_asposeocr.api.http import answer_errors, endpoints
from airflow_provider_asposeocr.api.http.aiohttp_transport import AiohttpTransport
from airflow_provider_asposeocr.api.http.pacing import Pacer
from airflow_provider_asposeocr.api.http.retrying import (
    Accept,
    Again,
    GiveUp,
    RenewToken,
    RequestRetry,
    next_step,
    wait_before_sending,
)
from airflow_provider_asposeocr.api.http.status_reading import StatusReading
from airflow_provider_asposeocr.api.http.submits import Submitted, document_request, parse_submitted
from airflow_provider_asposeocr.api.http.wire import Reading, ResultSink
from airflow_provider_asposeocr.api.operations import operation_named

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.files.contents import Content
    from airflow_provider_asposeocr.api.http.messages import Answer, Request
    from airflow_provider_asposeocr.api.http.transports import Take
    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.api.responses import TaskState

log = logging.getLogger(__name__)


class AsyncCloudClient:
    """
    Talk to the cloud from an event loop. Made and used inside one loop; its tasks share it.

    :param account: Whose account.
    :param certificates: TLS context of the account, see :func:`.http.transports.tls_context`.
    :param env: Clock, jitter, memory and the like.
    :param sleep: Waits between attempts, in seconds.
    :param polls_per_second: Most status requests per second; by default what the account says, which is meant for a
        triggerer.
    """

    def __init__(
        self,
        account: Account,
        certificates: ssl.SSLContext,
        env: ClientEnvironment | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        polls_per_second: float | None = None,
    ) -> None:
        self.account = account
        self._env = env or ClientEnvironment()
        self._sleep = sleep
        self._transport = AiohttpTransport(account, self._env.user_agent, certificates)
        self._tokens = TokenSlot()
        self._renewal = asyncio.Lock()
        self._pacer = Pacer(polls_per_second or account.max_requests_per_second)
        # However slowly the cloud answers polls and fetches, one connection is free for a cancel or a token.
        self._turns = asyncio.Semaphore(max(1, account.max_connections - 1))
        self._status_refused = False

    @property
    def held_seconds(self) -> float:
        """For how long the account gets no request, because the cloud has asked it to wait; 0 = requests are sent."""
        return self._env.pause.held_seconds(self._env.clock())

    async def submit(self, operation: Operation, document: Content, settings: Mapping[str, Any]) -> Submitted:
        """
        Start a task as :meth:`.client.CloudClient.submit` does.

        Cancelling the call while it is under way leaves it unknown whether the cloud has accepted the document.

        :param operation: The operation, in evaluation mode the trial variant, see :func:`.operation_lookup.find_operation`.
        :param document: Local file that goes in, or its bytes. It is read while it is sent.
        :param settings: Settings in the server's spelling, see :func:`.settings.validate_settings`.
        :return: The accepted task.
        :raises SubmitUnknownError: if it was sent and no usable answer came.
        :raises AsposeOcrError: if it certainly was not accepted.
        """
        request = document_request(self.account, operation, document, settings)
        sent_at = self._env.clock()
        return parse_submitted(operation, await self._call(request), sent_at)

    async def status(
        self, operation: str, id: str, retry: RequestRetry | None = None, *, ahead: bool = False
    ) -> TaskState:
        """
        Read the status of a task as :meth:`.client.CloudClient.status` does, with a limited number of requests per second.

        :param operation: Name of the operation that submitted it.
        :param id: The task's id.
        :param retry: How the request is repeated.
        :param ahead: Whether to send the request at once, without waiting for pace, pause and queue, as :meth:`cancel` does.
            It is for the status request before a cancel, because a cancel without an answer could delete a billed result.
        :return: The state; ``NotExist`` is a state too.
        """
        row = operation_named(operation)
        if ahead:
            return await self._status(row, id, retry, ahead)
        await self._wait_for_pace(row, id, retry or self._env.retry)
        async with self._turns:
            return await self._status(row, id, retry)

    async def _wait_for_pace(self, row: Operation, id: str, retry: RequestRetry) -> None:
        # A request that is held back does not count for the pace. It is built again when it is sent, because a poll that
        # waits should hold few objects.
        if self.held_seconds:
            await self._sleep(self._held_seconds(endpoints.status_request(self.account, row, id), retry))
        if seconds := self._pacer.reserve(self._env.clock()):
            await self._sleep(seconds)

    async def _status(
        self, row: Operation, id: str, retry: RequestRetry | None, ahead: bool = False
    ) -> TaskState:
        if not self._status_refused or row.needs_token:
            try:
                request = endpoints.status_request(self.account, row, id)
                return await self._read(request, StatusReading(), retry, ahead)
            except AccessDeniedError:
                if row.needs_token:
                    raise
                self._status_refused = True
        elsewhere = endpoints.fetch_request(self.account, row, id, "status")
        return await self._read(elsewhere, Reading(status_is_enough=True), retry, ahead)

    async def fetch(self, operation: str, id: str, make_sink: Callable[[], ResultSink]) -> TaskState:
        """
        Read a task's results as :meth:`.client.CloudClient.fetch` does.

        :param operation: Name of the operation that submitted it.
        :param id: The task's id.
        :param make_sink: Makes what takes the decoded results; called again if the answer broke off and is read anew. It
            is called in the event loop.
        :return: The state; the ``data`` of each result is the number of the string that went into the sink.
        :raises ResultCorruptError: if the answer is broken, twice.
        :raises UnexpectedResponseError: if the answer is something else, twice.
        """
        request = endpoints.fetch_request(self.account, operation_named(operation), id)
        async with self._turns:
            try:
                return await self._read(request, Reading(make_sink))
            except (ResultCorruptError, UnexpectedResponseError) as error:
                log.warning("Reading the result once more: %s", error.message)
                await self._sleep(self._env.retry.wait_seconds(1, self._env.random))
            return await self._read(request, Reading(make_sink))

    async def cancel(self, operation: str, id: str, retry: RequestRetry | None = None) -> None:
        """
        Remove a task from the cloud's queue, ahead of all waiting status requests and in spite of any pause.

        :param operation: Name of the operation that submitted it.
        :param id: The task's id.
        :param retry: How the request is repeated.
        """
        await self._call(endpoints.cancel_request(self.account, operation_named(operation), id), retry=retry)

    async def keep_connections(self, kept: bool) -> None:
        """
        Set whether connections stay open after the running requests; token and pace are always kept.

        :param kept: Whether further requests will follow soon.
        """
        await self._transport.keep_connections(kept)

    async def close(self) -> None:
        """Close kept connections, those in use as well."""
        await self._transport.close()

    async def _read(
        self,
        request: Request,
        reading: StatusReading | Reading,
        retry: RequestRetry | None = None,
        ahead: bool = False,
    ) -> TaskState:
        try:
            await self._call(request, reading.begin, retry, ahead)
            return reading.state()
        except (ResultCorruptError, UnexpectedResponseError) as error:
            raise answer_errors.about_task(request, error) from None

    async def _call(
        self,
        request: Request,
        begin: Callable[[], Take] | None = None,
        retry: RequestRetry | None = None,
        ahead: bool = False,
    ) -> Answer:
        env, retry = self._env, retry or self._env.retry
        attempt, renewed = 1, False
        if seconds := self._held_seconds(request, retry, ahead):
            await self._sleep(seconds)
        token = await self._token() if request.authorized else None
        while True:
            outcome = await self._transport.exchange(request, token, begin() if begin else None)
            step = next_step(
                request,
                outcome,
                attempt=attempt,
                renewed=renewed,
                now=env.clock(),
                random=env.random,
                retry=retry,
            )
            match step:
                case Accept(answer):
                    return answer
                case GiveUp(error):
                    self._pause_all(request, error)
                    raise error
                case RenewToken():
                    token, renewed = await self._token(refused=token), True
                case Again(seconds, error):
                    self._pause_all(request, error)
                    seconds = max(seconds, self._held_seconds(request, retry, ahead))
                    log.warning("%s Next attempt in %.1f s.", error.message, seconds)
                    await self._sleep(seconds)
                    attempt += 1

    def _held_seconds(self, request: Request, retry: RequestRetry, ahead: bool = False) -> float:
        held = 0.0 if ahead else self.held_seconds
        return wait_before_sending(request, held, retry)

    def _pause_all(self, request: Request, error: AsposeOcrError) -> None:
        if answer_errors.asks_all_to_wait(request, error):
            self._env.pause.begin(self._env.clock(), error.retry_after_seconds)

    async def _token(self, refused: str | None = None) -> str:
        if token := self._tokens.usable(self._env.clock(), refused):
            return token.value
        async with self._renewal:
            token = self._tokens.usable(self._env.clock(), refused)
            if token is None:
                await self._obtain()
                token = self._tokens.usable(self._env.clock())
            if token is None:
                raise UnexpectedResponseError("The token endpoint's token is used up on arrival.")
            return token.value

    async def _obtain(self) -> None:
        env = self._env
        # The hash is slow on purpose, and files may be on a slow disk: not on the loop.
        pair = await asyncio.to_thread(lambda: self.account.fingerprint)
        if refusal := await asyncio.to_thread(env.memory.recall, pair, env.clock()):
            raise refusal
        try:
            answer = await self._call(endpoints.token_request(self.account))
            token = parse_token(answer.body, env.clock())
            env.on_secret(token.value)
            self._tokens.store(token)
        except AsposeOcrError as error:
            await asyncio.to_thread(env.memory.remember, pair, error, env.clock())
            raise

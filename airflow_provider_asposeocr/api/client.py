"""
The cloud as a client, for a worker.

Invariant: a method sends what :mod:`.http.endpoints` makes and does next what :mod:`.http.retrying` says; nothing is
decided here.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from random import random
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.auth.credentials import CredentialMemory
from airflow_provider_asposeocr.api.auth.tokens import TokenSlot, parse_token
from airflow_provider_asposeocr.api.errors import (
    AccessDeniedError,
    AsposeOcrError,
    ResultCorruptError,
    UnexpectedResponseError,
)
from airflow_provider_asposeocr.api.http import answer_errors, endpoints
from airflow_provider_asposeocr.api.http.pacing import Pause
from airflow_provider_asposeocr.api.http.requests_transport import RequestsTransport
from airflow_provider_asposeocr.api.http.retrying import (
    Accept,
    Again,
    GiveUp,
    Random,
    RenewToken,
    RequestRetry,
    next_step,
    wait_before_sending,
)
from airflow_provider_asposeocr.api.http.submits import Submitted, document_request, parse_submitted
from airflow_provider_asposeocr.api.http.wire import Reading, ResultSink
from airflow_provider_asposeocr.api.operations import operation_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.files.contents import Content
    from airflow_provider_asposeocr.api.http.messages import Answer, Failure, Request
    from airflow_provider_asposeocr.api.http.transports import Take
    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.api.responses import TaskState

log = logging.getLogger(__name__)

DEFAULT_USER_AGENT = "airflow-provider-asposeocr"


def _nothing(_: str) -> None:
    """Take a secret and keep quiet about it."""


@dataclass(frozen=True)
class ClientEnvironment:
    """
    What a client needs from outside, so that tests can bring their own.

    :param on_secret: Called with each token the moment it exists, so that it can be masked in logs.
    :param memory: What this host knows about refused credentials.
    :param retry: How single requests are repeated.
    :param clock: Seconds since the epoch.
    :param random: Source of jitter.
    :param user_agent: Who we are.
    :param pause: The time in which the account gets no request; by default the client's own.
    """

    on_secret: Callable[[str], object] = _nothing
    memory: CredentialMemory = field(default_factory=CredentialMemory)
    retry: RequestRetry = field(default_factory=RequestRetry)
    clock: Callable[[], float] = time.time
    random: Random = random
    user_agent: str = DEFAULT_USER_AGENT
    pause: Pause = field(default_factory=Pause)


class CloudClient:
    """
    Talk to the cloud from a worker. Threads may share it.

    :param account: Whose account.
    :param env: Clock, jitter, memory and the like.
    :param sleep: Waits between attempts, in seconds.
    """

    def __init__(
        self,
        account: Account,
        env: ClientEnvironment | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.account = account
        self._env = env or ClientEnvironment()
        self._sleep = sleep
        self._transport = RequestsTransport(account, self._env.user_agent)
        self._tokens = TokenSlot()
        self._renewal = threading.Lock()
        self._status_refused = False

    def submit(self, operation: Operation, document: Content, settings: Mapping[str, Any]) -> Submitted:
        """
        Start a task, which is what the cloud bills.

        :param operation: The operation, in evaluation mode the trial variant, see :func:`.operation_lookup.find_operation`.
        :param document: Local file that goes in, or its bytes.
        :param settings: Settings in the server's spelling, see :func:`.settings.validate_settings`.
        :return: The accepted task.
        :raises SubmitUnknownError: if it was sent and no usable answer came, so that it is unknown whether it was
            accepted.
        :raises AsposeOcrError: if it certainly was not accepted.
        """
        request = document_request(self.account, operation, document, settings)
        sent_at = self._env.clock()
        return parse_submitted(operation, self._call(request), sent_at)

    def status(
        self, operation: str, id: str, retry: RequestRetry | None = None, *, ahead: bool = False
    ) -> TaskState:
        """
        Read the status of a task, without its results.

        Trial tasks have no account. If the cloud requires a token for their status, the status is read from the task's own
        path, and the results there are skipped.

        :param operation: Name of the operation that submitted it.
        :param id: The task's id.
        :param retry: How the request is repeated; by default as the client's others.
        :param ahead: Whether to ask in spite of a pause of the account, as :meth:`cancel` does. For the question before a
            cancel: a cancel without an answer may throw a result away that is paid for.
        :return: The state; ``NotExist`` is a state too.
        """
        row = operation_named(operation)
        if not self._status_refused or row.needs_token:
            try:
                request = endpoints.status_request(self.account, row, id)
                return self._read(request, retry=retry, ahead=ahead)
            except AccessDeniedError:
                if row.needs_token:
                    raise
                self._status_refused = True
        request = endpoints.fetch_request(self.account, row, id, "status")
        return self._read(request, retry=retry, status_is_enough=True, ahead=ahead)

    def fetch(self, operation: str, id: str, make_sink: Callable[[], ResultSink]) -> TaskState:
        """
        Read a task's results.

        :param operation: Name of the operation that submitted it.
        :param id: The task's id.
        :param make_sink: Makes what takes the decoded results; called again if the answer broke off and is read anew.
        :return: The state; the ``data`` of each result is the number of the string that went into the sink.
        :raises ResultCorruptError: if the answer is broken, twice.
        :raises UnexpectedResponseError: if the answer is something else, twice.
        """
        request = endpoints.fetch_request(self.account, operation_named(operation), id)
        try:
            return self._read(request, make_sink)
        except (ResultCorruptError, UnexpectedResponseError) as error:
            log.warning("Reading the result once more: %s", error.message)
            self._sleep(self._env.retry.wait_seconds(1, self._env.random))
        return self._read(request, make_sink)

    def cancel(self, operation: str, id: str, retry: RequestRetry | None = None) -> None:
        """
        Remove a task from the cloud's queue. Whether that refunds anything is not documented.

        :param operation: Name of the operation that submitted it.
        :param id: The task's id.
        :param retry: How the request is repeated.
        """
        self._call(endpoints.cancel_request(self.account, operation_named(operation), id), retry=retry)

    def obtain_token(self, retry: RequestRetry | None = None) -> None:
        """
        Make sure that there is a token, which proves the credentials.

        :param retry: How the request is repeated; by default as the client's others.
        :raises AuthenticationError: if the cloud does not accept them.
        """
        self._token(retry=retry)

    def close(self) -> None:
        """Close kept connections."""
        self._transport.close()

    def _read(
        self,
        request: Request,
        make_sink: Callable[[], ResultSink] | None = None,
        retry: RequestRetry | None = None,
        status_is_enough: bool = False,
        ahead: bool = False,
    ) -> TaskState:
        reading = Reading(make_sink, status_is_enough)
        try:
            self._call(request, reading.begin, retry, ahead)
            return reading.state()
        except (ResultCorruptError, UnexpectedResponseError) as error:
            raise answer_errors.about_task(request, error) from None

    def _call(
        self,
        request: Request,
        begin: Callable[[], Take] | None = None,
        retry: RequestRetry | None = None,
        ahead: bool = False,
    ) -> Answer:
        env, retry = self._env, retry or self._env.retry
        attempt, renewed = 1, False
        if seconds := self._held_seconds(request, retry, ahead):
            self._sleep(seconds)
        token = self._token() if request.authorized else None
        while True:
            outcome: Answer | Failure = self._transport.exchange(request, token, begin() if begin else None)
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
                    token, renewed = self._token(refused=token), True
                case Again(seconds, error):
                    self._pause_all(request, error)
                    seconds = max(seconds, self._held_seconds(request, retry, ahead))
                    log.warning("%s Next attempt in %.1f s.", error.message, seconds)
                    self._sleep(seconds)
                    attempt += 1

    def _held_seconds(self, request: Request, retry: RequestRetry, ahead: bool) -> float:
        held = 0.0 if ahead else self._env.pause.held_seconds(self._env.clock())
        return wait_before_sending(request, held, retry)

    def _pause_all(self, request: Request, error: AsposeOcrError) -> None:
        if answer_errors.asks_all_to_wait(request, error):
            self._env.pause.begin(self._env.clock(), error.retry_after_seconds)

    def _token(self, refused: str | None = None, retry: RequestRetry | None = None) -> str:
        with self._renewal:
            token = self._tokens.usable(self._env.clock(), refused)
            if token is None:
                self._obtain(retry)
                token = self._tokens.usable(self._env.clock())
            if token is None:
                raise UnexpectedResponseError("The token endpoint's token is used up on arrival.")
            return token.value

    def _obtain(self, retry: RequestRetry | None) -> None:
        env, pair = self._env, self.account.fingerprint
        if refusal := env.memory.recall(pair, env.clock()):
            raise refusal
        try:
            answer = self._call(endpoints.token_request(self.account), retry=retry)
            token = parse_token(answer.body, env.clock())
            env.on_secret(token.value)
            self._tokens.store(token)
        except AsposeOcrError as error:
            env.memory.remember(pair, error, env.clock())
            raise

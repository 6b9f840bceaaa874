"""
Whether a single request is sent again, when, and with which token.

Invariant: a submit is sent again only if it was certainly not accepted, and refused credentials are never sent twice.
This is decided nowhere else. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    CredentialsLockedError,
    SubmitUnknownError,
    UnexpectedResponseError,
)
from airflow_provider_asposeocr.api.http.answer_errors import answer_error, failure_error, held_back_error
from airflow_provider_asposeocr.api.http.messages import Answer, Failure, Request

#: Returns a number from 0 up to but not including 1; injected so that tests know what it returns.
Random = Callable[[], float]


@dataclass(frozen=True)
class RequestRetry:
    """
    How often and how patiently a single request is repeated.

    :param attempts: Most attempts in all, the first included; 4, so that a hiccup of some seconds fails nothing.
    :param first_wait_seconds: Wait before the second attempt, 1; doubles from attempt to attempt. Half of it is random,
        so that a thousand clients that failed together do not come back together.
    :param longest_wait_seconds: Longest wait between two attempts, 30. Where the cloud asks for a longer one, the request
        fails with that number, since a worker should not sleep it off.
    """

    attempts: int = 4
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0

    def wait_seconds(self, attempt: int, random: Random) -> float:
        """
        Return the wait after a failed attempt.

        :param attempt: Number of the attempt that failed, from 1.
        :param random: Source of jitter.
        """
        full = min(self.longest_wait_seconds, self.first_wait_seconds * 2.0 ** (attempt - 1))
        return full * (0.5 + random() / 2)


#: For polls (the next poll is the retry) and for what must be over in a second.
ONCE = RequestRetry(attempts=1)


@dataclass(frozen=True)
class Accept:
    """
    The answer is a success.

    :param answer: What came.
    """

    answer: Answer


@dataclass(frozen=True)
class Again:
    """
    Send again after a wait.

    :param after_seconds: How long.
    :param error: What to raise where there is no time for that.
    """

    after_seconds: float
    error: AsposeOcrError


@dataclass(frozen=True)
class RenewToken:
    """
    Get another token, then send again at once.

    :param error: What to raise where there is none.
    """

    error: AsposeOcrError


@dataclass(frozen=True)
class GiveUp:
    """
    Raise the error.

    :param error: The error.
    """

    error: AsposeOcrError


Step = Accept | Again | RenewToken | GiveUp


def next_step(
    request: Request,
    outcome: Answer | Failure,
    *,
    attempt: int,
    renewed: bool,
    now: float,
    random: Random,
    retry: RequestRetry,
) -> Step:
    """
    Decide what comes after an attempt.

    :param request: What was sent.
    :param outcome: What came of it.
    :param attempt: Number of the attempt, from 1.
    :param renewed: Whether the token has been renewed for this request already.
    :param now: Seconds since the epoch.
    :param random: Source of jitter.
    :param retry: How often and how patiently.
    :return: The step to take.
    """
    if isinstance(outcome, Answer) and outcome.ok:
        return Accept(outcome)
    if isinstance(outcome, Failure):
        error = failure_error(request, outcome)
    else:
        error = answer_error(request, outcome, now)
        # Refused before it was processed, so that even a submit may be replayed.
        if outcome.status in (401, 403) and request.authorized and not renewed:
            return RenewToken(error)
    # A pair that is locked out is not offered again before the time the cloud has named.
    locked = isinstance(error, CredentialsLockedError) and error.retry_after_seconds is None
    # A server that is not the token endpoint does not become one within seconds.
    elsewhere = request.kind == "token" and isinstance(error, UnexpectedResponseError)
    final = locked or elsewhere or isinstance(error, SubmitUnknownError) or not error.retryable
    if final or attempt >= retry.attempts:
        return GiveUp(error)
    wait = max(retry.wait_seconds(attempt, random), error.retry_after_seconds or 0.0)
    return GiveUp(error) if wait > retry.longest_wait_seconds else Again(wait, error)


def wait_before_sending(request: Request, held_seconds: float, retry: RequestRetry) -> float:
    """
    Decide what a pause of the account means for a request that is due.

    Tokens are good in spite of it, and a cancel must not come too late.

    :param request: What is to be sent.
    :param held_seconds: How long the pause still is; 0 = there is none.
    :param retry: How patient the request is: one that is not repeated waits for nothing.
    :return: Seconds to wait until it may be sent.
    :raises RateLimitedError: if the pause is longer than the request may wait. Nothing was sent.
    """
    if not held_seconds or request.kind in ("token", "cancel"):
        return 0.0
    if held_seconds > (retry.longest_wait_seconds if retry.attempts > 1 else 0.0):
        raise held_back_error(request, held_seconds)
    return held_seconds

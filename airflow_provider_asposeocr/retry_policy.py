"""
A retry policy for Airflow 3.3.

Invariant: a retry does not come before the cloud wants it, and what no retry can mend is not retried. Operators raise
the latter so that no Airflow retries it; the policy does the same for code that uses the hook.
"""

from __future__ import annotations

from datetime import timedelta
from random import random
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.fields import check_seconds

try:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
except ImportError as error:
    raise ImportError(
        "AsposeOcrRetryPolicy needs Airflow 3.3 or later, where tasks take a retry_policy."
    ) from error

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Part of the time that the cloud asks to wait, added at random, so that a thousand tasks do not come back together.
JITTER = 0.1


class AsposeOcrRetryPolicy(RetryPolicy):
    """
    Retry as the cloud asks: ``retry_policy=AsposeOcrRetryPolicy()``.

    The number of retries stays that of the task. Errors that are not of this provider are treated as without a policy.

    :param longest_wait_seconds: Longest wait before a retry, whatever the cloud asks for; an hour, by default, outlasts
        the vendor's ten minutes of lock-out.
    :raises ValueError: at parse time, if the number makes no sense.
    """

    def __init__(self, longest_wait_seconds: float = 3600.0) -> None:
        check_seconds(longest_wait_seconds=longest_wait_seconds)
        self.longest_wait_seconds = longest_wait_seconds

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """
        Decide about a failure; Airflow calls this in the worker.

        :param exception: What the task raised.
        :param try_number: Number of the try, from 1.
        :param max_tries: Most tries that the task has.
        :param context: Airflow's context.
        :return: Fail at once, retry after the time that the cloud asks for, or what the task is configured for.
        """
        if not isinstance(exception, AsposeOcrError):
            return RetryDecision.default()
        name = type(exception).__name__
        if not exception.retryable:
            return RetryDecision.fail(f"{name}: no retry can mend it")
        asked = exception.retry_after_seconds
        if not asked:
            return RetryDecision.retry(reason=f"{name}: it may be over soon")
        seconds = min(asked * (1 + JITTER * random()), self.longest_wait_seconds)  # noqa: S311  # no secret
        return RetryDecision.retry(
            timedelta(seconds=seconds), f"{name}: the cloud asks to wait {asked:.0f} s"
        )

    def serialize(self) -> dict[str, Any]:
        """Return the policy as JSON."""
        return {"longest_wait_seconds": self.longest_wait_seconds}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> AsposeOcrRetryPolicy:
        """
        Read the policy.

        :param data: What :meth:`serialize` returned.
        """
        return cls(float(data["longest_wait_seconds"]))

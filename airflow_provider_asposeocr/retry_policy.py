"""
A retry policy for Airflow 3.3.

Invariant: no retry begins before the cloud's ``Retry-After``, and none after an error for which retrying cannot succeed.
Operators raise such errors so that Airflow does not retry; the policy does the same for code that uses the hook.
"""

from __future__ import annotations

from datetime import timedelta
from random import random
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.parameters import check_seconds

try:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
except ImportError as error:
    raise ImportError(
        "AsposeOcrRetryPolicy needs Airflow 3.3 or later, where tasks take a retry_policy."
    ) from error

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Largest random addition, as a share of the wait, so that a thousand tasks do not retry at the same moment.
JITTER = 0.1


class AsposeOcrRetryPolicy(RetryPolicy):
    """
    Retry at the time that the cloud names: ``retry_policy=AsposeOcrRetryPolicy()``.

    The task's ``retries`` still limit the number of retries. After errors of other packages, Airflow decides as without a
    policy.

    :param longest_wait_seconds: Longest wait before a retry, also if the cloud names a later time. The default of an
        hour is longer than the vendor's lock-out of ten minutes.
    :raises ValueError: at parse time, if the number is not positive.
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

        :param exception: The exception that the task raised.
        :param try_number: Number of the try, from 1.
        :param max_tries: Number of tries of the task.
        :param context: Airflow's context.
        :return: Fail at once, retry after the time that the cloud names, or retry as the task is configured.
        """
        if not isinstance(exception, AsposeOcrError):
            return RetryDecision.default()
        name = type(exception).__name__
        if not exception.retryable:
            return RetryDecision.fail(f"{name}: retrying cannot succeed")
        asked = exception.retry_after_seconds
        if not asked:
            return RetryDecision.retry(reason=f"{name}: it may succeed soon")
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

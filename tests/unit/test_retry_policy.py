"""What Airflow's retry does after each error, by the policy and without it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from airflow_provider_asposeocr import AsposeOcrRetryPolicy
from airflow_provider_asposeocr.api import errors
from tests.support.error_classes import all_errors, batch_error_classes

#: Errors for which retrying cannot succeed; the others are retried.
HOPELESS = {
    "AccessDeniedError",
    "AsposeOcrError",
    "AuthenticationError",
    "BatchFailedForGoodError",
    "CertificateError",
    "CredentialsRejectedError",
    "DestinationError",
    "FieldAbsentError",
    "InputError",
    "InvalidConnectionError",
    "JournalError",
    "JournalMissingError",
    "LibraryMissingError",
    "LowQualityError",
    "ManifestError",
    "QuotaExceededError",
    "ReaderError",
    "RequestError",
    "RequestRejectedError",
    "ResultError",
    "ResultIncompleteError",
    "ResultTooLargeError",
    "ResultUnreadableError",
    "SettingsError",
    "SourceContentError",
    "SourceError",
    "TaskError",
    "TaskExpiredError",
    "TrialNotAvailableError",
    "UnknownStatusError",
}


def decided(error: BaseException, **given: Any) -> Any:
    return AsposeOcrRetryPolicy(**given).evaluate(error, try_number=1, max_tries=3)


@pytest.mark.parametrize("cls", [*all_errors(), *batch_error_classes()], ids=lambda cls: cls.__name__)
def test_each_error(cls: type[errors.AsposeOcrError]) -> None:
    decision = decided(cls("What happened."))
    hopeless = cls.__name__ in HOPELESS
    assert decision.action is (RetryAction.FAIL if hopeless else RetryAction.RETRY)
    assert decision.retry_delay is None
    assert cls.__name__ in decision.reason


@pytest.mark.parametrize(
    "cls", [errors.RateLimitedError, errors.CredentialsLockedError, errors.CloudUnavailableError]
)
def test_the_cloud_says_when(cls: type[errors.AsposeOcrError]) -> None:
    delays = {decided(cls("Wait.", retry_after_seconds=100)).retry_delay.total_seconds() for _ in range(50)}
    assert min(delays) >= 100
    assert max(delays) <= 110
    assert len(delays) > 10


def test_but_not_for_ever() -> None:
    error = errors.RateLimitedError("Wait.", retry_after_seconds=10**9)
    assert decided(error).retry_delay.total_seconds() == 3600
    assert decided(error, longest_wait_seconds=60).retry_delay.total_seconds() == 60


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_errors_of_others_are_not_its_business(error: BaseException) -> None:
    assert decided(error).action is RetryAction.DEFAULT


def test_it_can_be_serialized() -> None:
    data = AsposeOcrRetryPolicy(longest_wait_seconds=7).serialize()
    assert AsposeOcrRetryPolicy.deserialize(data).longest_wait_seconds == 7


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), "5"])
def test_a_number_that_makes_no_sense(seconds: Any) -> None:
    with pytest.raises(ValueError, match="longest_wait_seconds must be"):
        AsposeOcrRetryPolicy(longest_wait_seconds=seconds)

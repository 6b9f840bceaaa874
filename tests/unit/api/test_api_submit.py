"""
Submits: what is billed, and what is repeated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.operations import _TABLE, Operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.client_drivers import Desk, Driver

SUBMIT = {"path": "RecognizeImage", "method": "POST"}
AFTER = {**SUBMIT, "after": "accepted"}


def submits(desk: Desk) -> list[int | None]:
    return [
        entry["status"]
        for entry in desk.emulator.control.journal()
        if entry["method"] == "POST" and "token" not in entry["path"]
    ]


def failure(driver: Driver, document: Path) -> errors.AsposeOcrError:
    with pytest.raises(errors.AsposeOcrError) as caught:
        driver.submit("RecognizeImage", document)
    return caught.value


@pytest.mark.parametrize("row", [row for row in _TABLE if row.needs_token], ids=lambda row: row.name)
def test_every_operation_is_accepted(driver: Driver, desk: Desk, row: Operation) -> None:
    if row.body_field == "text":
        desk.document.write_text("Read this aloud.")
    settings = {"ConvertTextToSpeech": {"language": "English", "resultType": "Wav"}}.get(row.name, {})
    done = driver.submit(row.name, desk.document, settings)
    assert done.operation == row.name
    assert desk.emulator.control.billing() == {row.name: 1}
    desk.settle(done.id)
    assert driver.status(row.name, done.id).taskStatus == "Completed"


@pytest.mark.parametrize(
    "rule",
    [
        {**AFTER, "kind": "drop"},
        {**AFTER, "kind": "status", "status": 500},
        {**AFTER, "kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
        {**AFTER, "kind": "status", "status": 408},
        {**AFTER, "kind": "status", "status": 303, "headers": {"Location": "/x"}},
        {**AFTER, "kind": "html"},
        {**AFTER, "kind": "status", "status": 200, "body": ""},
        {**AFTER, "kind": "status", "status": 200, "body": "x" * 1000},
        {**SUBMIT, "kind": "truncate"},
        {**AFTER, "kind": "status", "status": 502},
    ],
    ids=str,
)
def test_a_submit_that_may_have_been_accepted_is_not_repeated(
    driver: Driver, desk: Desk, rule: dict[str, Any]
) -> None:
    desk.emulator.control.add_faults(rule)
    error = failure(driver, desk.document)
    assert isinstance(error, errors.SubmitUnknownError)
    assert error.billed == "maybe"
    assert error.operation == "RecognizeImage"
    assert len(submits(desk)) == 1
    assert sum(desk.emulator.control.billing().values()) <= 1


def test_an_answer_that_does_not_come_in_time_is_unknown(
    new_driver: Callable[..., Driver], desk: Desk
) -> None:
    driver = new_driver(replace(desk.account, request_timeout_seconds=0.3))
    driver.token()
    desk.emulator.control.add_faults({**AFTER, "kind": "delay", "delay_seconds": 1})
    assert isinstance(failure(driver, desk.document), errors.SubmitUnknownError)
    assert desk.emulator.control.billing() == {"RecognizeImage": 1}


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token_costs_one_replay_and_one_bill(driver: Driver, desk: Desk, status: int) -> None:
    desk.emulator.control.add_faults({**SUBMIT, "kind": "status", "status": status})
    driver.submit("RecognizeImage", desk.document, {})
    assert submits(desk) == [status, 200]
    assert desk.emulator.control.billing() == {"RecognizeImage": 1}


def test_429_is_waited_for(driver: Driver, desk: Desk) -> None:
    desk.emulator.control.add_faults(
        {**SUBMIT, "kind": "status", "status": 429, "headers": {"Retry-After": "9"}}
    )
    driver.submit("RecognizeImage", desk.document, {})
    assert submits(desk) == [429, 200]
    assert driver.waits == [9]


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.RequestRejectedError),
        (402, errors.QuotaExceededError),
        (404, errors.RequestRejectedError),
        (413, errors.RequestRejectedError),
    ],
)
def test_a_refusal_is_final_and_free(
    driver: Driver, desk: Desk, status: int, cls: type[errors.AsposeOcrError]
) -> None:
    body = '{"title": "Not this.", "errors": {"image": ["is no image"]}}'
    desk.emulator.control.add_faults({**SUBMIT, "kind": "status", "status": status, "body": body})
    error = failure(driver, desk.document)
    assert type(error) is cls
    assert "is no image" in error.message
    assert error.billed == "no"
    assert submits(desk) == [status]
    assert desk.emulator.control.billing() == {}


@pytest.mark.parametrize(
    ("status", "said", "cls"),
    [
        (403, "Your subscription has ended", errors.QuotaExceededError),
        (403, "API calls quota exceeded", errors.QuotaExceededError),
        (403, "Forbidden", errors.AccessDeniedError),
        (429, "The free plan allows 150 calls per month", errors.QuotaExceededError),
        (429, "Payment required", errors.QuotaExceededError),
        (429, "API calls quota exceeded! maximum admitted 10 per Second", errors.RateLimitedError),
        (429, "Too many requests", errors.RateLimitedError),
    ],
)
def test_a_used_up_plan_reads_as_such(
    driver: Driver, desk: Desk, status: int, said: str, cls: type[errors.AsposeOcrError]
) -> None:
    body = f'{{"title": "{said}"}}'
    desk.emulator.control.add_faults({**SUBMIT, "kind": "status", "status": status, "body": body, "count": 9})
    error = failure(driver, desk.document)
    assert type(error) is cls
    assert said in error.message
    assert desk.emulator.control.billing() == {}


def test_a_pace_that_names_its_end_is_no_quota(driver: Driver, desk: Desk) -> None:
    fault = {
        "kind": "status",
        "status": 429,
        "headers": {"Retry-After": "9"},
        "body": "See your billing plan",
    }
    desk.emulator.control.add_faults({**SUBMIT, **fault})
    driver.submit("RecognizeImage", desk.document, {})
    assert submits(desk) == [429, 200]


def test_a_poll_never_ends_a_wait_because_of_a_quota(driver: Driver, desk: Desk) -> None:
    task = driver.submit("RecognizeImage", desk.document, {})
    fault = {"kind": "status", "status": 429, "body": "See your billing plan", "path": "*/GetTaskStatus"}
    desk.emulator.control.add_faults({**fault, "count": 9})
    with pytest.raises(errors.RateLimitedError):
        driver.status("RecognizeImage", task.id)


def test_an_operation_without_settings_sends_none(driver: Driver, desk: Desk) -> None:
    driver.submit("UpscaleImage", desk.document)
    assert desk.emulator.control.billing() == {"UpscaleImage": 1}


class TestFindOperation:
    @pytest.mark.parametrize("row", _TABLE, ids=lambda row: row.name)
    def test_evaluation_mode_takes_the_trial_variant_or_refuses(self, row: Operation) -> None:
        assert find_operation(row.name) is row
        if row.trial or not row.needs_token:
            assert find_operation(row.name, trial=True).name == (row.trial or row.name)
        else:
            with pytest.raises(errors.TrialNotAvailableError, match="ConvertTextToSpeech, RecognizeImage"):
                find_operation(row.name, trial=True)

    def test_a_near_miss_is_met_with_what_was_meant(self) -> None:
        with pytest.raises(errors.InputError, match="Did you mean 'RecognizeImage'"):
            find_operation("recogniseimage")

"""What a later try does about what an earlier one has left: the whole table, without I/O."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.lifecycle.identity import Identity
from airflow_provider_asposeocr.lifecycle.policies import ON_EXPIRED, ON_UNKNOWN_SUBMIT, REUSE
from airflow_provider_asposeocr.lifecycle.record import (
    LookUp,
    Record,
    Submit,
    Unknown,
    UnreadableRecord,
    decide_found,
    decide_start,
    may_resubmit,
)
from tests.support.records import NOW, PAGE, TASK, record

OTHERS = {name: PAGE.model_copy(update={name: "other"}) for name in Identity.model_fields}


class TestStart:
    @pytest.mark.parametrize("reuse", REUSE)
    @pytest.mark.parametrize("left", [None, record("idle"), record("idle", resubmits=1)])
    def test_with_nothing_to_come_back_to_it_submits(self, left: Record | None, reuse: Any) -> None:
        for identity, max_tries in product((PAGE, *OTHERS.values()), (3, 4)):
            assert decide_start(left, identity, max_tries, reuse) == Submit()

    @pytest.mark.parametrize("reuse", REUSE)
    @pytest.mark.parametrize("identity", [PAGE, *OTHERS.values()])
    def test_an_unanswered_submit_is_unknown(self, identity: Identity, reuse: Any) -> None:
        """
        Also if the input has changed: the first submit may have been billed, and the user's limit on second bills counts.
        """
        assert decide_start(record("intent"), identity, 3, reuse) == Unknown()

    @pytest.mark.parametrize("reuse", REUSE)
    @pytest.mark.parametrize("identity", [PAGE, *OTHERS.values()])
    def test_unless_a_user_begins_anew(self, identity: Identity, reuse: Any) -> None:
        decision = decide_start(record("intent"), identity, 4, reuse)
        assert isinstance(decision, Submit)
        assert decision.superseded is None
        assert "may have been billed" in str(decision.because)

    @pytest.mark.parametrize("field", list(OTHERS))
    @pytest.mark.parametrize("reuse", REUSE)
    def test_another_input_is_submitted_and_the_old_one_is_not_left_running(
        self, field: str, reuse: Any
    ) -> None:
        for max_tries in (3, 4):
            decision = decide_start(record("submitted"), OTHERS[field], max_tries, reuse)
            assert decision == Submit(TASK, f"{field} changed since")

    @pytest.mark.parametrize(
        ("reuse", "max_tries", "looks"),
        [
            ("retry", 3, True),
            ("retry", 4, False),
            ("always", 3, True),
            ("always", 4, True),
            ("never", 3, False),
            ("never", 4, False),
        ],
    )
    def test_the_same_input(self, reuse: Any, max_tries: int, looks: bool) -> None:
        decision = decide_start(record("submitted"), PAGE, max_tries, reuse)
        if looks:
            assert decision == LookUp(TASK)
        else:
            assert isinstance(decision, Submit)
            assert decision.superseded == TASK

    @pytest.mark.parametrize("version", [None, "etag=1"])
    def test_a_file_that_is_gone_is_no_other_file(self, version: str | None) -> None:
        before, now = (PAGE.model_copy(update={"version": each}) for each in (version, None))
        assert decide_start(record("submitted", identity=before), now, 3, "retry") == LookUp(TASK)
        assert decide_start(record("submitted", identity=now), before, 3, "retry") == LookUp(TASK)


@pytest.mark.parametrize("on_expired", ON_EXPIRED)
@pytest.mark.parametrize(
    ("status", "young", "older", "expired"),
    [
        (TaskStatus.PENDING, "reuse", "reuse", "reuse"),
        (TaskStatus.PROCESSING, "reuse", "reuse", "reuse"),
        (TaskStatus.COMPLETED, "reuse", "reuse", "reuse"),
        (TaskStatus.ERROR, "submit", "submit", "submit"),
        (TaskStatus.NOT_EXIST, "reuse", "submit", "by policy"),
        (None, "reuse", "reuse", "reuse"),
    ],
)
def test_what_the_cloud_says_decides(
    status: TaskStatus | None, young: str, older: str, expired: str, on_expired: Any
) -> None:
    assert set(TaskStatus) == {
        TaskStatus.PENDING,
        TaskStatus.PROCESSING,
        TaskStatus.COMPLETED,
        TaskStatus.ERROR,
        TaskStatus.NOT_EXIST,
    }
    if expired == "by policy":
        expired = {"fail": "expired", "resubmit": "submit"}[on_expired]
    for age, expected in {
        0: young,
        14: young,
        15: older,
        86_399: older,
        86_400: expired,
        10**6: expired,
    }.items():
        assert decide_found(TASK, status, NOW.timestamp() + age, on_expired) == expected


@pytest.mark.parametrize(("policy", "before", "may"), [("resubmit", 0, True), ("resubmit", 1, False)])
def test_an_unknown_submit_is_repeated_once(policy: Any, before: int, may: bool) -> None:
    assert may_resubmit(policy, before) is may
    assert not may_resubmit("fail", before)
    assert set(ON_UNKNOWN_SUBMIT) == {"resubmit", "fail"}


class TestUnreadable:
    """The record is there, so that a document may have been billed; what it says is unknown."""

    @pytest.mark.parametrize("reuse", REUSE)
    def test_it_is_unknown_and_not_absent(self, reuse: Any) -> None:
        for left in (UnreadableRecord("broken"), UnreadableRecord("broken", max_tries=3)):
            decision = decide_start(left, PAGE, 3, reuse)
            assert isinstance(decision, Unknown)
            assert "broken" in str(decision.because)

    @pytest.mark.parametrize("reuse", REUSE)
    def test_a_user_who_clears_the_task_begins_anew(self, reuse: Any) -> None:
        decision = decide_start(UnreadableRecord("broken", max_tries=3), PAGE, 5, reuse)
        assert isinstance(decision, Submit)
        assert decision.superseded is None
        assert "broken" in str(decision.because)
        assert "may have been billed" in str(decision.because)

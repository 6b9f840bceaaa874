"""What a later try does about steps that were changed since the batch began."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_asposeocr.batch.plan import RegisterPlan
from airflow_provider_asposeocr.batch.replan import Kept, decide_steps
from airflow_provider_asposeocr.batch.steps import Step
from tests.support.batch_world import small_batch

TEXT = Step("RecognizeImage", {"resultType": "Text"})
OLD = (Step("UpscaleImage"), Step("BinarizeImage"), TEXT)


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (OLD, None),
        (
            (
                Step("UpscaleImage"),
                Step("BinarizeImage"),
                Step("RecognizeImage", {"resultType": "Text", "language": "German"}),
            ),
            2,
        ),
        ((Step("UpscaleImage"), Step("DeskewImage"), TEXT), 1),
        ((Step("DeskewImage"), Step("BinarizeImage"), TEXT), 0),
        ((Step("DeskewImage"), Step("UpscaleImage"), Step("BinarizeImage"), TEXT), 0),
    ],
)
def test_the_first_step_that_was_changed_decides(wanted: tuple[Step, ...], first: int | None) -> None:
    assert decide_steps(replace(small_batch(1), steps=OLD), wanted) == first


@pytest.mark.parametrize(
    ("wanted", "changes", "why"),
    [
        ((Step("UpscaleImage"), TEXT), {}, "fewer steps"),
        ((*OLD[:2], Step("RecognizeImage", {"resultType": "Pdf"})), {}, "other names"),
        ((*OLD[:2], Step("RecognizeImage")), {}, "other names"),
        (
            (Step("UpscaleImage"), Step("DeskewImage"), TEXT),
            {"register": RegisterPlan},
            "claimed in a register",
        ),
    ],
)
def test_some_changes_would_break_what_was_checked(
    wanted: tuple[Step, ...], changes: dict[str, Any], why: str
) -> None:
    kept = decide_steps(replace(small_batch(1), steps=OLD, **changes), wanted)
    assert isinstance(kept, Kept)
    assert why in kept.because

"""The count of what property tests were tried on: a thorough run keeps its promise, or fails."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support import tried


@pytest.mark.parametrize(
    ("in_a_round", "rounds", "broken"), [([4, 4, 4, 4], 3, []), ([4, 5, 0, 9], 3, ["reader"])]
)
def test_a_reader_is_tried_in_rounds_until_the_promise_is_kept(
    monkeypatch: pytest.MonkeyPatch, in_a_round: list[int], rounds: int, broken: list[str]
) -> None:
    monkeypatch.setattr(tried, "TRIED", Counter())
    monkeypatch.setattr(tried, "PROMISED", {"reader": 10})
    left = list(in_a_round)

    def once() -> None:
        tried.TRIED["reader"] += left.pop(0)

    tried.in_rounds(once, "reader")()
    assert len(in_a_round) - len(left) == rounds
    assert tried.broken_promises() == broken

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.error_rate import character_error_rate, edit_distance, normalised

texts = st.text(alphabet="ab é漢", max_size=12)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("intention", "execution", 5),
        ("abcd", "badc", 3),  # no transposition in Levenshtein's distance
        ("漢字", "漢", 1),
    ],
)
def test_edit_distance_of_known_pairs(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == distance


def by_definition(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    previous = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        current = [i]
        for j, b in enumerate(other, start=1):
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b)))
        previous = current
    return previous[-1]


@given(texts, texts)
def test_edit_distance_is_levenshteins(one: str, other: str) -> None:
    assert edit_distance(one, other) == by_definition(one, other)


@given(texts, texts, texts)
def test_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@pytest.mark.parametrize(
    ("truth", "reading", "rate"),
    [
        ("one two", "one two", 0.0),
        ("one two", "  one\r\n\n two\n", 0.0),
        ("one two", "onetwo", 1 / 7),
        ("abcd", "abce", 0.25),
        ("abcd", "", 1.0),
        ("ab", "abxxxx", 2.0),
        ("Case", "case", 0.25),
    ],
)
def test_character_error_rate(truth: str, reading: str, rate: float) -> None:
    assert character_error_rate(truth, reading) == pytest.approx(rate)


@given(st.text(alphabet="ab \n\t", max_size=20))
def test_line_breaks_do_not_count(text: str) -> None:
    if normalised(text):
        assert character_error_rate(text, text.replace(" ", "\n")) == 0.0


def test_an_empty_truth_has_no_rate() -> None:
    with pytest.raises(ValueError, match="empty"):
        character_error_rate(" \n", "text")

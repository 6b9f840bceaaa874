from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from demo.report import WAYS, compare, sentences, table


def rates(**by_scan: tuple[float, float, float, float]) -> dict[str, dict[str, float]]:
    return {scan: dict(zip(WAYS, row, strict=True)) for scan, row in by_scan.items()}


def test_the_table_has_every_scan_then_median_and_worst() -> None:
    lines = table(rates(one=(0.9, 0.5, 0.1, 0.02), two=(0.1, 0.1, 0.1, 0.0), three=(0.2, 0.3, 0.1, 0.01)))

    assert [line.split()[0] for line in lines if not line.startswith("-")][1:] == [
        "one",
        "two",
        "three",
        "median",
        "worst",
    ]
    assert lines[-2].split() == ["median", "20.00", "%", "30.00", "%", "10.00", "%", "1.00", "%"]
    assert lines[-1].split() == ["worst", "90.00", "%", "50.00", "%", "10.00", "%", "2.00", "%"]
    assert len({len(line) for line in lines}) == 1


def test_an_engine_that_the_chain_helps_is_told_so() -> None:
    measured = rates(one=(0.5, 0.5, 0.5, 0.0), two=(0.2, 0.2, 0.2, 0.1))
    assert compare(measured, "chain").verdict == "helps"
    assert sentences("tesseract", measured) == [
        (
            "tesseract, upscaled: changes nothing: 0 of 2 scans better, 0 worse; "
            "median 35.00 % to 35.00 %, worst 50.00 % to 50.00 %."
        ),
        (
            "tesseract, binarized: changes nothing: 0 of 2 scans better, 0 worse; "
            "median 35.00 % to 35.00 %, worst 50.00 % to 50.00 %."
        ),
        (
            "tesseract, whole chain: helps: 2 of 2 scans better, 0 worse; "
            "median 35.00 % to 5.00 %, worst 50.00 % to 10.00 %."
        ),
    ]


def test_an_engine_that_nothing_helps_is_told_so() -> None:
    measured = rates(one=(0.0, 0.0, 0.1, 0.2), two=(0.1, 0.1, 0.1, 0.2))
    said = sentences("rapidocr", measured)
    assert "whole chain: does not help: 0 of 2 scans better, 2 worse (worse: one, two)" in said[2]
    assert said[-1] == (
        "rapidocr reads these scans best as they are: preparing them costs cloud tasks for nothing."
    )


def test_a_mixed_outcome_is_not_sold_as_help() -> None:
    most_are_worse = rates(a=(0.5, 0, 0, 0.0), b=(0.1, 0, 0, 0.2), c=(0.1, 0, 0, 0.2))
    assert compare(most_are_worse, "chain").verdict == "does not help"
    lower_median = rates(a=(0.5, 0, 0, 0.0), b=(0.5, 0, 0, 0.1), c=(0.0, 0, 0, 0.1), d=(0.0, 0, 0, 0.1))
    assert compare(lower_median, "chain").verdict == "helps some scans and hurts others"
    one_loser = rates(a=(0.5, 0, 0, 0.1), b=(0.4, 0, 0, 0.1), c=(0.0, 0, 0, 0.1))
    assert compare(one_loser, "chain").verdict == "helps on the whole"
    one_ruined = rates(a=(0.5, 0, 0, 0.1), b=(0.4, 0, 0, 0.1), c=(0.0, 0, 0, 1.0))
    assert compare(one_ruined, "chain").verdict == "helps some scans and hurts others"
    worst_saved_only = rates(a=(0.9, 0, 0, 0.1), b=(0.1, 0, 0, 0.1), c=(0.1, 0, 0, 0.1))
    assert compare(worst_saved_only, "chain").verdict == "helps some scans and hurts none"


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([0.0, 0.1, 0.5])), min_size=1))
def test_help_is_claimed_only_where_a_scan_got_better_and_never_where_more_got_worse(
    pairs: list[tuple[float, float]],
) -> None:
    measured = {
        str(n): dict.fromkeys(WAYS, before) | {"chain": after} for n, (before, after) in enumerate(pairs)
    }
    found = compare(measured, "chain")
    if found.verdict.startswith("helps"):
        assert found.better
    if len(found.worse) > len(found.better):
        assert found.verdict in ("does not help", "helps some scans and hurts others")
    if not found.better:
        assert found.verdict in ("does not help", "changes nothing")

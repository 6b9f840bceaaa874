"""The durations that are learned from waits, and the schedules that follow from them."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.polling import durations
from airflow_provider_asposeocr.api.polling.durations import ENOUGH, DurationBook, Entry, Estimate
from airflow_provider_asposeocr.api.polling.plan import Limits
from airflow_provider_asposeocr.api.polling.schedules import EDGES, Geometric, Planned, Schedule

USUAL = Limits(0.8, 600)
#: Anything at all, sensible or not.
AGES = st.floats(-10, 1e6) | st.sampled_from(
    [0.0, 0.2, math.inf, -math.inf, math.nan, 1e308, 1e-308, EDGES[-1]]
)
OBSERVED = st.lists(st.tuples(AGES, AGES), max_size=60)
LIMITS = st.builds(Limits, st.floats(0.01, 4000), st.floats(0.01, 100_000))


def first_ages(schedule: Schedule, count: int) -> list[float]:
    ages = [schedule.next_age(0.0)]
    while len(ages) < count:
        ages.append(schedule.next_age(ages[-1]))
    return ages


def taught(*observed: tuple[float, float], times: int = 1) -> Estimate:
    estimate = Estimate()
    for after, until in observed * times:
        estimate.observe(after, until)
        estimate.schedule(USUAL)
    return estimate


class TestSchedules:
    @given(observed=OBSERVED, limits=LIMITS, age=st.floats(0, 2 * RETENTION_SECONDS))
    def test_ages_grow_within_the_limits_for_any_observations(
        self, observed: list[tuple[float, float]], limits: Limits, age: float
    ) -> None:
        estimate = Estimate()
        for after, until in observed:
            estimate.observe(after, until)
        schedules: list[Schedule] = [Geometric(limits)]
        if estimate.count:
            schedules.append(estimate.schedule(limits))
        longest = max(limits.shortest_seconds, limits.longest_seconds)
        for schedule in schedules:
            for before, after in itertools.pairwise([0.0, *first_ages(schedule, 8)]):
                assert limits.shortest_seconds <= (after - before) * (1 + 1e-9) <= longest * (1 + 1e-6)
            following = schedule.next_age(age)
            assert math.isfinite(following)
            assert following > age

    @given(st.dictionaries(st.integers(0, len(EDGES) - 1), st.floats(1e-300, 1e9), min_size=1, max_size=9))
    @settings(max_examples=50)
    def test_any_histogram_has_one(self, masses: dict[int, float]) -> None:
        ages = first_ages(Planned([masses.get(number, 0.0) for number in range(len(EDGES))], USUAL), 30)
        assert all(0 < before < after < math.inf for before, after in itertools.pairwise(ages))

    def test_the_geometric_one_needs_no_poll_before_its_growth_begins(self) -> None:
        ages = first_ages(Geometric(Limits(2, 100)), 6)
        assert ages == pytest.approx([4, 6, 9, 13.5, 20.25, 30.375])

    def test_nothing_is_asked_where_no_task_ends(self) -> None:
        """Two hills with a gap of a factor of thirty between them."""
        ages = first_ages(taught((9.5, 10.5), (290, 310), times=20).schedule(USUAL), 12)
        assert sum(age < 8 for age in ages) == 0
        assert sum(20 < age < 200 for age in ages) <= 2
        assert any(270 < age < 400 for age in ages)


class TestEstimate:
    def test_polls_gather_where_tasks_end(self) -> None:
        narrow = first_ages(taught((59, 61), times=30).schedule(USUAL), 1)
        assert 55 < narrow[0] < 75

    def test_a_wide_interval_does_not_blur_what_narrow_ones_taught(self) -> None:
        before = taught((57, 63), times=30)
        (planned,) = first_ages(before.schedule(USUAL), 1)
        for _ in range(100):
            before.observe(0.0, 600.0)
            (now,) = first_ages(before.schedule(USUAL), 1)
        assert now == pytest.approx(planned, rel=0.25)

    @pytest.mark.parametrize("factor", [0.2, 0.5, 2, 5])
    def test_what_has_changed_is_followed(self, factor: float) -> None:
        """Seen by the polls that its own schedule makes."""
        estimate, asked = taught((58, 62), times=60), 0
        for number in range(120):
            schedule, after = estimate.schedule(USUAL), 0.0
            while (until := schedule.next_age(after)) < 60 * factor:
                after, asked = until, asked + (number >= 100)
            asked += number >= 100
            estimate.observe(after, until)
        assert until <= 60 * factor * 1.35
        assert asked <= 20 * 4

    @pytest.mark.parametrize("bin", [0, 1, 2, 80, len(EDGES) - 2, len(EDGES) - 1])
    def test_the_smoothing_moves_tasks_by_a_few_bins_and_loses_none(self, bin: int) -> None:
        masses = [0.0] * len(EDGES)
        masses[bin] = 64.0
        smooth = durations._smoothed(masses)
        assert len(smooth) == len(EDGES)
        assert sum(smooth) == 64.0
        # Three passes of a quarter to either side; at an end, what would leave stays in the last bin.
        for _ in range(3):
            wide = [masses[0], *masses, masses[-1]]
            masses = [
                (left + 2 * here + right) / 4
                for left, here, right in zip(wide[:-2], masses, wide[2:], strict=True)
            ]
        assert smooth == masses

    @pytest.mark.parametrize(
        ("after", "until"), [(5, 5), (6, 5), (-1, 5), (math.nan, 5), (1, math.nan), (1, math.inf)]
    )
    def test_what_makes_no_sense_is_left_out(self, after: float, until: float) -> None:
        estimate = Estimate()
        estimate.observe(after, until)
        assert estimate.count == 0

    def test_its_numbers_stay_finite_for_ever(self) -> None:
        estimate = Estimate()
        for _ in range(3000):
            estimate.observe(58, 62)
        assert 55 < first_ages(estimate.schedule(USUAL), 1)[0] < 75

    def test_the_schedule_is_not_chosen_anew_for_each_poll(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = []

        class Counted(Planned):
            def __init__(self, masses: list[float], limits: Limits) -> None:
                chosen.append(limits)
                super().__init__(masses, limits)

        monkeypatch.setattr(durations, "Planned", Counted)
        estimate = taught((58, 62), times=100)
        chosen.clear()
        for _ in range(80):
            estimate.observe(58, 62)
            for _ in range(5):
                estimate.schedule(USUAL)
        assert len(chosen) <= 80 / durations.FRESH + 1

    def test_limits_that_vary_do_not_fill_the_memory(self) -> None:
        estimate = taught((58, 62), times=20)
        for number in range(100):
            estimate.schedule(Limits(1 + number, 600))
        assert len(estimate._schedules) <= durations.MOST_SCHEDULES


class TestBook:
    @staticmethod
    def teach(book: DurationBook, source_bytes: int | None, seconds: float, times: int) -> None:
        for _ in range(times):
            book.entry("RecognizePdf", source_bytes).observe(0.95 * seconds, 1.05 * seconds)

    def first_age(self, book: DurationBook, source_bytes: int | None) -> float:
        return book.entry("RecognizePdf", source_bytes).schedule(USUAL).next_age(0.0)

    def test_an_operation_has_nothing_to_say_about_another(self) -> None:
        book = DurationBook()
        self.teach(book, None, 60, 50)
        assert book.entry("RecognizeImage").schedule(USUAL) == Geometric(USUAL)

    def test_few_tasks_are_not_enough(self) -> None:
        book = DurationBook()
        self.teach(book, None, 60, ENOUGH - 1)
        assert self.first_age(book, None) == pytest.approx(1.6)
        self.teach(book, None, 60, 1)
        assert self.first_age(book, None) > 20

    def test_sizes_are_told_apart_once_enough_is_known_of_each(self) -> None:
        book, small, large = DurationBook(), 10_000, 30_000_000
        self.teach(book, small, 5, 30)
        assert self.first_age(book, large) == pytest.approx(self.first_age(book, None))
        self.teach(book, large, 200, 30)
        assert self.first_age(book, small) < 8
        assert self.first_age(book, large) > 150
        assert self.first_age(book, small + 1) == self.first_age(book, small)

    def test_a_late_look_counts_only_beside_others(self) -> None:
        estimate = Estimate()
        Entry(estimate).observe(0.0, 900.0, late=True)
        assert estimate.count == 0
        for _ in range(ENOUGH):
            Entry(estimate).observe(50.0, 60.0)
        Entry(estimate).observe(0.0, 7.0, late=True)
        assert estimate.count == ENOUGH + 1

    @given(st.integers(0, 10**12))
    @settings(max_examples=20)
    def test_its_size_is_bounded(self, source_bytes: int) -> None:
        book = DurationBook()
        for number in range(2 * durations.MOST_KINDS):
            book.entry(f"Operation{number}", source_bytes + number * 4096)
            assert len(book) <= durations.MOST_KINDS

    def test_the_kinds_in_use_stay(self) -> None:
        book = DurationBook()
        self.teach(book, None, 60, 20)
        for number in range(3 * durations.MOST_KINDS):
            book.entry(f"Operation{number}")
            book.entry("RecognizePdf")
        assert len(book) == durations.MOST_KINDS
        assert self.first_age(book, None) > 20

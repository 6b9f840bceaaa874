"""The table of `python -m demo.noise`."""

from __future__ import annotations

import numpy as np

from airflow_provider_asposeocr.emulator.work.imaging import filters
from demo.noise import COLUMNS, first_estimate_alone, table


def test_the_table_has_a_row_for_each_scan_and_sums_them_up() -> None:
    found = {
        "a": [0.0, 0.5, 0.1, 0.3, 0.2],
        "b": [0.02, 0.1, 0.1, 0.2, 0.2],
        "c": [1.0, 0.0, 0.1, 0.1, 0.2],
    }
    heading, line, *rows = table("an engine", found)
    assert heading.count("|") == line.count("|") == len(COLUMNS) + 2
    assert rows == [
        "| a | 0.0% | 50.0% | 10.0% | 30.0% | 20.0% |",
        "| b | 2.0% | 10.0% | 10.0% | 20.0% | 20.0% |",
        "| c | 100.0% | 0.0% | 10.0% | 10.0% | 20.0% |",
        "| median | 2.0% | 10.0% | 10.0% | 20.0% | 20.0% |",
        "| worst | 100.0% | 50.0% | 10.0% | 30.0% | 20.0% |",
    ]


def test_the_first_estimate_alone_does_not_see_noise_in_an_enlarged_page() -> None:
    noise = np.random.default_rng(1).normal(200, 20, (60, 60)).clip(0, 255).astype(np.uint8)
    enlarged = noise.repeat(2, axis=0).repeat(2, axis=1)
    both = filters.noise_before_interpolation(enlarged)
    with first_estimate_alone():
        assert filters.noise_before_interpolation(enlarged) < both
    assert filters.noise_before_interpolation(enlarged) == both

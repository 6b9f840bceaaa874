"""The table of `python -m demo.noise`."""

from __future__ import annotations

import numpy as np

from airflow_provider_asposeocr.emulator.work.imaging import filters
from demo.noise import first_estimate_alone, table


def test_the_table_has_a_row_for_each_scan_and_sums_them_up() -> None:
    lines = table("an engine", {"a": [0.0, 0.5, 0.1], "b": [0.02, 0.1, 0.1], "c": [1.0, 0.0, 0.1]})
    assert lines[2:] == [
        "| a | 0.0% | 50.0% | 10.0% |",
        "| b | 2.0% | 10.0% | 10.0% |",
        "| c | 100.0% | 0.0% | 10.0% |",
        "| median | 2.0% | 10.0% | 10.0% |",
        "| worst | 100.0% | 50.0% | 10.0% |",
    ]


def test_the_first_estimate_alone_does_not_see_noise_in_an_enlarged_page() -> None:
    noise = np.random.default_rng(1).normal(200, 20, (60, 60)).clip(0, 255).astype(np.uint8)
    enlarged = noise.repeat(2, axis=0).repeat(2, axis=1)
    both = filters.noise_before_interpolation(enlarged)
    with first_estimate_alone():
        assert filters.noise_before_interpolation(enlarged) < both
    assert filters.noise_before_interpolation(enlarged) == both

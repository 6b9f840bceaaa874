"""Binarize, upscale, deskew, rotate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from airflow_provider_asposeocr.emulator.work.imaging import filters
from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits
from tests.support.drawn_pages import PROSE, blank, encoded, prose, write

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.engines.base import Image as Pixels
    from tests.support.emulator_workers import MakeWorker, Run


LIMITS = Limits()


def drawn() -> Pixels:
    return np.asarray(write(blank(), PROSE))


def tilted(degrees: float) -> Pixels:
    """The drawn page, turned clockwise."""
    page = Image.fromarray(drawn()).rotate(
        -degrees, fillcolor=255, expand=True, resample=Image.Resampling.BICUBIC
    )
    return np.asarray(page)


def agreement(result: Pixels, truth: Pixels) -> float:
    """F1 of black pixels."""
    found, wanted = result < 128, truth < 128
    return 2.0 * np.count_nonzero(found & wanted) / (np.count_nonzero(found) + np.count_nonzero(wanted))


def test_binarized_image_is_a_png_with_one_bit_per_pixel(run: Run, blind: MakeWorker) -> None:
    outcome = run(blind(), "BinarizeImage", prose())
    assert [result.type for result in outcome.results] == ["ImagePNG"]
    with Image.open(outcome.results[0].path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "1", (1240, 700))
    assert outcome.results[0].path.read_bytes()[24] == 1  # bit depth in the header


@pytest.mark.parametrize("damage", ["none", "noise", "shadow", "noise and shadow"])
def test_binarization_finds_the_ink_again(damage: str) -> None:
    """Measured 0.98, 0.93, 0.98, 0.94; a global threshold gets 0.3 under the shadow."""
    page = drawn().astype(float)
    if "shadow" in damage:
        page = (60 + page * 0.7) * np.linspace(0.35, 1, page.shape[1])
    if "noise" in damage:
        page = page + np.random.default_rng(1).normal(0, 20, page.shape)
    result = filters.binarize(np.clip(page, 0, 255).astype(np.uint8))
    assert set(np.unique(result)) == {0, 255}
    assert agreement(result, drawn()) > 0.85


def test_binarization_does_not_depend_on_strips() -> None:
    """A page taller than a strip is thresholded as one of which the strip is the whole page."""
    page = np.tile(drawn(), (2, 1))
    whole = filters.binarize(page)
    assert np.array_equal(whole[100:500], whole[800:1200])


@pytest.mark.parametrize("sigma", [0.0, 10.0, 25.0])
def test_noise_is_seen_through_an_interpolation(sigma: float) -> None:
    grain = np.random.default_rng(1).normal(0, sigma, drawn().shape)
    page = np.clip(drawn() * 0.5 + 60 + grain, 0, 255).astype(np.uint8)
    enlarged = filters.upscale(page, LIMITS)
    assert filters.noise_before_interpolation(page) == pytest.approx(sigma, rel=0.2, abs=0.5)
    assert filters.noise_before_interpolation(enlarged) == pytest.approx(sigma, rel=0.35, abs=0.5)
    assert filters.noise_sigma(enlarged) <= 0.5 * sigma


def test_binarizing_an_enlarged_page_finds_the_ink_again() -> None:
    grain = np.random.default_rng(1).normal(0, 25, drawn().shape)
    page = np.clip(drawn() * 0.6 + 60 + grain, 0, 255).astype(np.uint8)
    truth = filters.upscale(drawn(), LIMITS)
    assert agreement(filters.binarize(filters.upscale(page, LIMITS)), truth) > 0.85


def test_noise_is_estimated_within_a_fifth_and_text_is_no_noise() -> None:
    grain = np.random.default_rng(1).normal(0, 20, drawn().shape)
    assert filters.noise_sigma(drawn()) == 0
    assert filters.noise_sigma((128 + grain).astype(np.uint8)) == pytest.approx(20, rel=0.2)


def test_upscaling_doubles_both_sides(run: Run, blind: MakeWorker) -> None:
    outcome = run(blind(), "UpscaleImage", prose())
    assert [result.type for result in outcome.results] == ["ImagePNG"]
    with Image.open(outcome.results[0].path) as image:
        assert (image.format, image.size) == ("PNG", (2480, 1400))
        assert agreement(np.asarray(image.convert("L").resize((1240, 700))), drawn()) > 0.9


@pytest.mark.parametrize("degrees", [-15, -9.5, -3, -0.5, 0.5, 3, 7.25, 14])
def test_tilt_is_measured_to_a_fifth_of_a_degree(degrees: float) -> None:
    assert filters.skew_degrees(tilted(degrees)) == pytest.approx(degrees, abs=0.2)


def test_deskewing_straightens_a_tilt_of_three_degrees(run: Run, blind: MakeWorker) -> None:
    page = tilted(3)
    outcome = run(blind(), "DeskewImage", encoded(Image.fromarray(page)))
    with Image.open(outcome.results[0].path) as image:
        straight = np.asarray(image.convert("L"))
    assert filters.skew_degrees(page) == pytest.approx(3, abs=0.2)
    assert filters.skew_degrees(straight) == pytest.approx(0, abs=0.1)
    assert straight[0, 0] == straight[-1, -1] == 255  # the corners are filled with white


@pytest.mark.parametrize("page", ["level", "blank", "noise"])
def test_pages_without_a_tilt_are_left_alone(page: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 800), dtype=np.uint8)
    pixels = {"level": drawn(), "blank": np.asarray(blank()), "noise": noise}[page]
    straight, _ = filters.deskew(pixels, LIMITS)
    assert straight is pixels


@pytest.mark.parametrize("degrees", [90, 180, 270, -90, 30, -12.5])
def test_turned_page_knows_the_way_back(degrees: float) -> None:
    """A dark spot is where the matrix says."""
    page = np.full((200, 300), 255, dtype=np.uint8)
    page[40:60, 220:240] = 0
    turned, back = filters.turn(page, degrees, LIMITS)
    rows, columns = np.nonzero(turned < 128)
    x, y, _ = back @ [columns.mean() + 0.5, rows.mean() + 0.5, 1]
    assert (x, y) == pytest.approx((230, 50), abs=1)


def test_quarter_turn_is_clockwise() -> None:
    page = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    assert filters.turn(page, 90, LIMITS)[0].tolist() == [[3, 1], [4, 2]]


def test_contrast_is_stretched_only_where_it_is_weak() -> None:
    weak = (150 + drawn() * (50 / 255)).astype(np.uint8)
    assert np.ptp(filters.stretch_contrast(weak)) >= 250
    assert np.array_equal(filters.stretch_contrast(drawn()), drawn())
    empty = np.full((50, 50), 200, dtype=np.uint8)
    assert np.array_equal(filters.stretch_contrast(empty), empty)


def test_a_shaded_field_does_not_become_as_dark_as_its_ink() -> None:
    """One line of text on a page covers less than a hundredth of it."""
    page = np.full((1000, 1000), 255, dtype=np.uint8)
    page[100:200] = 215
    page[140:150, 100:400] = 20
    stretched = filters.stretch_contrast(page)
    assert stretched[110, 500] > 150
    assert stretched[145, 200] < 50

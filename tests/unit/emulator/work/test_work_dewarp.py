"""Dewarp: lines of a bent page become straight, and a flat page stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from airflow_provider_asposeocr.emulator.work.imaging.dewarp import dewarp
from tests.support.drawn_pages import OTHER_PROSE, PROSE, blank, cer, encoded, write

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.engines.base import Image as Pixels
    from airflow_provider_asposeocr.emulator.work.jobs import Worker
    from tests.support.emulator_workers import MakeWorker, Run

LINES = (*PROSE, *OTHER_PROSE)


def drawn() -> Pixels:
    return np.asarray(write(blank(900, 760), LINES, size=32))


def bent(page: Pixels, pixels: float) -> Pixels:
    """Return the page bent like one beside the spine of a book: more at its left side, and more below than above."""
    height, width = page.shape
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    shift = pixels * np.cos(xs / width * np.pi / 2) ** 3 * (0.6 + 0.4 * ys / height)
    return np.asarray(
        cv2.remap(page, xs, (ys - shift).astype(np.float32), cv2.INTER_CUBIC, borderValue=255), dtype=np.uint8
    )


def sharpness(page: Pixels) -> float:
    """Return how much the ink changes from row to row, which is most where lines are straight."""
    profile = np.count_nonzero(page < 128, axis=1).astype(float)
    return float(np.sum(np.diff(profile) ** 2))


@pytest.mark.parametrize("pixels", [15.0, 40.0, -40.0])
def test_the_lines_of_a_bent_page_are_straight_again(pixels: float) -> None:
    page = drawn()
    warped = bent(page, pixels)
    flat = dewarp(warped)
    assert flat.shape == page.shape
    assert sharpness(warped) < 0.5 * sharpness(page)
    assert sharpness(flat) > 0.7 * sharpness(page)


def test_a_flat_page_is_not_changed() -> None:
    page = drawn()
    assert np.array_equal(dewarp(page), page)


@pytest.mark.parametrize(
    "page",
    [blank(), blank(shade=0), blank(3, 2), write(blank(), PROSE[:1])],
    ids=["white", "black", "tiny", "one line"],
)
def test_a_page_with_too_few_lines_is_not_changed(page: Image.Image) -> None:
    pixels = np.asarray(page)
    assert dewarp(pixels) is pixels


def test_noise_is_no_text() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 600), dtype=np.uint8)
    assert np.array_equal(dewarp(noise), noise)


def test_colour_stays_colour(run: Run, blind: MakeWorker) -> None:
    grey = bent(drawn(), 30.0)
    warped = Image.fromarray(np.dstack([grey, grey, grey // 2]))
    outcome = run(blind(), "DewarpImage", encoded(warped))
    assert [result.type for result in outcome.results] == ["ImagePNG"]
    with Image.open(outcome.results[0].path) as result:
        assert (result.format, result.mode, result.size) == ("PNG", "RGB", warped.size)


def test_text_is_read_better_after_it(worker: Worker, run: Run) -> None:
    warped = encoded(Image.fromarray(bent(drawn(), 60.0)))
    flat = run(worker, "DewarpImage", warped).results[0].path.read_bytes()
    read = [
        run(worker, "RecognizeImage", page, dsrMode="NoDsrNoFilter").results[0].path.read_text("utf-8")
        for page in (warped, flat)
    ]
    before, after = (cer(text, "\n".join(LINES)) for text in read)
    assert after <= min(before, 0.02)

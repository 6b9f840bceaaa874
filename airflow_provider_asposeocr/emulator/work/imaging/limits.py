"""The limits of a single job."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_asposeocr.emulator.work.jobs import JobError


@dataclass(frozen=True)
class Limits:
    """
    Limits of a single job; the vendor publishes none.

    :param max_pages: Most pages in one document.
    :param max_pixels: Most pixels in one image or one rendered page.
    """

    max_pages: int = 50
    max_pixels: int = 100_000_000


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """
    Check a size in pixels before anything of that size is made.

    :raises JobError: if it is empty or over ``limits.max_pixels``.
    """
    if width < 1 or height < 1:
        raise JobError(f"The image has no pixels ({width} x {height}).")
    if width * height > limits.max_pixels:
        raise JobError(
            f"The image would have {width} x {height} pixels, more than this emulator's limit of {limits.max_pixels}. "
            "Submit a smaller one, or start the emulator with a higher limit."
        )

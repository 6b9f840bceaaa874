"""Draw a page of prose and spoil it in ten ways: `python -m demo.scans.make_scans` writes the scans beside this file.

Invariant: the same pixels every time. The font is the one inside Pillow, the random numbers come from a generator
whose stream numpy has frozen, and nothing here was chosen by looking at what an engine makes of it: the kinds are
those of everyday scans, the amounts were written down once.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent
TRUTH = FOLDER / "truth.txt"

DRAWN_DPI = 300
TYPE_POINTS = 11
LEADING = 1.45
MARGIN_INCHES = 0.5

Pixels = npt.NDArray[np.float64]


def draw_page(text: str) -> Image.Image:
    """Draw a text, line by line, black on white.

    :param text: its line breaks are kept.
    :return: a grey image at 300 dpi, as large as the text and a margin.
    :raises RuntimeError: if Pillow cannot draw with its own font.
    """
    size = round(TYPE_POINTS * DRAWN_DPI / 72)
    bundled = ImageFont.load_default(size)
    if not isinstance(bundled, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; install the wheel from the package index")
    # The basic layout does without the shaping library, which not every build of Pillow has.
    font = bundled.font_variant(layout_engine=ImageFont.Layout.BASIC)
    lines = text.splitlines()
    margin = round(MARGIN_INCHES * DRAWN_DPI)
    width = round(max(font.getlength(line) for line in lines)) + 2 * margin
    height = round(size * LEADING) * len(lines) + 2 * margin
    page = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((margin, margin + number * round(size * LEADING)), line, font=font, fill=0)
    return page


def at_dpi(page: Image.Image, dpi: int) -> Image.Image:
    """Scan the page at another resolution: each pixel is the mean of what it covers."""
    factor = dpi / DRAWN_DPI
    return page.resize((round(page.width * factor), round(page.height * factor)), Image.Resampling.BOX)


def with_noise(page: Image.Image, sigma: float, seed: int) -> Image.Image:
    """Add the noise of a sensor: normal, the same strength everywhere, `sigma` grey levels."""
    grey = _grey(page)
    return _image(grey + np.random.RandomState(seed).normal(0.0, sigma, grey.shape))


def with_specks(page: Image.Image, share: float, seed: int) -> Image.Image:
    """Turn a share of the pixels black or white, as dust and dropped pixels do."""
    grey = _grey(page)
    drawn = np.random.RandomState(seed).uniform(size=grey.shape)
    grey[drawn < share / 2] = 0
    grey[drawn > 1 - share / 2] = 255
    return _image(grey)


def in_shadow(page: Image.Image) -> Image.Image:
    """Light the page from one side, and let a hand throw a soft shadow on a corner, as in a photograph."""
    height, width = page.height, page.width
    y, x = np.mgrid[0:height, 0:width]
    falloff = 1.0 - 0.45 * x / width
    shadow = 1.0 - 0.4 / (1.0 + np.exp((x / width - y / height - 0.15) * 14))
    return _image(_grey(page) * falloff * shadow)


def faded(page: Image.Image) -> Image.Image:
    """Squeeze black and white to two greys 55 levels apart, as a worn ribbon on yellowed paper."""
    return _image(150 + _grey(page) * 55 / 255)


def skewed(page: Image.Image, degrees: float) -> Image.Image:
    """Lay the page askew, counter-clockwise, on a white ground."""
    return page.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def as_jpeg(page: Image.Image, quality: int) -> Image.Image:
    """Send the page through JPEG, whose blocks and ringing stay in it."""
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("L")


SCANS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "01-75dpi": lambda page: at_dpi(page, 75),
    "02-60dpi": lambda page: at_dpi(page, 60),
    "03-100dpi-noise": lambda page: with_noise(at_dpi(page, 100), sigma=35, seed=3),
    "04-75dpi-noise": lambda page: with_noise(at_dpi(page, 75), sigma=35, seed=4),
    "05-150dpi-specks": lambda page: with_specks(at_dpi(page, 150), share=0.04, seed=5),
    "06-150dpi-shadow": lambda page: in_shadow(at_dpi(page, 150)),
    "07-100dpi-out-of-focus": lambda page: at_dpi(page, 100).filter(ImageFilter.GaussianBlur(1.6)),
    "08-150dpi-faded": lambda page: with_noise(faded(at_dpi(page, 150)), sigma=8, seed=8),
    "09-100dpi-skewed": lambda page: at_dpi(skewed(page, 3), 100),
    "10-75dpi-jpeg": lambda page: as_jpeg(at_dpi(page, 75), quality=15),
}


def make_scans() -> dict[str, Image.Image]:
    """Make all scans.

    :return: name, without suffix, to grey image.
    """
    page = draw_page(TRUTH.read_text(encoding="utf-8"))
    return {name: spoil(page) for name, spoil in SCANS.items()}


def main() -> None:
    """Write the scans as PNG files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="default: beside this file")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, scan in make_scans().items():
        path = folder / f"{name}.png"
        scan.save(path, optimize=True)
        print(f"{path}  {scan.width}x{scan.height}  {path.stat().st_size} bytes")


def _grey(page: Image.Image) -> Pixels:
    return np.asarray(page, dtype=np.float64).copy()


def _image(grey: Pixels) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()

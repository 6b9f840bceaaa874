"""
The resolution of a page: pixels per inch, horizontally and vertically.

A fax has about twice as many pixels per inch horizontally as vertically. With one number for both, its letters would be
distorted and its paper would have the wrong size.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Resolution of an image that contains none. It determines only the paper size in a PDF.
DEFAULT_DPI = 96.0
#: The range of plausible resolutions; a scan of 2400 dpi that is enlarged twice has 9600.
_LEAST_DPI, _MOST_DPI = 30.0, 10_000.0
#: Largest ratio of the sides of a pixel.
_MOST_RATIO = 4.0
_METRES_PER_INCH = 0.0254
#: Where a PNG's first chunk ends: a signature of 8 bytes, then ``IHDR`` with 13 bytes of data.
_AFTER_HEADER = 33


class Resolution(NamedTuple):
    """
    Pixels per inch.

    :param x: Horizontally.
    :param y: Vertically.
    """

    x: float
    y: float

    @property
    def is_square(self) -> bool:
        """Whether pixels are square within 1 %, because headers contain rounded numbers."""
        return abs(self.x - self.y) <= 0.01 * max(self)

    def scaled(self, factor: float) -> Resolution:
        """Return the resolution of an image that was enlarged by ``factor``."""
        return Resolution(self.x * factor, self.y * factor)

    def turned(self) -> Resolution:
        """Return the resolution after a quarter turn."""
        return Resolution(self.y, self.x)


def resolution_of(info: Mapping[str, Any]) -> Resolution:
    """
    Return the resolution in a file's header.

    :param info: The fields that Pillow has read from the header.
    :return: The resolution; :data:`DEFAULT_DPI` if it is missing or not plausible.
    """
    if pair := _pair(info.get("dpi"), _LEAST_DPI):
        return Resolution(*pair)
    # Without a unit, the two numbers of a PNG, TIFF or JPEG still contain the ratio of a pixel's sides.
    for key in ("aspect", "resolution", "jfif_density"):
        if key == "jfif_density" and info.get("jfif_unit") != 0:
            continue
        if pair := _pair(info.get(key), 0.0):
            return Resolution(*(DEFAULT_DPI * number / max(pair) for number in pair))
    return Resolution(DEFAULT_DPI, DEFAULT_DPI)


def _pair(value: Any, least: float) -> tuple[float, float] | None:
    """Return two numbers of at least ``least``, or ``None`` if they are not plausible."""
    try:
        x, y = float(value[0]), float(value[1])
    except (TypeError, ValueError, LookupError, ZeroDivisionError):
        return None
    if not least <= min(x, y) <= max(x, y) <= _MOST_DPI or min(x, y) <= 0:
        return None
    return (x, y) if max(x, y) <= _MOST_RATIO * min(x, y) else None


def png_with_resolution(png: bytes, resolution: Resolution) -> bytes:
    """
    Return a PNG with its resolution in the header.

    :param png: A PNG without the chunk ``pHYs``.
    :param resolution: The resolution; the format stores integer pixels per metre.
    """
    per_metre = (round(dpi / _METRES_PER_INCH) for dpi in resolution)
    content = b"pHYs" + struct.pack(">IIB", *per_metre, 1)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:_AFTER_HEADER] + chunk + png[_AFTER_HEADER:]

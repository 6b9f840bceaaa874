"""Convert the pixels of any image mode to those for an engine: 8 bits, grey or BGR, on white."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.engines.base import Array, Image

#: Ink of this grey level or lighter cannot be distinguished from white paper.
_LIGHT = 225
_LIGHT_INK = (
    "The image has light ink on a transparent background. Transparent pixels are read as white, so that the ink is not "
    "visible. Give the image a dark background and submit it again."
)

#: EXIF's tag for the orientation of an image.
_ORIENTATION = 0x0112


def deep_colours(image: Any, data: IO[bytes]) -> Any | None:
    """
    Convert an image of more than 8 bits per colour to 8 bits, scaled by the bits that it uses.

    Pillow keeps the upper 8 of 16 bits, which contain almost nothing of the 10 bits of a camera.

    :param image: Pillow's image, with pixels that are not loaded yet. If it has more than 8 bits, they are loaded
        afterwards.
    :param data: The file.
    :return: The image with 8 bits per colour; ``None`` if it has no more than 8 bits, or OpenCV cannot read it.
    """
    from PIL import Image as PillowImage

    modes = [tile[3] if isinstance(tile[3], str) else tile[3][0] for tile in image.tile if tile[3]]
    if image.mode not in ("RGB", "RGBA", "LA") or not any(";16" in str(mode) for mode in modes):
        return None
    image.load()  # For a damaged image, Pillow raises an error, whereas OpenCV returns the part that it can read.
    data.seek(0)
    pixels = cv2.imdecode(np.frombuffer(data.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        return None
    channels = [_eight_bits(pixels[:, :, :3])[:, :, ::-1]]
    if pixels.shape[2] == 4:
        channels.append(_eight_bits(pixels[:, :, 3:]))
    scaled = PillowImage.fromarray(np.ascontiguousarray(np.concatenate(channels, axis=2)))
    if orientation := image.getexif().get(_ORIENTATION):
        scaled.getexif()[_ORIENTATION] = orientation
    return scaled


def pixels_of(image: Any) -> tuple[Image, tuple[str, ...]]:
    """
    Return the pixels of a page.

    :param image: Pillow's image, in any of its modes.
    :return: 8 bits, grey or BGR, with transparency over white; and warnings.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bits(np.asarray(image)), ()
    warnings: tuple[str, ...] = ()
    if image.has_transparency_data:
        image, warnings = _on_white(image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L")), warnings
    colours: Image = np.asarray(image.convert("RGB"))
    if is_grey(colours):
        return np.ascontiguousarray(colours[:, :, 0]), warnings
    return np.ascontiguousarray(colours[:, :, ::-1]), warnings


def _on_white(image: Any) -> tuple[Any, tuple[str, ...]]:
    """Put a transparent image on white, and warn if its ink is almost white."""
    from PIL import Image as PillowImage

    with_alpha = image.convert("RGBA")
    page = PillowImage.new("RGBA", image.size, "white")
    page.alpha_composite(with_alpha)
    page = page.convert("RGB")
    least, most = (int(alpha) for alpha in with_alpha.getchannel("A").getextrema())
    darkest: Any = page.convert("L").getextrema()[0]
    if darkest < _LIGHT or most - least < 255 - _LIGHT:
        return page, ()
    return page, (_LIGHT_INK,)


def is_grey(colours: Image) -> bool:
    """Return whether the three colours of every pixel are equal."""
    first = colours[:, :, 0]
    return np.array_equal(first, colours[:, :, 1]) and np.array_equal(first, colours[:, :, 2])


def _eight_bits(values: Array) -> Image:
    """
    Scale numbers of another range to 8 bits.

    Non-negative integers are scaled by the number of bits of the largest one, because cameras and scanners store 10, 12
    or 14 bits in 16. The range of other numbers is stretched to 8 bits.
    """
    numbers = values.astype(np.float32)
    low, high = float(numbers.min()), float(numbers.max())
    if low >= 0 and np.issubdtype(values.dtype, np.integer):
        low, high = 0.0, float(2 ** max(int(high).bit_length(), 1) - 1)
    scaled = (numbers - low) * (255.0 / max(high - low, 1e-6))
    result: Image = np.clip(scaled, 0, 255).astype(np.uint8)
    return result

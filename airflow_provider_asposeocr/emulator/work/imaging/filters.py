"""
The filters on pixels: binarize, upscale, deskew, rotate, stretch contrast.

Every filter takes and returns pages of 8 bits. It depends on the page and on constants that were chosen with drawn pages;
none is adjusted to a sample.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits, check_pixels

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.engines.base import Array, Image
    from airflow_provider_asposeocr.emulator.work.imaging.resolution import Resolution

#: The vendor does not document the factor; the emulator doubles both sides.
UPSCALE_FACTOR = 2
#: The vendor documents that tilts of up to 15 degrees are corrected.
MAX_SKEW_DEGREES = 15.0
#: Smaller tilts are not corrected, because turning a page makes it less sharp.
_LEAST_SKEW_DEGREES = 0.2

#: The profile at the correct angle is sharper than at most angles by at least this factor. Drawn text has more than 20, even
#: a single line; noise has 1.2.
_LEAST_PEAK = 2.5

#: Shades outside of these percentiles are specks of dust or light.
_DUST_PERCENTILES = (0.05, 99.95)
_NOISE_SIGMA = 1.5
#: The part of the noise that is left in a page that was enlarged to twice its size and reduced again (measured).
#: A page that was not enlarged has half of its noise left.
_NOISE_LEFT = 0.61
_SAUVOLA_K = 0.2
_SAUVOLA_RANGE = 128.0
_STRIP_ROWS = 512


def grey(page: Image) -> Image:
    """Return ``page`` in shades of grey."""
    return page if page.ndim == 2 else _image(cv2.cvtColor(page, cv2.COLOR_BGR2GRAY))


def binarize(page: Image) -> Image:
    """
    Return ``page`` with the two values 0 and 255: remove noise if there is any, then apply Sauvola's threshold.

    Unlike a global threshold, Sauvola's adapts to shading. It amplifies noise, which is therefore removed before. The
    window is a twelfth of the shorter side, so that it contains a few lines of text.
    """
    shades = grey(page)
    sigma = noise_before_interpolation(shades)
    if sigma > _NOISE_SIGMA:
        strength = min(1.2 * sigma, 40.0)
        # A search of 11 pixels finds as much ink as OpenCV's 21 (measured, sigma 10 to 40) in 40 % of the time.
        shades = _image(cv2.fastNlMeansDenoising(shades, None, h=strength, searchWindowSize=11))
    side = max(15, min(shades.shape) // 12) | 1
    half = side // 2
    padded = cv2.copyMakeBorder(shades, half, half, half, half, cv2.BORDER_REPLICATE)
    result = np.empty_like(shades)
    # In strips, because the statistics take eight times the memory of the page.
    for top in range(0, shades.shape[0], _STRIP_ROWS):
        strip = padded[top : top + _STRIP_ROWS + 2 * half]
        rows = slice(top, top + _STRIP_ROWS)
        threshold = _sauvola_threshold(_image(strip), side)[
            half : strip.shape[0] - half, half : strip.shape[1] - half
        ]
        result[rows] = np.where(shades[rows] > threshold, 255, 0)
    return result


def _sauvola_threshold(shades: Image, side: int) -> Array:
    # float64, because the difference of mean square and squared mean would lose too many digits.
    mean: Array = cv2.boxFilter(shades, cv2.CV_64F, (side, side))
    square: Array = cv2.sqrBoxFilter(shades, cv2.CV_64F, (side, side))
    deviation = np.sqrt(np.maximum(square - mean * mean, 0.0))
    threshold: Array = mean * (1.0 + _SAUVOLA_K * (deviation / _SAUVOLA_RANGE - 1.0))
    return threshold


def noise_sigma(shades: Image) -> float:
    """
    Estimate the standard deviation of the noise in a grey page (Immerkaer's method), in grey levels.

    With the median instead of the mean, the edges of letters do not count as noise.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    if min(shades.shape) < 3:
        return 0.0
    response = np.abs(cv2.filter2D(shades, cv2.CV_32F, kernel))
    # For Gaussian noise the filter's response has 6 sigma, and the median of its magnitude is 0.6745 of that.
    return float(np.median(response)) / (6.0 * 0.6745)


def noise_before_interpolation(shades: Image) -> float:
    """
    Estimate the noise in a grey page as :func:`noise_sigma` does, also if the page was enlarged since it was taken.

    Interpolation makes noise smooth, so that the first estimate does not see it. In a page of half the size, most of the
    noise of the original is there again. Of a page that was not enlarged, the first estimate is the larger one.
    """
    if min(shades.shape) < 6:
        return noise_sigma(shades)
    half = cv2.resize(shades, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return max(noise_sigma(shades), noise_sigma(_image(half)) / _NOISE_LEFT)


def upscale(page: Image, limits: Limits) -> Image:
    """
    Return ``page`` at twice the width and height, by bicubic interpolation.

    The vendor documents neither the factor nor the method. In measurements with small and noisy text, bicubic was never
    clearly worse than Lanczos, and often better.

    :raises JobError: if the result would be over ``limits.max_pixels``.
    """
    height, width = page.shape[:2]
    size = (width * UPSCALE_FACTOR, height * UPSCALE_FACTOR)
    check_pixels(*size, limits)
    return _image(cv2.resize(page, size, interpolation=cv2.INTER_CUBIC))


def square_pixels(page: Image, resolution: Resolution, limits: Limits) -> tuple[Image, Array, float]:
    """
    Return ``page`` with equal horizontal and vertical resolutions; a fax has twice as many pixels per inch horizontally.

    The coarser direction is enlarged; if the page would then be over ``limits.max_pixels``, the finer one is reduced.

    :return: The page, the 3 x 3 matrix from its pixels to those of the given page, and its pixels per inch.
    """
    if resolution.is_square:
        return page, np.eye(3), resolution.x
    height, width = page.shape[:2]
    dpi = max(resolution)
    if width * height * dpi * dpi > limits.max_pixels * resolution.x * resolution.y:
        dpi = min(resolution)
    new_width = max(round(width * dpi / resolution.x), 1)
    new_height = max(round(height * dpi / resolution.y), 1)
    method = cv2.INTER_CUBIC if dpi == max(resolution) else cv2.INTER_AREA
    squared = cv2.resize(page, (new_width, new_height), interpolation=method)
    return _image(squared), np.diag([width / new_width, height / new_height, 1.0]), dpi


def stretch_contrast(page: Image) -> Image:
    """
    Return ``page`` with its shades stretched to the full range, if they use less than three quarters of it.

    The mapping is linear between two percentiles, and the same for all colours. Therefore letters keep their shape, which
    local methods (CLAHE) do not guarantee. The percentiles exclude only specks of dust. They must not exclude a line of
    text, which covers a thousandth of a page: otherwise the next lighter shade, a shaded field or box, would become as
    dark as its ink.
    """
    sample = grey(page)[::2, ::2]
    low, high = (float(value) for value in np.percentile(sample, _DUST_PERCENTILES))
    # A page without ink is not changed, because stretching it would make its noise look like text.
    if high - low > 0.75 * 255 or high - low < 16:
        return page
    table = np.clip((np.arange(256) - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)
    return _image(cv2.LUT(page, table))


def turn(page: Image, degrees: float, limits: Limits) -> tuple[Image, Array]:
    """
    Return ``page`` turned clockwise by ``degrees`` on white, enlarged so that no corner is cut off.

    :return: The turned page, and the 3 x 3 matrix from its pixels to those of ``page``.
    :raises JobError: if the turned page would be over twice ``limits.max_pixels``, which cannot happen to a square.
    """
    height, width = page.shape[:2]
    if degrees % 90 == 0:
        return _quarter_turn(page, int(degrees // 90) % 4)
    new_width, new_height = _turned_size(width, height, degrees)
    check_pixels(new_width, new_height, Limits(max_pixels=2 * limits.max_pixels))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    matrix[0, 2] += (new_width - width) / 2
    matrix[1, 2] += (new_height - height) / 2
    white = 255 if page.ndim == 2 else (255, 255, 255)
    turned = cv2.warpAffine(
        page,
        matrix,
        (new_width, new_height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=white,
    )
    return _image(turned), np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))


def _turned_size(width: int, height: int, degrees: float) -> tuple[int, int]:
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    return math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine)


def padded(page: Image, *, rows: int, columns: int) -> Image:
    """Return ``page`` with ``rows`` added above and below and ``columns`` on both sides, in the colour of its edge."""
    edge = np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])
    colour = np.median(edge, axis=0)
    value = float(colour) if page.ndim == 2 else tuple(map(float, colour))
    border = cv2.BORDER_CONSTANT
    return _image(cv2.copyMakeBorder(page, rows, rows, columns, columns, border, value=value))


def _quarter_turn(page: Image, quarters: int) -> tuple[Image, Array]:
    height, width = page.shape[:2]
    back = {
        0: [[1, 0, 0], [0, 1, 0]],
        1: [[0, 1, 0], [-1, 0, height]],
        2: [[-1, 0, width], [0, -1, height]],
        3: [[0, -1, width], [1, 0, 0]],
    }[quarters]
    return np.ascontiguousarray(np.rot90(page, -quarters)), np.array([*back, [0, 0, 1]], dtype=np.float64)


def deskew(page: Image, limits: Limits) -> tuple[Image, Array]:
    """
    Return ``page`` with horizontal lines, on white; the same page if its lines are horizontal or it has no lines.

    :return: The page, and the 3 x 3 matrix from its pixels to those of the given page.
    """
    degrees = skew_degrees(page)
    new_width, new_height = _turned_size(page.shape[1], page.shape[0], degrees)
    # A long thin strip has no measurable tilt, and would need a page of its length squared if it were turned.
    if abs(degrees) < _LEAST_SKEW_DEGREES or new_width * new_height > 2 * limits.max_pixels:
        return page, np.eye(3)
    return turn(page, -degrees, limits)


def skew_degrees(page: Image) -> float:
    """
    Estimate by how many degrees the text of ``page`` is turned clockwise, from -15 to 15 degrees.

    Method: projection profile. At the angle at which the lines are horizontal, the number of ink pixels per row changes most
    from row to row. The page is reduced to at most 1000 pixels. The search uses steps of half a degree, then finer steps
    around the best angle.
    """
    ink, _ = ink_of(page)
    if min(ink.shape) < 8 or np.count_nonzero(ink) < 50:
        return 0.0
    columns, rows = _ink_points(ink)
    coarse = np.arange(-MAX_SKEW_DEGREES, MAX_SKEW_DEGREES + 0.01, 0.5)
    found = {float(degrees): _sharpness(columns, rows, degrees) for degrees in coarse}
    best = max(found, key=lambda degrees: found[degrees])
    # Noise, a picture or a stain have a best angle, too, but it differs less from the other angles than with lines of text.
    if found[best] < _LEAST_PEAK * float(np.median(list(found.values()))):
        return 0.0
    fine = np.clip(np.arange(best - 0.5, best + 0.51, 0.05), -MAX_SKEW_DEGREES, MAX_SKEW_DEGREES)
    return float(max(fine, key=lambda degrees: _sharpness(columns, rows, degrees)))


def ink_of(page: Image) -> tuple[Image, float]:
    """
    Return the page, reduced to at most 1000 pixels, with 255 where it differs from the local background (ink).

    :return: The ink, and its pixels per pixel of ``page``: 1.0 if the page was not reduced.
    """
    shades = grey(page)
    scale = 1000 / max(shades.shape)
    if scale < 1 and min(shades.shape) * scale >= 1:
        shades = _image(cv2.resize(shades, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    else:
        scale = 1.0
    background = cv2.medianBlur(shades, 31)
    difference = cv2.absdiff(shades, background)
    # At least 24 grey levels, so that the grain of empty paper does not count as ink.
    threshold, _ = cv2.threshold(difference, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return _image(cv2.threshold(difference, max(threshold, 24.0), 255, cv2.THRESH_BINARY)[1]), scale


def _ink_points(ink: Image) -> tuple[Array, Array]:
    rows, columns = np.nonzero(ink)
    if len(rows) > 60_000:  # Enough for a profile. The limit keeps the search fast on dark pages.
        pick = np.random.default_rng(0).choice(len(rows), 60_000, replace=False)
        rows, columns = rows[pick], columns[pick]
    return columns - ink.shape[1] / 2, rows - ink.shape[0] / 2


def _sharpness(columns: Array, rows: Array, degrees: float) -> float:
    """Return how much the profile of the points changes from row to row after turning them back by ``degrees``."""
    angle = math.radians(degrees)
    heights = rows * math.cos(angle) - columns * math.sin(angle)
    profile = np.bincount((heights - heights.min()).astype(np.int64)).astype(np.float64)
    return float(np.sum(np.diff(profile) ** 2))


def _image(pixels: Array) -> Image:
    """Return the result of an untyped function of OpenCV with its type."""
    return pixels.astype(np.uint8, copy=False)

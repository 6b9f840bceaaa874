"""
Apply the settings of a request to a page before it is read.

Invariant: each setting is applied, refused, or named in a warning. The defaults are those of the vendor's docs, which differ
from those of the OpenAPI document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_asposeocr.api.enums import DSR_CONFIDENCES, DSR_MODES
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.emulator.work.engines.direction import RIGHT_TO_LEFT
from airflow_provider_asposeocr.emulator.work.imaging import filters
from airflow_provider_asposeocr.emulator.work.imaging.pages import PreparedPage
from airflow_provider_asposeocr.emulator.work.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_asposeocr.emulator.work.engines.base import Array
    from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits
    from airflow_provider_asposeocr.emulator.work.imaging.pages import Page

#: The steps in the order of the vendor's docs ("Preprocessing"), and the exceptions that the docs name.
_ORDER = ("contrast", "binarize", "deskew", "upsample")
_ORDERS = dict.fromkeys(
    ("RecognizeReceipt", "RecognizeAndParseInvoice"), ("contrast", "binarize", "upsample", "deskew")
)
_SETTINGS = {
    "contrast": "makeContrastCorrection",
    "binarize": "makeBinarization",
    "deskew": "makeSkewCorrect",
    "upsample": "makeUpsampling",
}
#: Steps that are on by default, for operations whose docs name the setting.
_ON_BY_DEFAULT = frozenset({"contrast", "deskew"})

#: Modes that detect columns; the others read from top to bottom.
_COLUMN_MODES = frozenset({"Regions", "DsrNoFilter", "DsrAndFilter", "DsrPlusDetector"})
#: Modes whose regions are single lines.
_LINE_MODES = frozenset({"TextDetector", "PolygonalTextDetector", "LineDetector"})
#: Operations on articles and prices, which must be read row by row.
_ROWS_ONLY = frozenset({"RecognizeReceipt", "RecognizeLabel", "RecognizeTable", "RecognizeAndParseInvoice"})


@dataclass(frozen=True)
class Preparation:
    """
    The settings of a request for preparing and reading its pages.

    :param language: The cloud's name of the language.
    :param rotate: Degrees clockwise (the vendor documents neither range nor sign).
    :param steps: Filters in the order in which they are applied.
    :param columns: Whether to detect columns of text.
    :param by_line: Whether regions are single lines rather than blocks.
    :param warnings: Warnings about settings that have no effect in the emulator.
    """

    language: str
    rotate: float
    steps: tuple[str, ...]
    columns: bool
    by_line: bool
    warnings: tuple[str, ...]

    @property
    def right_to_left(self) -> bool:
        """Whether the language is written from right to left."""
        return self.language in RIGHT_TO_LEFT


def preparation(operation: str, settings: Mapping[str, Any]) -> Preparation:
    """
    Read the settings of a request.

    :param operation: Name of the operation.
    :raises JobError: if a setting has an invalid value.
    """
    documented = OPERATIONS[operation].settings
    steps = tuple(
        step
        for step in _ORDERS.get(operation, _ORDER)
        if _flag(settings, _SETTINGS[step], step in _ON_BY_DEFAULT and _SETTINGS[step] in documented)
    )
    mode = _word(settings, "dsrMode", (*DSR_MODES, "CraftPoly"), "Regions")
    mode = "PolygonalTextDetector" if mode == "CraftPoly" else mode
    return Preparation(
        language=_word(settings, "language", None, "English"),
        rotate=_rotate(settings),
        steps=steps,
        columns=mode in _COLUMN_MODES and operation not in _ROWS_ONLY,
        by_line=mode in _LINE_MODES,
        warnings=tuple(_without_effect(operation, settings)),
    )


def _without_effect(operation: str, settings: Mapping[str, Any]) -> list[str]:
    warnings = []
    if _flag(settings, "makeSpellCheck", False):
        warnings.append("makeSpellCheck has no effect in the emulator.")
    if _word(settings, "dsrConfidence", DSR_CONFIDENCES, "Default") not in ("Default", "Mid"):
        warnings.append("dsrConfidence has no effect in the emulator.")
    warnings += _types_without_effect(operation, settings)
    if settings.get("regions") and operation != "RecognizeRegions":
        warnings.append(f"regions have no effect on {operation}.")
    return warnings


def _types_without_effect(operation: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Name what does not choose the results of an operation; in tables, ``resultType`` chooses JSON only (vendor's docs)."""
    chosen = settings.get("resultType")
    is_json_table = operation == "RecognizeTable" and chosen == "JSON"
    if settings.get("resultTypeTable") is not None and (operation != "RecognizeTable" or is_json_table):
        yield f"resultTypeTable has no effect on {operation} in the emulator{' with resultType JSON' * is_json_table}."
    if chosen is not None and (
        (operation == "RecognizeTable" and not is_json_table)
        or (operation == "RecognizeAndParseInvoice" and chosen != "Text")
    ):
        yield f"resultType {chosen} has no effect on {operation} in the emulator."


def _flag(settings: Mapping[str, Any], name: str, default: bool) -> bool:
    value = settings.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise JobError(f"The setting {name} must be true or false, not {value!r}.")
    return value


def _word(settings: Mapping[str, Any], name: str, allowed: tuple[str, ...] | None, default: str) -> str:
    value = settings.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or (allowed is not None and value not in allowed):
        hint = f" It may be {', '.join(allowed)}." if allowed else ""
        raise JobError(f"The setting {name} cannot be {value!r}.{hint}")
    return value


def _rotate(settings: Mapping[str, Any]) -> float:
    value = settings.get("Rotate")
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not -360 <= value <= 360:
        raise JobError(f"The setting Rotate must be a number of degrees from -360 to 360, not {value!r}.")
    return float(value)


def prepare(page: Page, wanted: Preparation, limits: Limits) -> PreparedPage:
    """
    Return ``page`` turned and filtered.

    The vendor does not document when ``Rotate`` is applied. The emulator applies it first, so that the filters get an
    upright page.

    :raises JobError: if the prepared page would have more than ``limits.max_pixels``.
    """
    height, width = page.image.shape[:2]
    image, to_source, dpi = filters.square_pixels(page.image, page.resolution, limits)
    if wanted.rotate % 360:
        image, back = filters.turn(image, wanted.rotate, limits)
        to_source = to_source @ back
    for step in wanted.steps:
        if step == "contrast":
            image = filters.stretch_contrast(image)
        elif step == "binarize":
            image = filters.binarize(image)
        elif step == "deskew":
            image, back = filters.deskew(image, limits)
            to_source = to_source @ back
        else:
            image = filters.upscale(image, limits)
            to_source = to_source @ _shrink(1 / filters.UPSCALE_FACTOR)
            dpi *= filters.UPSCALE_FACTOR
    if "binarize" in wanted.steps:  # Turning and enlarging have produced grey pixels.
        image = np.where(image > 127, 255, 0).astype(np.uint8)
    return PreparedPage(image, dpi, (width, height), to_source)


def _shrink(factor: float) -> Array:
    return np.diag([factor, factor, 1.0])

"""
The settings of operations, and their validation.

Invariant: the client sends exactly the settings that the user set, in the server's spelling. It adds no defaults, because
the vendor's docs and specification disagree on several of them, so that a default of the provider would silently change
results.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_asposeocr.api import enums
from airflow_provider_asposeocr.api.errors import SettingsError
from airflow_provider_asposeocr.api.languages import suggest_languages
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.templates import has_template

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.operations import Operation

#: Values in the vendor's docs that the server spells differently.
_DOCUMENTED_AS = {"CraftPoly": "PolygonalTextDetector"}


def near_miss(word: str, words: Iterable[str]) -> str:
    """
    Suggest the word that was probably meant.

    :param word: The written word.
    :param words: The known words.
    :return: A sentence that begins with a space, or an empty string if no word is similar.
    """
    by_lower = {known.lower(): known for known in words}
    near = difflib.get_close_matches(word.strip().lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""


def _one_of(words: tuple[str, ...]) -> AfterValidator:
    def check(word: str) -> str:
        word = _DOCUMENTED_AS.get(word, word)
        if word in words:
            return word
        known = near_miss(word, words) or f" Known: {', '.join(words)}."
        raise ValueError(f"{shown(word, 60)!r} is not known to the cloud.{known}")

    return AfterValidator(check)


def _check_language(word: str) -> str:
    if word in enums.LANGUAGES:
        return word
    meant = " or ".join(map(repr, suggest_languages(word)))
    hint = f"Did you mean {meant}?" if meant else "Languages are English names, for example 'German'."
    raise ValueError(f"{shown(word, 60)!r} is not known to the cloud. {hint}")


class Rect(BaseModel):
    """Corners of a rectangle in pixels from the top left of the page."""

    model_config = ConfigDict(extra="forbid")

    topLeftX: int
    topLeftY: int
    bottomRightX: int
    bottomRightY: int

    @model_validator(mode="after")
    def _has_an_area(self) -> Rect:
        if self.bottomRightX <= self.topLeftX or self.bottomRightY <= self.topLeftY:
            raise ValueError("the bottom right corner must lie right of and below the top left one")
        return self


class Region(BaseModel):
    """
    A region to recognize.

    :param order: Position of the region's text in the output; a larger number comes later.
    :param rect: The rectangle of the region.
    """

    model_config = ConfigDict(extra="forbid")

    order: int
    rect: Rect


class Settings(BaseModel):
    """
    All settings of the cloud's operations; the table of operations contains which of them apply to an operation.

    The names are the server's. ``rotate``, as in the vendor's docs, is accepted for ``Rotate``.
    """

    model_config = ConfigDict(extra="allow")

    language: Annotated[str, AfterValidator(_check_language)] | None = None
    makeSkewCorrect: bool | None = None
    Rotate: int | None = None
    makeBinarization: bool | None = None
    makeContrastCorrection: bool | None = None
    makeUpsampling: bool | None = None
    makeSpellCheck: bool | None = None
    dsrMode: Annotated[str, _one_of(enums.DSR_MODES)] | None = None
    dsrConfidence: Annotated[str, _one_of(enums.DSR_CONFIDENCES)] | None = None
    resultType: Annotated[str, _one_of((*enums.RESULT_TYPES, *enums.RESULT_TYPES_TTS))] | None = None
    resultTypeTable: Annotated[str, _one_of(enums.RESULT_TYPES_TABLE)] | None = None
    regions: Annotated[list[Region], Field(min_length=1)] | None = None


def regions_from_corners(corners: Iterable[Iterable[int]]) -> list[dict[str, Any]]:
    """
    Convert the result of DetectRegions to the setting ``regions`` of RecognizeRegions.

    :param corners: Rectangles ``[x1, y1, x2, y2]``, in reading order.
    :return: Regions as ``{"order": n, "rect": {…}}``.
    :raises SettingsError: if an entry does not have four whole numbers.
    """
    names = ("topLeftX", "topLeftY", "bottomRightX", "bottomRightY")
    regions = []
    for order, corner in enumerate(corners):
        numbers = list(corner)
        if len(numbers) != 4 or not all(isinstance(number, int) for number in numbers):
            raise SettingsError(f"A region must be four whole numbers, not {shown(numbers, 80)}.")
        regions.append({"order": order, "rect": dict(zip(names, numbers, strict=True))})
    return regions


def _server_spelling(name: str) -> str:
    """Return the server's spelling of a name such as ``make_skew_correct`` (Python) or ``rotate`` (vendor's docs)."""
    by_lower = {known.lower(): known for known in Settings.model_fields}
    return by_lower.get(name.replace("_", "").lower(), name)


def _in_server_spelling(settings: Any) -> dict[str, Any]:
    if not isinstance(settings, Mapping):
        raise SettingsError(f"settings must be a mapping, not {type(settings).__name__}.")
    given: dict[str, Any] = {}
    for name, value in settings.items():
        spelled = _server_spelling(str(name))
        if spelled in given:
            raise SettingsError(f"{spelled} is set twice, in two spellings.")
        given[spelled] = value
    return given


def _name_problems(operation: Operation, given: Mapping[str, Any], strict: bool) -> list[str]:
    known = {name: value for name, value in given.items() if strict or name in Settings.model_fields}
    wrong = [name for name in known if name not in operation.settings]
    if not wrong:
        return []
    if not operation.settings:
        return [f"{operation.name} has no settings, but got {shown(sorted(wrong))}."]
    problems = [
        f"{shown(name, 60)!r} does not apply to {operation.name}.{near_miss(name, operation.settings)}"
        for name in wrong
    ]
    return [*problems, f"These settings do: {', '.join(sorted(operation.settings, key=str.lower))}."]


def _value_problem(item: Mapping[str, Any]) -> str:
    name = ".".join(map(str, item["loc"]))
    said = shown(item["msg"].removeprefix("Value error, "), 500)
    return f"Setting {name}: {said}" if said.endswith((".", "?")) else f"Setting {name}: {said}."


def _result_type_problems(operation: Operation, result_type: object) -> list[str]:
    known = (*enums.RESULT_TYPES, *enums.RESULT_TYPES_TTS)
    if result_type not in known or not operation.result_types or result_type in operation.result_types:
        return []
    applying = ", ".join(operation.result_types)
    return [f"resultType {result_type!r} does not apply to {operation.name}. These do: {applying}."]


def validate_settings(
    operation: Operation,
    settings: Mapping[str, Any] | Settings | None,
    *,
    strict: bool = True,
    rendered: bool = True,
) -> dict[str, Any]:
    """
    Validate settings, and convert their names to the server's spelling.

    :param operation: The operation.
    :param settings: The user's settings; names in the server's spelling, in snake case, or as in the vendor's docs.
    :param strict: Whether a setting that the table does not list for the operation is an error. ``False`` accepts
        settings that this version does not know; known settings must still apply to the operation.
    :param rendered: ``False`` at parse time: templates, and missing required settings, are not checked.
    :return: The settings that the user set, in the form of the request.
    :raises SettingsError: if a name does not apply or a value is not known; the message names all problems and the valid
        names or values.
    """
    if isinstance(settings, Settings):
        settings = settings.model_dump(exclude_unset=True)
    given = _in_server_spelling(settings or {})
    problems = _name_problems(operation, given, strict)
    ready = {name: value for name, value in given.items() if rendered or not has_template(value)}
    regions = ready.get("regions")
    if isinstance(regions, list) and regions and all(isinstance(region, list | tuple) for region in regions):
        ready["regions"] = regions_from_corners(regions)
    checked = Settings()
    try:
        checked = Settings.model_validate(ready)
    except ValidationError as error:
        problems += map(_value_problem, error.errors(include_url=False, include_input=False))
    problems += _result_type_problems(operation, ready.get("resultType"))
    missing = {name for name in operation.required_settings if given.get(name) is None}
    if rendered and missing:
        problems.append(f"{operation.name} needs {', '.join(sorted(missing))}.")
    if problems:
        raise SettingsError(shown(" ".join(problems), 2000))
    return checked.model_dump(exclude_unset=True, exclude_none=True)

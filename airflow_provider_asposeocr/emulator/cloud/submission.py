"""
Parse and validate the JSON of a submit.

Invariant: a submission has only settings in the server's spelling, with values of the documented types; otherwise the
request is refused, and the error names the field. Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api import enums
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.emulator.cloud.error_responses import Refused, invalid
from airflow_provider_asposeocr.emulator.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.emulator.options import Options

_ENUMS: dict[str, tuple[str, ...]] = {
    "language": enums.LANGUAGES,
    "dsrMode": enums.DSR_MODES,
    "dsrConfidence": enums.DSR_CONFIDENCES,
    "resultType": enums.RESULT_TYPES,
    "resultTypeTable": enums.RESULT_TYPES_TABLE,
}
_ENUMS_TTS: dict[str, tuple[str, ...]] = {
    "language": enums.LANGUAGES_TTS,
    "resultType": enums.RESULT_TYPES_TTS,
}
_FLAGS = (
    "makeSkewCorrect",
    "makeBinarization",
    "makeContrastCorrection",
    "makeUpsampling",
    "makeSpellCheck",
)
#: Spellings in the vendor's docs that are not in the server's own list.
_ALIASES = {"craftpoly": "PolygonalTextDetector"}
#: Most values in a body; a thousand regions have about six thousand.
_MOST_VALUES = 1_000_000
_CORNERS = ("topLeftX", "topLeftY", "bottomRightX", "bottomRightY")


@dataclass(frozen=True)
class Submission:
    """
    A submit that can be accepted.

    :param payload: The decoded input.
    :param settings: Settings in the server's spelling.
    :param broken: Why the input could not be decoded, if this ends the task instead of refusing the request.
    """

    payload: bytes = field(repr=False)
    settings: Mapping[str, Any]
    broken: str | None = None


def read_submission(body: bytes, operation: Operation, options: Options) -> Submission:
    """
    Parse the body of a submit.

    :param body: The whole body.
    :param operation: The operation of the path.
    :param options: Options about undocumented behaviour.
    :raises Refused: with 400, if the body cannot be accepted.
    """
    document = _object(body)
    fields = {key.lower(): value for key, value in document.items()}
    settings = _read_settings(fields.get("settings"), operation, options)
    given, name = fields.get(operation.body_field.lower()), operation.body_field.capitalize()
    if operation.sends_text:
        return Submission(_text(given, name), settings)
    try:
        return Submission(_image(given, name), settings)
    except Refused as refusal:
        if options.bad_image == "task_error" and isinstance(given, str):
            return Submission(b"", settings, refusal.detail)
        raise


def _object(body: bytes) -> dict[str, Any]:
    # A JSON value takes up to thirty times its size in memory, whereas base64 takes four times its size.
    if sum(map(body.count, (b"[", b"{", b","))) > _MOST_VALUES:
        raise invalid("$", f"The body has more than {_MOST_VALUES} values.")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid("$", f"The body is not JSON: {printable(str(error))}") from None
    if not isinstance(document, dict):
        raise invalid("$", "The body is not a JSON object.")
    return document


def _image(value: object, name: str) -> bytes:
    if not isinstance(value, str) or not value:
        raise invalid(name, f"The {name} field is required: the file as a base64 string.")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(
            name, f"The {name} field is not base64 (standard alphabet, padded, no line breaks)."
        ) from None


def _text(value: object, name: str) -> bytes:
    if not isinstance(value, str) or not value:
        raise invalid(name, f"The {name} field is required and has at least one character.")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise invalid(name, f"The {name} field has half a surrogate pair in it.") from None


def _read_settings(value: object, operation: Operation, options: Options) -> dict[str, Any]:
    if not operation.has_settings:
        return {}
    if value is None:
        if options.missing_settings == "400" or operation.required_settings:
            raise invalid("Settings", "The Settings field is required.")
        return {}
    if not isinstance(value, dict):
        raise invalid("Settings", "The Settings field is not a JSON object.")
    settings = _read_values(value, _readers(operation, options), options)
    missing = sorted(operation.required_settings - settings.keys())
    if missing:
        raise invalid(f"Settings.{missing[0]}", f"The setting {missing[0]} is required.")
    return settings


def _read_values(
    given: dict[str, Any], readers: dict[str, tuple[str, Callable[[Any], Any]]], options: Options
) -> dict[str, Any]:
    """Read the settings one by one; ``null`` means that the setting is not set."""
    settings: dict[str, Any] = {}
    for key, value in given.items():
        if key.lower() not in readers:
            if options.unknown_settings == "400":
                raise invalid(f"Settings.{printable(key)}", f"There is no setting {printable(repr(key))}.")
            continue
        name, read = readers[key.lower()]
        try:
            if value is not None:
                settings[name] = read(value)
        except ValueError as error:
            if options.bad_values == "400":
                raise invalid(f"Settings.{name}", f"The setting {name} {error}") from None
    return settings


def _readers(operation: Operation, options: Options) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Return, by lower-case key, the spelling of each setting and the function that reads its value."""
    if operation.name not in OPERATIONS:
        return {name.lower(): (name, _unchecked) for name in operation.settings}
    text_to_speech = operation.sends_text
    readers: dict[str, Callable[[Any], Any]] = {
        name: _enum_reader(words, options.lenient_enums)
        for name, words in (_ENUMS_TTS if text_to_speech else _ENUMS).items()
    }
    if not text_to_speech:
        readers |= dict.fromkeys(_FLAGS, _flag)
        readers |= {"Rotate": _integer, "regions": lambda given: _regions(given, options.max_regions)}
    return {name.lower(): (name, read) for name, read in readers.items()}


def _unchecked(given: Any) -> Any:
    """Accept any value of a setting of a declared operation, about which nothing is known."""
    return given


def _enum_reader(words: tuple[str, ...], lenient: bool) -> Callable[[Any], str]:
    def read(given: Any) -> str:
        if given in words:
            return str(given)
        if lenient and isinstance(given, str):
            spelled = {word.lower(): word for word in words}
            wanted = _ALIASES.get(given.lower(), given).lower()
            if wanted in spelled:
                return spelled[wanted]
        raise ValueError(
            f"cannot be {printable(repr(given))}; the server knows {', '.join(words[:12])}"
            f"{' and others' if len(words) > 12 else ''}."
        )

    return read


def _flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError("is true or false.")
    return given


def _integer(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or abs(given) >= 2**31:
        raise ValueError("is a 32-bit integer.")
    return given


def _regions(given: Any, longest: int) -> list[dict[str, Any]]:
    if not isinstance(given, list) or len(given) > longest:
        raise ValueError(f"is a list of at most {longest} regions.")
    return [_region(region) for region in given]


def _region(given: Any) -> dict[str, Any]:
    """Read one region; the vendor's docs call both ``rect`` and ``order`` mandatory."""
    fields = _lowered(given)
    corners = _lowered(fields.get("rect"))
    rect = {corner: _integer(corners.get(corner.lower())) for corner in _CORNERS}
    return {"order": _integer(fields.get("order")), "rect": rect}


def _lowered(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(
            "has regions like"
            ' {"order": 0, "rect": {"topLeftX": 0, "topLeftY": 0, "bottomRightX": 9, "bottomRightY": 9}}.'
        )
    return {key.lower(): value for key, value in given.items()}

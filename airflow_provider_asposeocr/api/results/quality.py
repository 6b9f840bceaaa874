"""
Gates of quality: numbers that are measured in a result, and what a document that misses one comes to.

Invariant: whether a result passes is a pure function of the numbers and the gates. A gate whose number could not be
measured is not passed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import InputError, LibraryMissingError, LowQualityError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.results.scripts import SCRIPTS
from airflow_provider_asposeocr.api.settings import near_miss

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.results.measures import Measured
    from airflow_provider_asposeocr.api.results.policies import OnLowQuality

#: Characters of a text in which ``must_match`` looks. It is found in linear time, so that this bounds the time.
MOST_MATCHED_CHARACTERS = 1_000_000
_LONGEST_PATTERN = 1_000
_GATES = ("min_mean_confidence", "min_characters", "must_match", "language_share")


@dataclass(frozen=True)
class Gates:
    """
    What a result has to reach.

    :param min_mean_confidence: Smallest mean confidence of the words, from 0 to 1. It needs hOCR with confidences.
    :param min_characters: Smallest number of characters that are no white space.
    :param must_match: Pattern that has to be found in the text, in the syntax of RE2.
    :param language_share: Smallest share of the letters for each writing system, by its name, for example ``Latin``.
    """

    min_mean_confidence: float | None = None
    min_characters: int | None = None
    must_match: str | None = None
    language_share: Mapping[str, float] = field(default_factory=dict)


def _number(value: object) -> str:
    """Write a number of characters with all of its digits, and a share with six."""
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Missed:
    """
    A gate that was not passed.

    :param gate: Its name; of ``language_share`` with the writing system.
    :param value: What was measured; ``None`` = it could not be measured, or for ``must_match``, that nothing was found.
    :param threshold: What was asked for.
    """

    gate: str
    value: float | None
    threshold: float | str

    def __str__(self) -> str:
        if self.gate == "must_match":
            return f"must_match: nothing in the text matches {shown(self.threshold, 100)!r}"
        if self.value is None:
            return (
                f"{self.gate} is not known, because no result has it; {_number(self.threshold)} is asked for"
            )
        return f"{self.gate} is {_number(self.value)}, below {_number(self.threshold)}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        threshold = shown(self.threshold, 100) if isinstance(self.threshold, str) else self.threshold
        return {"gate": self.gate, "value": self.value, "threshold": threshold}


@dataclass(frozen=True)
class Verdict:
    """
    What becomes of a result.

    :param missed: The gates that it has not passed.
    :param stores: Whether its files are written.
    :param fails: Whether the document has failed.
    :param skips: Whether the document is skipped.
    :param reviews: Whether a person is to look at it.
    """

    missed: tuple[Missed, ...]
    stores: bool = True
    fails: bool = False
    skips: bool = False
    reviews: bool = False

    @property
    def is_low(self) -> bool:
        """Whether a gate was not passed."""
        return bool(self.missed)

    @property
    def text(self) -> str:
        """The gates that were not passed, with value and threshold."""
        return "; ".join(map(str, self.missed))

    def error(self, operation: str | None, task_id: str | None) -> LowQualityError:
        """
        Make the error of a result that has not passed.

        :param operation: The operation that made it.
        :param task_id: The cloud's id of its task.
        """
        return LowQualityError(
            f"The result is of low quality: {self.text}.", operation=operation, task_id=task_id
        )


def parse_gates(quality: object) -> Gates | None:
    """
    Check ``quality``.

    :param quality: A mapping of gates; ``None`` = there are none.
    :return: The gates; ``None`` where there are none.
    :raises InputError: if a gate is unknown or makes no sense; the message names it.
    :raises LibraryMissingError: if ``must_match`` is set and RE2 is not installed.
    """
    if quality is None:
        return None
    if not isinstance(quality, Mapping):
        raise InputError(f"quality must be a mapping of gates, not {shown(repr(quality), 80)}.")
    for name in quality:
        if name not in _GATES:
            hint = near_miss(str(name), _GATES) or f" Known: {', '.join(_GATES)}."
            raise InputError(f"quality has no gate {shown(repr(name), 60)}.{hint}")
    characters = quality.get("min_characters")
    if characters is not None and not (_is_number(characters, int) and characters >= 0):
        raise InputError(
            f"quality: min_characters is a number of characters, not {shown(repr(characters), 60)}."
        )
    return Gates(
        min_mean_confidence=_share("min_mean_confidence", quality.get("min_mean_confidence")),
        min_characters=characters,
        must_match=_pattern(quality.get("must_match")),
        language_share=_shares(quality.get("language_share")),
    )


def _is_number(value: object, *types: type) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def _share(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value, int, float) or not 0 <= value <= 1:
        raise InputError(f"quality: {name} is a share from 0 to 1, not {shown(repr(value), 60)}.")
    return float(value)


def _shares(value: object) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(
            f"quality: language_share is a share for each writing system, for example {{'Latin': 0.9}}, not "
            f"{shown(repr(value), 60)}."
        )
    for name in value:
        if name not in SCRIPTS:
            hint = near_miss(str(name), SCRIPTS) or f" Known: {', '.join(SCRIPTS)}."
            raise InputError(
                f"quality: language_share knows no writing system {shown(repr(name), 60)}.{hint}"
            )
    found = {str(name): _share(f"language_share[{name!r}]", share) for name, share in value.items()}
    return {name: share for name, share in found.items() if share is not None}


def _pattern(pattern: object) -> str | None:
    if pattern is None:
        return None
    if not isinstance(pattern, str) or not pattern or len(pattern) > _LONGEST_PATTERN:
        raise InputError(
            f"quality: must_match is a regular expression of at most {_LONGEST_PATTERN} characters, not "
            f"{shown(repr(pattern), 60)}."
        )
    found_in(pattern, "")
    return pattern


def found_in(pattern: str, text: str) -> bool:
    """
    Tell whether a pattern is found in a text, in a time that grows with the length of both only.

    :param pattern: A regular expression in the syntax of RE2, which has neither references back nor looks around.
    :param text: The text; its first :data:`MOST_MATCHED_CHARACTERS` are looked at.
    :raises InputError: if it is no such expression.
    :raises LibraryMissingError: if RE2 is not installed.
    """
    try:
        re2: Any = importlib.import_module("re2")
    except ImportError:
        raise LibraryMissingError(
            "quality: must_match needs the package google-re2. Install airflow-provider-asposeocr[quality], where DAGs are "
            "parsed, too.",
            billed="no",
        ) from None
    options = re2.Options()
    options.log_errors = False
    try:
        # Half of a pair of surrogates is no character of UTF-8, which RE2 works on.
        searched = text[:MOST_MATCHED_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        return re2.compile(pattern, options).search(searched) is not None
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else error
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise InputError(
            f"quality: must_match is no regular expression of RE2, {shown(repr(pattern), 120)}: {shown(said, 200)}."
        ) from None


def judge(measured: Measured, gates: Gates | None, on_low_quality: OnLowQuality) -> Verdict:
    """
    Decide what becomes of a result.

    :param measured: What was measured in it.
    :param gates: What it has to reach; ``None`` = nothing.
    :param on_low_quality: What to do where it does not. ``fail``: write it and fail. ``skip``: write nothing and skip the
        document. ``mark``: write it, and say so in the manifest. ``review``: as ``mark``, and ask for a person.
    """
    missed = () if gates is None else tuple(_missed(measured, gates))
    if not missed:
        return Verdict(())
    return Verdict(
        missed,
        stores=on_low_quality != "skip",
        fails=on_low_quality == "fail",
        skips=on_low_quality == "skip",
        reviews=on_low_quality == "review",
    )


def _missed(measured: Measured, gates: Gates) -> list[Missed]:
    asked: list[tuple[str, float | None, float | None]] = [
        ("min_mean_confidence", measured.mean_confidence, gates.min_mean_confidence),
        ("min_characters", measured.characters, gates.min_characters),
    ]
    for script, share in gates.language_share.items():
        shares = measured.language_share
        asked.append(
            (f"language_share[{script}]", None if shares is None else shares.get(script, 0.0), share)
        )
    missed = [
        Missed(gate, value, threshold)
        for gate, value, threshold in asked
        if threshold is not None and (value is None or value < threshold)
    ]
    if gates.must_match is not None and not found_in(gates.must_match, measured.text):
        missed.append(Missed("must_match", None, gates.must_match))
    return missed


def missed_in(quality: Mapping[str, Any]) -> tuple[Missed, ...]:
    """
    Read the gates that were not passed from what :func:`describe` returned.

    :param quality: That, as a manifest or a register has kept it.
    """
    return tuple(
        Missed(str(each.get("gate")), each.get("value"), each.get("threshold", 0))
        for each in quality.get("missed", ())
    )


def describe(measured: Measured, verdict: Verdict) -> dict[str, Any] | None:
    """
    Describe the quality of a result for its manifest.

    :param measured: What was measured.
    :param verdict: What was decided.
    :return: Plain JSON; ``None`` where nothing could be measured and no gate was asked.
    """
    found = measured.to_dict()
    if verdict.is_low:
        found["missed"] = [missed.to_dict() for missed in verdict.missed]
    if verdict.reviews:
        found["review"] = True
    return found or None

"""
The steps of a batch: the cloud's operations that each document goes through, one after the other.

Invariant: steps that do not fit together are refused when the DAG is parsed. If a task found it later, the first step would
have been billed for every document. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.enums import RESULT_TYPES_TABLE
from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.api.files.filetypes import ALL_SUFFIXES, suffix_for
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.settings import near_miss, validate_settings
from airflow_provider_asposeocr.api.templates import has_template

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.operations import Operation

#: What kind of file a result is, by the cloud's word for it; the kinds of :mod:`.file_kinds`.
_KINDS = {
    "Text": "text",
    "Pdf": "pdf",
    "Hocr": "html",
    "JSON": "json",
    "ImagePNG": "png",
    "Excel": "zip",
    "Csv": "text",
    "Wav": "wav",
}
_KEYS = ("operation", "settings")


@dataclass(frozen=True, slots=True)
class Step:
    """
    One cloud task that each document goes through.

    :param operation: Name of the cloud's operation; in evaluation mode, too, not that of its trial variant.
    :param settings: Its settings in the server's spelling, and only those that the user set; by default none.
    """

    operation: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> Operation:
        """The operation's row of the table."""
        return OPERATIONS[self.operation]

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain JSON."""
        return {"operation": self.operation, "settings": dict(self.settings)}

    @property
    def result_types(self) -> tuple[str, ...] | None:
        """
        The types of the results that the step makes, as far as its settings say.

        ``None`` where they do not: the vendor's documents disagree on the default of ``resultType``.
        """
        if not self.row.has_settings:
            return ("ImagePNG",)
        if self.row.result_suffix == ".json":
            return ("JSON",)
        chosen = self.settings.get("resultTypeTable") or self.settings.get("resultType")
        if chosen is None and len(self.row.result_types) == 1 and "resultTypeTable" not in self.row.settings:
            chosen = self.row.result_types[0]
        return None if chosen is None else tuple(str(chosen).split("And"))

    @property
    def suffixes(self) -> tuple[str, ...] | None:
        """The suffixes of the files that the step makes; ``None`` where the settings do not say which results there are."""
        types = self.result_types
        return None if types is None else tuple(suffix_for(self.row, word, b"") for word in types)

    @property
    def possible_suffixes(self) -> tuple[str, ...]:
        """The suffixes of the files that the step may make; where the settings do not say it, all of the operation's."""
        possible = {suffix_for(self.row, word, b"") for word in _possible_types(self)}
        return self.suffixes or tuple(sorted(possible)) or ALL_SUFFIXES

    @property
    def type_setting(self) -> str:
        """The setting that says which results the step makes."""
        return "resultTypeTable" if "resultTypeTable" in self.row.settings else "resultType"

    @property
    def results_per_type(self) -> int:
        """How many results of each type the step makes at most: one for each region, else one."""
        regions = self.settings.get("regions") if self.operation == "RecognizeRegions" else None
        return len(regions) if isinstance(regions, list | tuple) else 1


def parse_steps(
    steps: Any, *, strict: bool = True, rendered: bool = True, trial: bool = False
) -> tuple[Step, ...]:
    """
    Check the steps of a batch, each by itself and each against the one before it.

    :param steps: A list; each entry is the name of an operation, or ``{"operation": name, "settings": {…}}``.
    :param strict: Whether a setting that this version does not know for the operation is an error.
    :param rendered: ``False`` at parse time: what is a template then is left for later.
    :param trial: Whether the connection is in evaluation mode, where most operations do not exist. An operation keeps the
        name that the user wrote.
    :return: The steps, in order. At parse time, steps whose operation is a template are missing.
    :raises InputError: if an operation is not known or reads nothing of what the step before makes; the message names
        the step. :class:`SettingsError`, if a setting does not apply.
    """
    if isinstance(steps, str | bytes) or not isinstance(steps, Sequence):
        raise InputError(
            f"steps is a list of operations, as in ['BinarizeImage', 'RecognizeImage'], not {shown(repr(steps), 80)}."
        )
    if not steps:
        raise InputError("steps is empty: there is nothing to do with the documents.")
    parsed = [_parse_step(number, step, strict, rendered, trial) for number, step in enumerate(steps, 1)]
    for number, (before, after) in enumerate(zip(parsed, parsed[1:], strict=False), 2):
        if before is not None and after is not None:
            _check_fit(
                number, before, after, settings_are_known=rendered or not has_template(steps[number - 2])
            )
    return tuple(step for step in parsed if step is not None)


def _parse_step(number: int, step: Any, strict: bool, rendered: bool, trial: bool) -> Step | None:
    if isinstance(step, str):
        step = {"operation": step}
    if not isinstance(step, Mapping) or not isinstance(step.get("operation"), str):
        raise InputError(
            f"Step {number} is the name of an operation or {{'operation': name, 'settings': {{…}}}}, not "
            f"{shown(repr(step), 120)}."
        )
    unknown = [key for key in step if key not in _KEYS]
    if unknown:
        raise InputError(
            f"Step {number} has the unknown key {shown(repr(unknown[0]), 60)}.{near_miss(str(unknown[0]), _KEYS)} "
            "A step has an operation and settings; all else is a parameter of the operator."
        )
    name = step["operation"]
    if not rendered and has_template(name):
        return None
    try:
        find_operation(name, trial)
        settings = validate_settings(OPERATIONS[name], step.get("settings"), strict=strict, rendered=rendered)
    except AsposeOcrError as error:
        error.args = (f"Step {number}: {error.message}",)
        error.message = error.args[0]
        raise
    return Step(name, settings)


def _check_fit(number: int, before: Step, after: Step, *, settings_are_known: bool) -> None:
    types = before.result_types
    reads = ", ".join(sorted(after.row.input_types))
    if types is None and _fitting(_possible_types(before), after):
        if settings_are_known:
            raise InputError(
                f"Step {number}, {after.operation}, reads {reads}. What step {number - 1}, {before.operation}, makes is not "
                f"said: set {before.type_setting} in its settings."
            )
        return
    if not _fitting(types or (), after):
        made = f" ({', '.join(types)})" if types else ""
        raise InputError(
            f"Step {number}, {after.operation}, reads {reads}. Nothing that step {number - 1}, {before.operation}, "
            f"makes{made} is of these types."
        )


def _fitting(types: Iterable[str], after: Step) -> list[str]:
    return [word for word in types if _KINDS.get(word) in after.row.input_types]


def _possible_types(step: Step) -> set[str]:
    chosen = (*step.row.result_types, *(RESULT_TYPES_TABLE if "resultTypeTable" in step.row.settings else ()))
    return {word for types in chosen for word in types.split("And")}

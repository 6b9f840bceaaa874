"""
The steps of a batch: the cloud's operations that each document goes through, one after the other.

Invariant: steps that do not fit together are refused when the DAG is parsed. If a task found it later, the first step would
have been billed for every document. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_asposeocr.api.enums import RESULT_TYPES_TABLE
from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.api.files.filetypes import ALL_SUFFIXES, suffix_for
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.operations import OPERATIONS, Operation
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.settings import near_miss, validate_settings
from airflow_provider_asposeocr.api.templates import has_template

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
_OF_NO_TYPE = ".bin"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One cloud task that each document goes through.

    :param operation: Name of the cloud's operation; in evaluation mode, too, not that of its trial variant.
    :param settings: Its settings in the server's spelling, and only those that the user set; by default none.
    :param declared: The operation itself, if the user has declared it; by default it is in the table.
    """

    operation: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    declared: Operation | None = None

    @property
    def row(self) -> Operation:
        """The operation's row of the table, or the declared one."""
        return self.declared or OPERATIONS[self.operation]

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain JSON."""
        declared = {} if self.declared is None else {"declared": self.declared.to_dict()}
        return {"operation": self.operation, "settings": dict(self.settings), **declared}

    @property
    def result_types(self) -> tuple[str, ...] | None:
        """
        The types of the results that the step makes, as far as its settings say.

        ``None`` where they do not: the vendor's documents disagree on the default of ``resultType``.
        """
        if self.row.result_suffix == ".json":
            return ("JSON",)
        if self.type_setting not in self.row.settings:
            return self.row.result_types or None
        chosen = self.settings.get("resultTypeTable") or self.settings.get("resultType")
        if chosen is None and len(self.row.result_types) == 1 and "resultTypeTable" not in self.row.settings:
            chosen = self.row.result_types[0]
        return None if chosen is None else tuple(str(chosen).split("And"))

    @property
    def suffixes(self) -> tuple[str, ...] | None:
        """The suffixes of the files that the step makes; ``None`` where the settings do not say which results there are."""
        types = self.result_types or ()
        found = tuple(suffix_for(self.row, word, b"") for word in types)
        # Of a type that has no suffix of its own, the content decides.
        return None if not found or _OF_NO_TYPE in found else found

    @property
    def possible_suffixes(self) -> tuple[str, ...]:
        """The suffixes of the files that the step may make; where the settings do not say it, all of the operation's."""
        possible = {suffix_for(self.row, word, b"") for word in _possible_types(self)}
        known = () if _OF_NO_TYPE in possible else tuple(sorted(possible))
        return self.suffixes or known or ALL_SUFFIXES

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

    :param steps: A list; each entry is the name of an operation, or ``{"operation": name, "settings": {…}}``. Instead of the
        name there may be a declared operation, see :func:`.operation_lookup.parse_operation`.
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
                number,
                before,
                after,
                settings_are_known=rendered or not has_template(_settings_of(steps[number - 2])),
            )
    return tuple(step for step in parsed if step is not None)


def _parse_step(number: int, step: Any, strict: bool, rendered: bool, trial: bool) -> Step | None:
    if isinstance(step, str | Operation):
        step = {"operation": step}
    operation = step.get("operation") if isinstance(step, Mapping) else None
    if not isinstance(operation, str | Operation | Mapping):
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
    if not rendered and not isinstance(operation, Operation) and has_template(operation):
        return None
    try:
        find_operation(operation, trial)
        row = find_operation(operation)
        settings = validate_settings(row, step.get("settings"), strict=strict, rendered=rendered)
    except AsposeOcrError as error:
        error.args = (f"Step {number}: {error.message}",)
        error.message = error.args[0]
        raise
    return Step(row.name, settings, None if isinstance(operation, str) else row)


def with_plain_operations(steps: Any) -> Any:
    """
    Return steps whose declared operations are plain JSON, because Airflow serializes and renders them.

    :param steps: As in :func:`parse_steps`, in any form.
    """
    if not isinstance(steps, list | tuple):
        return steps
    return [_with_plain_operation(step) for step in steps]


def _with_plain_operation(step: Any) -> Any:
    if isinstance(step, Operation):
        return {"operation": step.to_dict()}
    if isinstance(step, Mapping) and isinstance(step.get("operation"), Operation):
        return {**step, "operation": step["operation"].to_dict()}
    return step


def _settings_of(step: Any) -> Any:
    return step.get("settings") if isinstance(step, Mapping) else None


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
    fitting = _fitting(types or (), after)
    if len(fitting) * before.results_per_type > 1:
        raise InputError(
            f"Step {number}, {after.operation}, reads one file. Step {number - 1}, {before.operation}, makes "
            f"{len(fitting) * before.results_per_type} that it could read. Let the batch end with step {number - 1}, and "
            "read its results with another one."
        )
    if not fitting:
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

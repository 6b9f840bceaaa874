"""
Find the operation that a user names or declares for a submit.

A submit needs a row of the table of operations, or a row that the user declares. For a cloud task that already exists, no
row is needed: see :func:`.operations.operation_named`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from airflow_provider_asposeocr.api.errors import InputError, TrialNotAvailableError
from airflow_provider_asposeocr.api.files.file_kinds import KINDS
from airflow_provider_asposeocr.api.files.filetypes import ALL_SUFFIXES
from airflow_provider_asposeocr.api.operations import OPERATIONS, TRIAL_SUFFIX, Operation, operation_named
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.settings import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS = tuple(field.name for field in fields(Operation))
#: A name of the request's body. ``settings`` is taken.
_BODY_FIELD = re.compile(r"(?!settings$)[A-Za-z][A-Za-z0-9_]{0,63}", re.IGNORECASE)


def find_operation(operation: str | Operation | Mapping[str, Any], trial: bool = False) -> Operation:
    """
    Return the row of an operation that can be submitted.

    :param operation: Name of an operation of the table, or a declared operation, see :func:`parse_operation`.
    :param trial: Whether to return its trial variant.
    :raises InputError: if this version does not know the operation, or if the declaration makes no sense.
    :raises TrialNotAvailableError: if it has no trial variant.
    """
    row = _in_table(operation) if isinstance(operation, str) else parse_operation(operation)
    if not trial or not row.needs_token:
        return row
    if row.trial is None:
        possible = ", ".join(sorted(row.name for row in OPERATIONS.values() if row.trial))
        raise TrialNotAvailableError(f"{row.name} has no trial variant. These have one: {possible}.")
    return OPERATIONS.get(row.trial) or replace(row, name=row.trial, trial=None, needs_token=False)


def _in_table(name: str) -> Operation:
    if name in OPERATIONS:
        return OPERATIONS[name]
    hint = near_miss(name, OPERATIONS) or (
        " Declare it as an Operation if it is newer than this version of the provider."
    )
    raise InputError(f"{shown(repr(name), 80)} is no operation of the cloud.{hint}")


def parse_operation(declared: Operation | Mapping[str, Any]) -> Operation:
    """
    Check an operation that a user declares, because the table of this version does not have it.

    :param declared: The operation, or its fields as plain JSON, see :class:`.operations.Operation`.
    :return: The operation.
    :raises InputError: if it makes no sense; the message names all problems.
    """
    if declared in OPERATIONS.values():
        return OPERATIONS[declared.name]  # type: ignore[union-attr]  # equal to a row: it is one
    given = declared.to_dict() if isinstance(declared, Operation) else declared
    if not isinstance(given, Mapping):
        raise InputError(
            f"An operation is a name, an Operation or its fields as a mapping, not {shown(repr(given), 80)}."
        )
    unknown = [
        f"{shown(repr(key), 60)} is no field of it.{near_miss(str(key), _FIELDS)}"
        for key in given
        if key not in _FIELDS
    ]
    try:
        row = _adapter().validate_python({key: given[key] for key in given if key in _FIELDS})
        problems = [*unknown, *_problems(row)]
    except ValidationError as error:
        problems = unknown + [
            f"{'.'.join(map(str, item['loc']))}: {shown(item['msg'], 200)}."
            for item in error.errors(include_url=False, include_input=False)
        ]
    if problems:
        raise InputError(f"The declared operation cannot be used: {' '.join(problems)}")
    return row


@functools.cache
def _adapter() -> TypeAdapter[Operation]:
    return TypeAdapter(Operation)


def _problems(row: Operation) -> list[str]:
    return [*_problems_of_names(row), *_problems_of_settings(row), *_problems_of_files(row)]


def _problems_of_names(row: Operation) -> Iterator[str]:
    for name in filter(None, (row.name, row.trial)):
        try:
            operation_named(name)
        except ValueError as error:
            yield f"{shown(repr(name), 80)} is {error}."
    # A task reference has only the name, which then tells whether a token is sent.
    if row.needs_token == row.name.endswith(TRIAL_SUFFIX):
        yield f"An operation is called without a token if, and only if, its name ends in {TRIAL_SUFFIX}."
    if row.trial is not None and not row.trial.endswith(TRIAL_SUFFIX):
        yield f"The name of a trial variant ends in {TRIAL_SUFFIX}."
    if not _BODY_FIELD.fullmatch(row.body_field):
        yield f"body_field {shown(repr(row.body_field), 80)} is no name of a field."


def _problems_of_settings(row: Operation) -> Iterator[str]:
    if not row.has_settings and row.settings:
        yield "It has settings and has_settings=False."
    if missing := sorted(row.required_settings - row.settings):
        yield f"required_settings has {shown(missing)}, which settings has not."


def _problems_of_files(row: Operation) -> Iterator[str]:
    if not row.input_types:
        yield "input_types is empty."
    if unknown := sorted(row.input_types - KINDS):
        yield f"input_types has {shown(unknown)}; the provider recognizes {', '.join(sorted(KINDS))}."
    if row.result_suffix is not None and row.result_suffix not in ALL_SUFFIXES:
        yield f"result_suffix {shown(repr(row.result_suffix), 40)} is none of {', '.join(ALL_SUFFIXES)}."

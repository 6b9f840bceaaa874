"""
Find the operation that a user names for a submit.

A submit needs a row of the table of operations. For a cloud task that already exists, no row is needed: see
:func:`.operations.operation_named`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import InputError, TrialNotAvailableError
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.settings import near_miss

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.operations import Operation


def find_operation(name: str, trial: bool = False) -> Operation:
    """
    Return the row of an operation that can be submitted.

    :param name: Name of the operation.
    :param trial: Whether to return its trial variant.
    :raises InputError: if this version does not know the operation.
    :raises TrialNotAvailableError: if it has no trial variant.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise InputError(f"{name!r} is no operation of the cloud.{near_miss(name, OPERATIONS)}")
    if not trial or not operation.needs_token:
        return operation
    if operation.trial is None:
        possible = ", ".join(sorted(row.name for row in OPERATIONS.values() if row.trial))
        raise TrialNotAvailableError(f"{name} has no trial variant. These have one: {possible}.")
    return OPERATIONS[operation.trial]

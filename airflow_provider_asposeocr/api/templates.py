"""Values that are known only when a task runs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

_MARKS = ("{{", "{%", "{#")


def has_template(value: object) -> bool:
    """
    Return whether a value is known only after rendering.

    :param value: A field as the DAG's author wrote it.
    :return: Whether it is, or contains, a Jinja template or an object that Airflow resolves, such as the output of a task.
    """
    if isinstance(value, str):
        return any(mark in value for mark in _MARKS)
    if isinstance(value, Mapping):
        return any(has_template(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_template(item) for item in value)
    return value is not None and not isinstance(value, bool | int | float | bytes | BaseModel)

"""
The fields of an operator: checked when a DAG is parsed, read when a task runs.

Invariant: what can be known to be wrong at parse time fails there, with the name of the parameter.
"""

from __future__ import annotations

import ast
import json
import math
from typing import Any

from airflow_provider_asposeocr.api.untrusted import shown


def check_seconds(**numbers: float | None) -> None:
    """
    Check durations at parse time.

    :param numbers: Durations by the name of their parameter; ``None`` = from Airflow's configuration.
    :raises ValueError: if one is negative, or zero where that would never wait or never end; it names all of them.
    """
    problems = [_seconds_problem(name, value) for name, value in numbers.items() if value is not None]
    if any(problems):
        raise ValueError("; ".join(filter(None, problems)))


def _seconds_problem(name: str, value: float) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} must be a number of seconds, not {value!r}"
    smallest_is_zero = name == "inline_wait_seconds"
    if math.isfinite(value) and (value > 0 or (value == 0 and smallest_is_zero)):
        return ""
    return f"{name} must be {'0 or more' if smallest_is_zero else 'more than 0'}, not {value!r}"


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """
    Check a policy at parse time.

    :param name: Name of the parameter.
    :param value: What was given.
    :param choices: What is known.
    :raises ValueError: if it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def has_template(text: str) -> bool:
    """
    Tell whether a text is rendered before it is used.

    :param text: A field as the DAG's author wrote it.
    """
    return any(mark in text for mark in ("{{", "{%", "{#"))


def rendered(value: Any) -> Any:
    """
    Read a value that a template may have turned into text.

    :param value: A rendered field. Where native rendering is off, a task reference or settings arrive as text: JSON
        where the template ends in ``| tojson``, otherwise the way Python writes them.
    :return: The object that the text describes, or the value as it is.
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return value


def native_hint(value: Any) -> str:
    """
    Explain how a field that is text by its nature may have become something else.

    :param value: The rendered field.
    :return: A sentence that begins with a blank, to be added to an error; empty for text, and for what Airflow's
        native rendering makes of no text.
    """
    if not isinstance(value, bool | int | float | complex | list | tuple | dict | set | bytes):
        return ""
    return (
        " With render_template_as_native_obj=True, Airflow turns the text that a template yields into a Python value "
        f"where it looks like one ('3.10' becomes the number 3.1), so that the text behind {shown(repr(value), 60)} "
        "is lost. End the template in '| tojson', as in '{{ params.number | tojson }}', which keeps the text."
    )

"""
Check the parameters of operators when a DAG is parsed, and read their rendered values when a task runs.

Invariant: an error that can be detected at parse time fails there, and names the parameter.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_provider_asposeocr.api.errors import InputError, shown_at
from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from airflow.sdk import BaseOperator, Context


def is_mapped(operator: Any) -> bool:
    """
    Return whether Airflow has made an operator from a mapped one, which it does when the task runs.

    :param operator: The operator, after the constructor of its base.
    """
    return bool(getattr(operator, "_BaseOperator__from_mapped", False))


def constructing(operator: Any) -> AbstractContextManager[None]:
    """
    Set where the errors of an operator's constructor will be shown: in an import error, or in the task's log.

    :param operator: The operator, after the constructor of its base.
    :return: A context for the checks.
    """
    return shown_at("task" if is_mapped(operator) else "parse")


def check_seconds(**numbers: float | None) -> None:
    """
    Check durations at parse time.

    :param numbers: Durations by the name of their parameter; ``None`` = from Airflow's configuration.
    :raises ValueError: if one is negative, or zero although zero is not allowed; the message names all of them.
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


def check_counts(**counts: tuple[object, int | None]) -> None:
    """
    Check whole numbers at parse time.

    :param counts: By the name of the parameter, what was given (``None`` = no limit, where that is the default) and the most
        that it may be (``None`` = any).
    :raises ValueError: if one is no whole number of 1 or more, or is too large; it names all of them.
    """
    problems = []
    for name, (value, most) in counts.items():
        is_count = isinstance(value, int) and not isinstance(value, bool)
        if value is None and most is None:
            continue
        if not is_count or not 1 <= int(str(value)) <= (most or math.inf):
            limits = "1 or more" if most is None else f"from 1 to {most}"
            problems.append(f"{name} must be a whole number, {limits}, not {value!r}")
    if problems:
        raise ValueError("; ".join(problems))


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """
    Check a policy at parse time.

    :param name: Name of the parameter.
    :param value: The given value.
    :param choices: The allowed values.
    :raises ValueError: if the value is not allowed.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def parse_bool(value: object, name: str) -> bool:
    """
    Read a parameter that is yes or no, also if a template has turned it into text.

    :param value: The value.
    :param name: Name of the parameter.
    :raises ValueError: if it is neither.
    """
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, not {value!r}")
    return value


def check_one_document(operator: Any, **values: Any) -> None:
    """
    Refuse a list instead of one document, at parse time. Call this when the operator has its task group.

    :param operator: The operator.
    :param values: The given values, by the name of the parameter.
    :raises ValueError: if a value is a list, or the output of a mapped task, which is a list.
    """
    for name, value in values.items():
        if isinstance(value, list | tuple):
            raise ValueError(_expand_instead(operator, name, f"a list of {len(value)}"))
        if isinstance(value, PlainXComArg) and _gives_a_list(operator, value):
            upstream = repr(value.operator.task_id)
            raise ValueError(
                _expand_instead(operator, name, f"the output of {upstream}, and {upstream} is mapped: a list")
            )


def one_document(operator: Any, name: str, value: Any) -> Any:
    """
    Refuse a list instead of one document, when a task runs.

    :param operator: The operator.
    :param name: Name of the parameter.
    :param value: Its rendered value.
    :return: The value.
    :raises InputError: if it is a list.
    """
    many = isinstance(value, Sequence) and not isinstance(value, str | bytes | Mapping)
    # The text to which a template renders the output of a mapped task if native rendering is off.
    if many or (isinstance(value, str) and value.lstrip().startswith("LazyXComSequence(")):
        raise InputError(_expand_instead(operator, name, "a list"))
    return value


def _gives_a_list(operator: Any, output: PlainXComArg) -> bool:
    """
    Return whether an operator gets a list from an upstream task, because that task is mapped and the operator is not.

    :param operator: The operator.
    :param output: The output.
    """
    upstream = output.operator
    lane, own_lane = upstream.get_closest_mapped_task_group(), operator.get_closest_mapped_task_group()
    # Compared by id, because Airflow returns proxies of groups.
    alien = lane is not None and (own_lane is None or own_lane.group_id != lane.group_id)
    return bool(upstream.is_mapped or alien)


def _expand_instead(operator: Any, name: str, what: str) -> str:
    cls = type(operator).__name__
    return (
        f"{name} is {what}, and {cls} takes one document. Expand it, so that each gets a task of its own: "
        f"{cls}.partial(task_id={operator.task_id!r}, ...).expand({name}=...), or put both tasks into one mapped task group."
    )


def add_success_callback(operator: BaseOperator, callback: Callable[[Context], None]) -> None:
    """
    Add a function to those that Airflow calls after it has noted the success of a task.

    :param operator: The operator, after Airflow's constructor; the user's own functions stay.
    :param callback: The function; Airflow passes its context.
    """
    given = operator.on_success_callback or ()
    operator.on_success_callback = [*(given if isinstance(given, Sequence) else [given]), callback]


def rendered(value: Any) -> Any:
    """
    Read a value that a template may have turned into text.

    :param value: A rendered field. If native rendering is off, a task reference or settings are rendered to text: to JSON if
        the template ends in ``| tojson``, otherwise to a Python literal.
    :return: The object that the text describes, or the unchanged value.
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
    Explain why a field that must be text may have become another object.

    :param value: The rendered field.
    :return: A sentence that begins with a blank, to be added to an error; empty for text, and for objects that Airflow's
        native rendering does not produce.
    """
    if not isinstance(value, bool | int | float | complex | list | tuple | dict | set | bytes):
        return ""
    return (
        " With render_template_as_native_obj=True, Airflow turns the text that a template yields into a Python value "
        f"where it looks like one ('3.10' becomes the number 3.1), so that the text behind {shown(repr(value), 60)} "
        "is lost. End the template in '| tojson', as in '{{ params.number | tojson }}', which keeps the text."
    )

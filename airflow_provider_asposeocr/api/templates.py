"""Values that are known only when a task runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel

_MARKS = ("{{", "{%", "{#")
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
#: Names of Airflow's context that stand for another text in each run; not behind a dot, where they are a user's own.
_OF_RUN = re.compile(
    r"(?<![.\w\"'])(ds|ts|(ds|ts)_nodash(_with_tz)?|logical_date|execution_date|run_id|dag_run|data_interval_(start|end)"
    r"|ti|task_instance|task_instance_key_str|run_after|macros|(prev|next)_\w+|triggering_asset_events)\b"
)


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


def differs_by_run(value: object) -> bool:
    """
    Return whether a template gives another text in each run, because it names the run or its date.

    :param value: A field as the DAG's author wrote it.
    """
    return isinstance(value, str) and any(_OF_RUN.search(each) for each in _EXPRESSION.findall(value))

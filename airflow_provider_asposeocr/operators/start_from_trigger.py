"""
Support for ``start_from_trigger``: an operator whose wait begins in the triggerer, without a worker before it.

Invariant: a parameter with which the wait would hang or always fail in the triggerer is refused when the DAG is parsed. The
triggerer never answers an
``xcom_pull`` without ``map_indexes``, and it does not resolve what Airflow resolves for workers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg
from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.polling.deadlines import BACKSTOP_SECONDS
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.api.templates import has_template
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.parameters import is_mapped, rendered

if TYPE_CHECKING:
    from airflow_provider_asposeocr.operators.waiting import WaitsForTask

TRIGGER = "airflow_provider_asposeocr.triggers.start.AsposeOcrStartTrigger"
TOO_OLD = "before Airflow 3.3, the triggerer renders no templates"
MAPPED = "Airflow starts what is mapped with expand() in workers"
_PULL = "xcom_pull"


def set_start_trigger_args(
    operator: WaitsForTask, asked: bool, field: str, value: Any, next_method: str = "execute_complete"
) -> None:
    """
    Make an operator start in the triggerer if its parameter says so. Call this at the end of its constructor.

    :param operator: The operator.
    :param asked: Its parameter ``start_from_trigger``.
    :param field: Name of the parameter that holds the task reference.
    :param value: What was given for it.
    :param next_method: Name of the method that continues in a worker.
    :raises ValueError: if it cannot wait there, or would wait for ever.
    """
    if not isinstance(asked, bool):
        raise ValueError(f"start_from_trigger must be True or False, not {asked!r}")
    if not asked:
        return
    if is_mapped(operator):
        # In a worker already; the fields hold what Airflow has resolved.
        operator.starts_in_worker = MAPPED
        return
    if not operator.deferrable:
        raise ValueError("start_from_trigger=True needs deferrable=True, because it waits in the triggerer")
    template = reference_template(field, value)
    # Imported here and below, because few DAGs need them.
    from airflow.triggers.base import BaseTrigger, StartTriggerArgs

    if not hasattr(BaseTrigger, "render_template_fields"):
        operator.starts_in_worker = TOO_OLD
        return
    parameters = WaitParameters.of(operator)
    longest = min(parameters.timeout_seconds or RETENTION_SECONDS, RETENTION_SECONDS)
    backstop_seconds = float(longest + BACKSTOP_SECONDS)
    operator.start_trigger_args = StartTriggerArgs(
        trigger_cls=TRIGGER,
        next_method=next_method,
        trigger_kwargs={
            "template": template,
            "field": field,
            "backstop_seconds": backstop_seconds,
            "parameters": parameters.to_dict(),
            "cancel_on_kill": operator.cancel_on_kill,
        },
        timeout=timedelta(seconds=backstop_seconds),
    )
    operator.start_from_trigger = True


def may_be_reference(value: Any) -> bool:
    """
    Tell whether a parameter may turn out to be a task reference.

    :param value: What was given in the DAG.
    """
    if isinstance(value, str):
        return value.lstrip()[:1] == "{"
    return isinstance(value, XComArg | Mapping | TaskRef)


def reference_template(field: str, value: Any) -> str | dict[str, Any]:
    """
    Write a parameter so that the triggerer can render it.

    :param field: Name of the parameter.
    :param value: What was given for it.
    :return: A Jinja template, or a literal task reference, whose parts may be templates.
    :raises ValueError: if the triggerer could not render it.
    """
    if isinstance(value, XComArg):
        return _pull_of(field, value)
    if not may_be_reference(value):
        given = f"a path or URI ({value!r})" if isinstance(value, str) else f"a {type(value).__name__}"
        raise ValueError(
            f"start_from_trigger=True waits in the triggerer for an upstream cloud task, and {field} is {given}. "
            f"It must be the output of a submit operator, a template of it, or a task reference."
        )
    if isinstance(value, TaskRef):
        return value.to_dict()
    literal = dict(value) if isinstance(value, Mapping) else None
    try:
        text = value if literal is None else json.dumps(literal)
    except (TypeError, ValueError) as error:
        raise ValueError(f"start_from_trigger=True needs a {field} of plain JSON: {error}") from None
    if has_template(text):
        _check_pulls(field, [value] if literal is None else _texts(literal))
    else:
        try:
            parse_task_ref(rendered(value))
        except InputError as error:
            raise ValueError(f"{field}: {error.message}") from None
    return text if literal is None else literal


def _pull_of(field: str, output: XComArg) -> str:
    """Write what ``str()`` of an output writes, with an index, without which there is no answer."""
    if not isinstance(output, PlainXComArg):
        raise ValueError(f"start_from_trigger=True cannot resolve {field}={output!r} in the triggerer")
    upstream = output.operator
    index = "-1" if upstream.get_closest_mapped_task_group() is None else "ti.map_index"
    names = f"task_ids={upstream.task_id!r}, key={ascii(output.key)}, map_indexes={index}"
    return f"{{{{ ti.{_PULL}({names}) | tojson }}}}"


def _texts(value: Any) -> list[str]:
    """Return all that Airflow renders of a literal."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _texts(each)]
    return [text for each in value for text in _texts(each)] if isinstance(value, list | tuple) else []


def _check_pulls(field: str, templates: list[str]) -> None:
    from jinja2 import Environment, TemplateSyntaxError, nodes

    for template in templates:
        try:
            tree = Environment(autoescape=False).parse(template)  # noqa: S701  # parsed, never rendered
        except TemplateSyntaxError as error:
            raise ValueError(f"{field} is not a template that Jinja understands: {error}") from None
        indexed = {
            id(call.node)
            for call in tree.find_all(nodes.Call)
            if any(keyword.key == "map_indexes" for keyword in call.kwargs)
        }
        named = [
            *(node for node in tree.find_all(nodes.Getattr) if node.attr == _PULL),
            *(node for node in tree.find_all(nodes.Const) if node.value == _PULL),
        ]
        if any(id(node) not in indexed for node in named):
            raise ValueError(
                f"{field} has an {_PULL} without map_indexes, which the triggerer never answers, so that the task would "
                f"hang. Give the output itself ({field}=submit.output), or add map_indexes=-1, in a mapped task group "
                "map_indexes=ti.map_index."
            )

"""
The names of mapped rows in Airflow's UI.

Airflow renders ``map_index_template`` before a task runs, when the name of the document is not known yet, and again when
it has ended, but not when it defers. So the name is sent as soon as it is known.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: Begins with the index: with native rendering a bare name like "2024" would become a number, which Airflow refuses.
MAP_INDEX_TEMPLATE = "{{ ti.map_index }}: {{ aspose_ocr_source_name }}"


def name_map_index(context: Context, source_name: str | None) -> None:
    """
    Let the UI show a mapped task by its document, unless the user has a ``map_index_template`` of their own.

    :param context: Airflow's context; Airflow renders the template from it when the task ends.
    :param source_name: Name of the document, foreign text.
    """
    ti = context["ti"]
    if not source_name or ti.map_index is None or ti.map_index < 0:
        return
    if context.get("map_index_template") not in (None, MAP_INDEX_TEMPLATE):
        return
    # A value of the template, never a part of it.
    name = shown(source_name, 120)
    if cast("dict[str, Any]", context).get("aspose_ocr_source_name") == name:
        return
    cast("dict[str, Any]", context)["aspose_ocr_source_name"] = name
    context["map_index_template"] = MAP_INDEX_TEMPLATE
    _send(ti, f"{ti.map_index}: {name}")


def _send(ti: Any, rendered: str) -> None:
    """Show the name now. On Airflow 3.1 it appears when the task has ended: there is no such message."""
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import SetRenderedMapIndex
    except ImportError:
        return
    supervisor = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if supervisor is None:
        return
    try:
        supervisor.send(SetRenderedMapIndex(rendered_map_index=rendered))
        ti.rendered_map_index = rendered
    except Exception as error:  # a name in the UI is not worth a task
        log.warning("Could not show the name of the row in the UI: %s", shown(error))

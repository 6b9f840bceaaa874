"""
The first and the last line of a task's log: what, from where, how large, how long, where it went, and where to see it.

Pure, but for Airflow's configuration, which says under which address its UI is found.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.polling.progress import duration_text, size_text, task_text
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import is_task_ref, parse_task_ref
from airflow_provider_asposeocr.links import result_url

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.documents.manifest import Manifest


def submit_begins(operation: str, source: Any, conn_id: str, ti: Any) -> str:
    """
    Say what a submit is about to do.

    :param operation: The cloud's operation.
    :param source: What it reads, rendered: a path, a URI, or a task reference.
    :param conn_id: The Airflow connection.
    :param ti: Airflow's task instance.
    """
    of = f"the result of {task_text(parse_task_ref(source))}" if is_task_ref(source) else shown(source, 300)
    return f"{operation} is to read {of}, with the connection {shown(conn_id, 200)}. {_page(ti)}"


def submit_ends(ref: TaskRef, ti: Any, *, is_completed: bool) -> str:
    """
    Say what a submit has done.

    :param ref: Its cloud task.
    :param ti: Airflow's task instance.
    :param is_completed: Whether the cloud task is completed; otherwise another Airflow task waits for it.
    """
    of = f" of {shown(ref.source_uri, 300)}" if ref.source_uri else ""
    size = f" ({size_text(ref.source_bytes)} sent)" if ref.source_bytes is not None else ""
    age = duration_text(time.time() - ref.submitted_epoch)
    end = (
        f"was completed {age} after its submit"
        if is_completed
        else "was submitted, and is not waited for here"
    )
    return f"{ref.operation} {shown(ref.id, 80)}{of}{size} {end}. {_page(ti)}"


def fetch_begins(ref: TaskRef, destination: str, ti: Any) -> str:
    """
    Say what a fetch is about to do.

    :param ref: The cloud task.
    :param destination: Where its results go.
    :param ti: Airflow's task instance.
    """
    return f"The results of {task_text(ref)} go to {shown(destination, 300)}. {_page(ti)}"


def fetch_ends(manifest: Manifest, destination: str, ti: Any) -> str:
    """
    Say what a fetch has done.

    :param manifest: Its manifest.
    :param destination: Where the results went.
    :param ti: Airflow's task instance.
    """
    written = [result for result in manifest.results if not result.skipped]
    size = size_text(sum(result.bytes for result in written))
    left = len(manifest.results) - len(written)
    kept = f", and left {left} as they were" if left else ""
    of, age = "", ""
    if manifest.task is not None:
        of = f" of {shown(manifest.source or manifest.task.source_name or manifest.task.id, 300)}"
        age = f", {duration_text(time.time() - manifest.task.submitted_epoch)} after the submit"
    return f"Stored {len(written)} files ({size}){kept}{of} to {shown(destination, 300)}{age}. {_page(ti)}"


def _page(ti: Any) -> str:
    return f"Page of the result: {shown(result_url(ti), 600)}"

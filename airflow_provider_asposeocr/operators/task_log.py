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
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.summary import Tally
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


def batch_begins(batch: Batch, journal: str, page: str, *, is_new: bool) -> str:
    """
    Say what a batch is about to do.

    :param batch: The batch.
    :param journal: URI of its journal.
    :param page: Address of the page that shows its results.
    :param is_new: Whether this try has begun it.
    """
    verb = "Beginning" if is_new else "Going on with"
    steps = ", ".join(step.operation for step in batch.steps)
    return (
        f"{verb} a batch of {len(batch.documents)} documents {_from_where(batch)}, with the connection "
        f"{shown(batch.conn_id, 200)}: {steps}. Results go to {shown(batch.destination, 300)}; manifest "
        f"{shown(batch.manifest, 600)}; journal {shown(journal, 300)}. Page of the results: {shown(page, 600)}"
    )


def _from_where(batch: Batch) -> str:
    sizes = [document.size_bytes for document in batch.documents]
    known = [size for size in sizes if size is not None]
    size = f" ({size_text(sum(known))})" if len(known) == len(sizes) else ""
    if batch.continues is not None:
        return f"of the manifest {shown(batch.continues, 300)}{size}"
    if batch.base is not None:
        return f"in {shown(batch.base, 300)}{size}"
    first, more = shown(batch.documents[0].source, 300), len(sizes) - 1
    return f"({first}{f' and {more} more' if more else ''}){size}"


def batch_ends(tally: Tally, submits: int, batch: Batch, manifest: str, seconds: float, ti: Any) -> str:
    """
    Say what a batch has done, also where its Airflow task fails.

    :param tally: What its manifest says.
    :param submits: How many cloud tasks all tries have submitted.
    :param batch: The batch.
    :param manifest: URI of its manifest.
    :param seconds: How long it took, all tries together.
    :param ti: Airflow's task instance.
    """
    counts = ", ".join(
        f"{count} {outcome.replace('_', ' ')}" for outcome, count in tally.counts.items() if count
    )
    return (
        f"The batch has ended after {duration_text(seconds)}: of {tally.documents} documents, {counts}; {submits} cloud "
        f"tasks were submitted, {tally.results} files ({size_text(tally.result_bytes)}) are in "
        f"{shown(batch.destination, 300)}. All rows: {shown(manifest, 1500)}. "
        f"Page of the results: {shown(result_url(ti), 600)}"
    )


def _page(ti: Any) -> str:
    return f"Page of the result: {shown(result_url(ti), 600)}"

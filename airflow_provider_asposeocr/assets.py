"""
What the asset events of a task say about the files that it has written.

Invariant: an event is small, because it lives in the metadata database, and nothing fails because of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_asposeocr.documents.manifest import Manifest

log = logging.getLogger(__name__)

#: Files of a document that are named; there may be more.
MOST_FILES = 10


def extra_of_fetch(manifest: Manifest) -> dict[str, Any]:
    """
    Describe what a fetch has written, for an asset event.

    :param manifest: Its manifest.
    :return: ``source`` and ``source_sha256``, ``operation`` and ``cloud_task``, ``outcome``, ``results`` (how many),
        ``result_bytes``, and ``files``: the first ten, each with ``type``, ``uri``, ``bytes`` and ``sha256``.
    """
    task = manifest.task
    return {
        "source": manifest.source,
        "source_sha256": manifest.sha256,
        "operation": None if task is None else task.operation,
        "cloud_task": None if task is None else task.id,
        "outcome": manifest.outcome,
        "results": len(manifest.results),
        "result_bytes": sum(result.bytes for result in manifest.results),
        "files": [
            {"type": result.type, "uri": result.uri, "bytes": result.bytes, "sha256": result.sha256}
            for result in manifest.results[:MOST_FILES]
        ],
    }


def add_extra(context: Mapping[str, Any], outlets: Iterable[Any], extra: Mapping[str, Any]) -> None:
    """
    Let the events of a task's assets say something. What a user has written into an event stays.

    :param context: Airflow's context.
    :param outlets: The outlets of the task. An alias is left alone, since it stands for assets that only the user knows.
    :param extra: What to say: small JSON.
    """
    from airflow.sdk import AssetAlias

    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            continue
        try:
            event = events[outlet]
            event.extra = {**extra, **event.extra}
        except Exception as error:  # an outlet may be anything
            log.debug("The event of %s says nothing about the results: %s", shown(outlet, 200), shown(error))

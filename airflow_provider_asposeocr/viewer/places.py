"""A task instance in an address of the viewer, and the results that it has stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY
from airflow_provider_asposeocr.documents.manifest import Manifest
from airflow_provider_asposeocr.links import instance_path
from airflow_provider_asposeocr.viewer.answers import NO_SUCH_DOCUMENT, RefusedError
from airflow_provider_asposeocr.viewer.batches import read_batch
from airflow_provider_asposeocr.viewer.manifests import BatchAddress, read_value
from airflow_provider_asposeocr.viewer.metadata import read_xcoms

if TYPE_CHECKING:
    from airflow_provider_asposeocr.viewer.manifests import Stored


@dataclass(frozen=True)
class Place:
    """
    A task instance.

    :param dag_id: The DAG, whose rights count.
    :param run_id: The run.
    :param task_id: The task.
    :param map_index: The place in a mapped task, from 0; -1 = the task is not mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @property
    def path(self) -> str:
        """Its part of an address, without slashes at the ends."""
        return instance_path(self.dag_id, self.run_id, self.task_id, self.map_index)


def parse_map_index(text: str) -> int:
    """
    Read a map index of an address.

    :param text: A number. Airflow's UI leaves its own placeholder there if the task is not mapped.
    :return: The number; -1 = the task is not mapped.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def read_stored(place: Place) -> Stored:
    """
    Read what a task instance has stored.

    :param place: The task instance.
    """
    returned, batch = (
        read_xcoms(
            place.dag_id, place.run_id, key=key, task_ids=[place.task_id], map_indexes=[place.map_index]
        ).get((place.task_id, place.map_index))
        for key in ("return_value", BATCH_KEY)
    )
    return read_value(returned, batch)


def read_document(place: Place, row: int) -> Manifest:
    """
    Read the manifest of one document.

    :param place: The task instance that has stored it.
    :param row: Its place in the batch; 0 of a single document.
    :raises RefusedError: if there is none.
    """
    stored = read_stored(place)
    if isinstance(stored, BatchAddress) and stored.is_written:
        return read_batch(stored).row(row)
    if isinstance(stored, Manifest) and row == 0:
        return stored
    raise RefusedError(404, NO_SUCH_DOCUMENT)

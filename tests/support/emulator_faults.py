"""Requests to an emulator that has faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

    from tests.support.emulator_clients import CloudClient


def ready(cloud: CloudClient, settings: Any = None) -> str:
    """Submit an image, wait for the cloud task and return its id."""
    task_id = cloud.submit(settings=settings)
    cloud.wait(task_id)
    return task_id


def add(cloud: CloudClient, kind: str, **rule: Any) -> None:
    """Add one fault."""
    cloud.emulator.control.add_faults({"kind": kind, **rule})


def get(cloud: CloudClient, task_id: str, path: str = "RecognizeImage") -> requests.Response:
    """Return the answer to a fetch of a result, or of what the path names."""
    return cloud.call("GET", path, params={"id": task_id})

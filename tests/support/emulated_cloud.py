"""Helpers that send requests to the emulator and read its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


#: The path of a poll.
STATUS = "*/GetTaskStatus"
#: The fault of a cloud task that never ends.
STUCK = {"kind": "task_stuck"}


def methods(cloud: EmulatorControl) -> list[str]:
    """Return the methods of all requests but those for a token."""
    return [entry["method"] for entry in cloud.journal() if entry["path"] != "/connect/token"]


def polls(cloud: EmulatorControl) -> list[dict[str, Any]]:
    """Return the requests for a task's status."""
    return [entry for entry in cloud.journal() if entry["path"].lower().endswith("gettaskstatus")]


def deletes(cloud: EmulatorControl) -> list[dict[str, Any]]:
    """Return the requests that cancel a task."""
    return [entry for entry in cloud.journal() if entry["method"] == "DELETE"]

"""
The sentences of the page for a task instance without results, or without results yet. Pure.

Invariant: each state has a sentence that says what has happened and, if a user can do something, what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.viewer.manifests import BatchAddress, Outside

if TYPE_CHECKING:
    from airflow_provider_asposeocr.viewer.manifests import Stored
    from airflow_provider_asposeocr.viewer.metadata import Instance

#: Operators that store results.
FETCH_OPERATOR = "AsposeOcrFetchResultOperator"
BATCH_OPERATOR = "AsposeOcrBatchOperator"

#: Words for the state of a task instance, besides the outcomes of documents.
WAITING, RUNNING, FAILED, STORED = "waiting", "running", "failed", "succeeded"

_BY_STATE = {
    "running": (RUNNING, "Not yet: the task is running."),
    "deferred": (RUNNING, "Not yet: the task waits for the cloud."),
    "restarting": (RUNNING, "Not yet: the task is being restarted."),
    "up_for_retry": (WAITING, "Not yet: a try has failed, and Airflow will try again. The log says why."),
    "up_for_reschedule": (WAITING, "Not yet: the task waits for the cloud."),
    "failed": (FAILED, "The task has failed and stored nothing. Its log says why, and what to do."),
    "upstream_failed": (FAILED, "Nothing was stored, because an earlier task has failed."),
    "skipped": (FAILED, "Airflow has skipped the task, so that it stored nothing."),
    "removed": (FAILED, "Airflow has removed the task from this run."),
}

_NO_MANIFEST = (
    "The task has succeeded, but Airflow has no manifest of it. Either the task keeps its XCom to itself "
    "(do_xcom_push=False), or the XCom was deleted or changed."
)


def state_of(instance: Instance) -> tuple[str, str]:
    """
    Describe the state of a task instance, without its results.

    :param instance: The task instance.
    :return: One of the words of this module, and a sentence.
    """
    if instance.state == "success":
        return STORED, "The task has succeeded."
    return _BY_STATE.get(instance.state or "", (WAITING, "Not yet: the task has not started."))


def sentence_for(instance: Instance, stored: Stored, now: float) -> tuple[str, str]:
    """
    Say why a task instance has no document to show.

    :param instance: The task instance.
    :param stored: What its XComs say; no manifest.
    :param now: The present moment, in seconds since the epoch.
    :return: A word for the page and the sentence.
    """
    if isinstance(stored, Outside) and (instance.is_ours or instance.state == "success"):
        return (
            "outside",
            "An XCom backend keeps this task's result outside of Airflow's database, where the viewer does not look.",
        )
    if isinstance(stored, TaskRef):
        return _reference(stored, now)
    word, text = state_of(instance)
    if isinstance(stored, BatchAddress):
        return word, "The batch has written no manifest." if word == STORED else text
    if not instance.is_ours:
        return "not_ours", "This task has stored no results of Aspose.OCR."
    if word == STORED:
        return "nothing", _NO_MANIFEST
    return word, text


def _reference(ref: TaskRef, now: float) -> tuple[str, str]:
    if now - ref.submitted_epoch > RETENTION_SECONDS:
        return (
            "expired",
            "The cloud has deleted this task's result, 24 hours after the submit; no task of this run has stored it.",
        )
    return (
        WAITING,
        "The cloud has accepted this task. Its result is shown once a task of this run has fetched and stored it.",
    )

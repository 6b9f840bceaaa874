"""
The interface between the emulated cloud and its workers: a job, and the outcome of a job.

Invariant: a :class:`Job` contains everything that a worker needs, as plain data and paths, so that it can be sent to another
process. A worker does not know HTTP, tokens, faults or billing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Job:
    """
    One accepted task, ready to be worked on.

    :param operation: Name of the operation as in :data:`~airflow_provider_asposeocr.api.operations.OPERATIONS`.
    :param payload: File with the decoded input: image or document bytes, or UTF-8 text for text to speech.
    :param settings: The request's settings, with keys in the server's spelling.
    :param result_dir: Existing folder of this job, for its results.
    """

    operation: str
    payload: Path
    result_dir: Path
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JobResult:
    """
    One entry of the answer's ``results``.

    :param type: The entry's ``type``, for example ``Text`` or ``ImagePNG``.
    :param path: File with the decoded bytes, inside the job's ``result_dir``.
    """

    type: str
    path: Path


@dataclass(frozen=True)
class JobOutcome:
    """
    The outcome of a finished job.

    :param results: The entries in the order in which the cloud would list them.
    :param messages: Non-fatal notices; the cloud shows them in ``error.messages`` of a completed task.
    :param warnings: Warnings; the cloud shows them in ``error.warnings`` of a completed task.
    :param canned: Whether the results are fixed ones, which do not depend on what the input shows.
    """

    results: tuple[JobResult, ...]
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    canned: bool = False


class JobError(Exception):
    """
    The job cannot be done; the task ends with the status ``Error``.

    :param messages: Sentences for ``error.messages``.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


class Worker(Protocol):
    """Does jobs. It is called from several threads or processes at once, and keeps no state between two jobs."""

    name: str

    def __call__(self, job: Job) -> JobOutcome:
        """
        Do one job.

        :raises JobError: if the input cannot be worked on.
        """
        ...

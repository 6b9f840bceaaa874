"""How a try of a batch leaves the worker: it has ended, or it waits in the triggerer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.batch.running import RunningTask
    from airflow_provider_asposeocr.documents.manifest import Manifest

#: Why nothing more is submitted: an error of the account, ``stop_after_failures``, the batch's deadline, a drain that a
#: person has asked for, ``max_submits`` used up, or :meth:`.engine.BatchEngine.stop`.
StopReason = Literal["account", "failures", "deadline", "drain", "budget", "stopped"]


@dataclass(frozen=True)
class Deferral:
    """
    The batch waits: all documents under way run in the cloud or belong to other batches, and the journal has them.

    :param tasks: The running cloud tasks, in the order of their documents. The next try's engine has them in the same
        order, so that the event of the trigger can name them by their places.
    :param deadline_at: When the batch is over, in seconds since the epoch; infinite = never.
    :param look_at: When to ask the register again about documents that other batches have, if nothing else is left; by
        default there are cloud tasks to wait for.
    """

    tasks: tuple[RunningTask, ...]
    deadline_at: float
    look_at: float | None = None


@dataclass(frozen=True)
class Ended:
    """
    The try is over: nothing is under way.

    :param counts: How many documents have which outcome, 0 left out; the sum is the number of documents.
    :param submits: How many cloud tasks were submitted, by all tries and including those that may not have been accepted.
    :param maybe_billed_twice: How many submits may have been billed twice. Each was announced.
    :param stopped: Why not all documents were submitted; ``None`` = all were.
    :param error: The error of the account, if it has stopped the batch.
    :param has_results_left: Whether a later try could go on with a failed document without another bill for what was
        submitted, because its cloud task is not over: for example the storage has refused the result.
    :param make_rows: Makes the rows of the manifest one after the other, in the order of the documents.
    """

    counts: Mapping[str, int]
    submits: int
    maybe_billed_twice: int
    stopped: StopReason | None
    error: AsposeOcrError | None
    has_results_left: bool
    make_rows: Callable[[], Iterator[Manifest]] = field(repr=False)

    def rows(self) -> Iterator[Manifest]:
        """Return the rows of the manifest, made while they are read: ten thousand at once would be 50 MB."""
        return self.make_rows()


@dataclass(frozen=True)
class Progress:
    """
    How far a batch is.

    :param documents: How many documents it has.
    :param done: How many have succeeded, or needed nothing.
    :param failed: How many have failed.
    :param under_way: How many are under way now.
    :param running: How many of these run in the cloud.
    :param submits: How many cloud tasks were submitted, by all tries.
    :param stopped: Why nothing more is submitted; ``None`` = the batch submits.
    """

    documents: int
    done: int
    failed: int
    under_way: int
    running: int
    submits: int
    stopped: StopReason | None


@dataclass(frozen=True)
class Stopped:
    """
    What has become of the running cloud tasks of a batch that was stopped.

    :param cancelled: How many were cancelled.
    :param left: How many may still run, because there was no time or the cloud did not answer.
    """

    cancelled: int
    left: int

"""What a user sets for a batch, beside its sources and steps. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.batch.running import MOST_TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.results.extract import Field
    from airflow_provider_asposeocr.api.results.policies import OnLowQuality
    from airflow_provider_asposeocr.api.results.quality import Gates
    from airflow_provider_asposeocr.documents.owners import IfExists
    from airflow_provider_asposeocr.lifecycle.policies import OnExpired, OnUnknownSubmit


@dataclass(frozen=True)
class BatchSettings:
    """
    Limits and policies of one try of a batch.

    :param max_in_flight: Most documents that are under way at once, from the copy of the source to the last result. The
        default, 100, can be cancelled within the three seconds that a killed worker has.
    :param max_unanswered_submits: Most documents that may have been sent without a durable reference, which is how many
        one killed worker can leave unknown. The default is 16.
    :param max_submits: Most cloud tasks, those of all tries and those sent again included; by default no limit. A document
        is begun only if the budget covers all of its steps.
    :param max_bytes: Size of the largest document that is sent, in bytes; by default any.
    :param stop_after_failures: Submit nothing more after this number of failed documents; by default never.
    :param retry_failed: Whether a later try submits failed documents again where that may help. The default is yes. A
        cloud task that is not over is gone on with in any case.
    :param on_unknown_submit: What becomes of a document that was sent without an answer: ``resubmit``, the default, sends
        it once more, which may bill it twice; ``fail`` does not.
    :param on_expired: What becomes of a document whose result the cloud no longer keeps: ``fail``, the default, or
        ``resubmit``, which bills it again.
    :param keep_incomplete: Whether a cloud task that lost some of its results is stored with the rest; by default its
        document fails.
    :param if_exists: What becomes of a file that has the name of a result which the settings of the last step do not
        promise; ``overwrite``, the default, overwrites it if the same source made it. About what they promise, the batch
        decides when it begins.
    :param gates: What a result has to reach; by default nothing.
    :param on_low_quality: What becomes of a document that does not: ``fail``, the default, ``skip``, ``mark`` or ``review``.
    :param fields: Fields of the results that are in the row of a document; by default none.
    :param extract_bytes: Largest value of such a field as JSON, in bytes.
    :param previews: Whether pictures of the pages of each document are stored before it is sent; by default they are not.
    :param keep_steps: Whether the results of all steps before the last one are stored, too; by default they are not.
    :param cadence: How often to poll each cloud task, how long it may take, and how long requests for one document may fail
        in a row before the document fails.
    :param deadline_at: When the whole batch is over, in seconds since the epoch; by default never. It is absolute, so that
        deferrals and later tries do not move it.
    :param deferrable: Whether the batch may leave the worker while all of it runs in the cloud. The default is no.
    :param defer_idle_seconds: Shortest time without work that is worth a deferral, which costs up to 0.75 CPU seconds in
        Airflow's processes and occupies a slot for two to five seconds. The default is 20: with 30, simulated batches held
        their slot a third longer and were deferred as often.
    :param busy_wait_seconds: How long the batch waits in the end for documents that other batches have. The default is ten
        minutes.
    :param copies_duplicates: Whether the results of a document that was read before are copied to its name; by default they
        are only named.
    :param disposes_of_sources: Whether sources are moved or deleted after their documents are done. The default is no.
    :param try_number: Airflow's number of this try, from 1.
    :param has_tries_left: Whether a later try goes on with what this one leaves; if not, cloud tasks that cannot be waited
        for are cancelled. The default is yes.
    :raises InputError: if a number makes no sense.
    """

    max_in_flight: int = 100
    max_unanswered_submits: int = 16
    max_submits: int | None = None
    max_bytes: int | None = None
    stop_after_failures: int | None = None
    retry_failed: bool = True
    on_unknown_submit: OnUnknownSubmit = "resubmit"
    on_expired: OnExpired = "fail"
    keep_incomplete: bool = False
    if_exists: IfExists = "overwrite"
    gates: Gates | None = None
    on_low_quality: OnLowQuality = "fail"
    fields: Sequence[Field] = ()
    extract_bytes: int = 1024
    previews: bool = False
    keep_steps: bool = False
    cadence: Cadence = field(default_factory=Cadence)
    deadline_at: float = math.inf
    deferrable: bool = False
    defer_idle_seconds: float = 20.0
    busy_wait_seconds: float = 600.0
    copies_duplicates: bool = False
    disposes_of_sources: bool = False
    try_number: int = 1
    has_tries_left: bool = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least, most in (
            ("max_in_flight", 1, MOST_TASKS),
            ("max_unanswered_submits", 1, MOST_TASKS),
            ("max_submits", 1, None),
            ("max_bytes", 1, None),
            ("stop_after_failures", 1, None),
        ):
            value = getattr(self, name)
            if value is not None and not (least <= value <= (most or value)):
                limits = f"from {least} to {most}" if most else f"at least {least}"
                raise InputError(f"{name} is {value!r}; it must be {limits}.")

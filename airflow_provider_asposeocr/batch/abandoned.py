"""
Close the claims of a batch that is over, before its journal is deleted.

Invariant: while the cloud may have the result of a document, its claim stays open and the journal stays, so that another
batch can go on with the cloud task. After that the document has failed in doubt: the next attempt is announced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import TaskUnknownError
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.batch.closing import close_claims, closing_of
from airflow_provider_asposeocr.batch.left import read_batch, take_over_batch
from airflow_provider_asposeocr.batch.records import Failed, record_to_dict
from airflow_provider_asposeocr.batch.verdicts import error_to_dict

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.state import BatchState

#: Age from which the cloud has certainly deleted a cloud task: a day, and a day more for clocks that differ.
_GONE_SECONDS = 2 * RETENTION_SECONDS


def close_abandoned(uri: str, begun_at: object, now: float) -> bool:
    """
    Close the open claims of a batch that is over. Blocks.

    :param uri: URI of the folder of its journal.
    :param begun_at: When the batch's first try began, in seconds since the epoch; ``None`` where that is not known.
    :param now: The present moment.
    :return: Whether all are closed now, so that the journal may be deleted.
    :raises JournalError: if the journal cannot be read.
    """
    began = begun_at if isinstance(begun_at, int | float) else now
    # The journal is read before it is taken over: each take-over writes a file, so that each sweep would add one.
    claimed = [known for known in read_batch(uri).state.documents.values() if known.has_claim]
    if claimed and not any(
        closing_of(known, comes_back=False) or _is_given_up(known, began, now) for known in claimed
    ):
        return False
    left = take_over_batch(uri)
    if left is None or left.journal is None:
        return True
    records = give_up(left.state, began, now)
    if records:
        left.journal.append([record_to_dict(record, left.journal.epoch) for record in records])
    for record in records:
        left.state.apply(record)
    return close_claims(left.batch, left.state, left.journal) == 0


def give_up(state: BatchState, begun_at: float, now: float) -> list[Failed]:
    """
    Mark documents as failed whose cloud tasks are so old that the cloud has deleted them. Pure.

    :param state: What the journal says.
    :param begun_at: When the batch's first try began, in seconds since the epoch.
    :param now: The present moment.
    :return: A record for each of them.
    """
    left = TaskUnknownError(
        "The batch that had sent the document has ended, and no other batch has fetched its result since."
    )
    return [
        Failed(index, known.step, error_to_dict(left), True, known.try_number)
        for index, known in state.documents.items()
        if known.has_claim and _is_given_up(known, begun_at, now)
    ]


def _is_given_up(known: DocumentState, begun_at: float, now: float) -> bool:
    sent = [step.reference.submitted_at for step in known.steps if step.reference is not None]
    is_old = now - max(sent, default=begun_at) > _GONE_SECONDS
    return is_old and closing_of(known, comes_back=False) is None

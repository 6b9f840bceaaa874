"""
The rows of a batch's manifest, made from what the journal says. Pure.

Invariant: there is exactly one row for each document, with any outcome, in the order of the documents.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.results.quality import Verdict, missed_in
from airflow_provider_asposeocr.batch.kept_steps import kept_pages, kept_result, kept_warnings
from airflow_provider_asposeocr.batch.references import reference_of
from airflow_provider_asposeocr.batch.verdicts import never_answered
from airflow_provider_asposeocr.documents.manifest import DocumentError, Manifest, StepTask
from airflow_provider_asposeocr.documents.uris import source_uri
from airflow_provider_asposeocr.previews.storing import described

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.plan import Batch, BatchDocument
    from airflow_provider_asposeocr.batch.state import BatchState


def make_rows(batch: Batch, state: BatchState, try_number: int) -> Iterator[Manifest]:
    """
    Make the rows of the manifest.

    :param batch: The batch.
    :param state: What the journal says.
    :param try_number: Airflow's number of the try that writes them.
    :return: The rows in the order of the documents, made while they are asked for.
    """
    for document in batch.documents:
        row: dict[str, Any] = {
            "index": document.index,
            "documents": len(batch.documents),
            "file_stem": document.file_stem,
            "source": source_uri(document.source),
            "source_version": document.version,
            "bytes": document.size_bytes,
            "outcome": "not_started",
            "try": try_number,
            "continues": batch.continues,
            "pipeline": None if batch.register is None else batch.register.pipeline,
        }
        known = state.documents.get(document.index)
        if document.decided is not None:
            row |= document.decided
        elif known is not None:
            row |= _known(batch, document, known)
        if row["outcome"] == "not_started":
            row["error"] = row.get("error") or _why_not_started(batch, state, known)
        yield Manifest.model_validate(row)


def _known(batch: Batch, document: BatchDocument, known: DocumentState) -> dict[str, Any]:
    source = known.source or {}
    row: dict[str, Any] = {
        "outcome": known.outcome or "not_started",
        "final": known.final,
        "steps": _steps(batch, known),
        "maybe_billed_twice": known.doubts > 0,
    }
    if source:
        row |= {"source": source.get("uri"), "bytes": source.get("bytes"), "sha256": source.get("sha256")}
        row["pages"] = described(source.get("pages", ()), source.get("sha256", ""), batch.destination)
    if known.key is not None:
        row["key"] = known.key
    references = [step.reference for step in known.steps if step.reference is not None]
    if references:
        row["task"] = reference_of(batch, known, references[-1])
    if known.error is not None:
        operation = known.error.get("operation") or batch.steps[known.step].operation
        row["error"] = _error(known.error, known.step, operation)
    if known.row is not None:
        row |= json.loads(known.row)
    not_kept = [warning for step in known.steps for warning in kept_warnings(step.kept)]
    if own := [*([source["preview_warning"]] if source.get("preview_warning") else []), *not_kept]:
        row["warnings"] = [*row.get("warnings", ()), *own]
    row["source_version"] = document.version or row.get("source_version") or source.get("version")
    return row


def stem_in(batch: Batch, index: int, known: DocumentState) -> str:
    """
    Return the name that the results of a document have below the destination, without the suffix of a type.

    :param batch: Its batch.
    :param index: Its index.
    :param known: What is known about it.
    """
    row = json.loads(known.row) if known.row else {}
    return str(row.get("file_stem") or batch.documents[index].file_stem)


def duplicate_row(
    batch: Batch, index: int, known: DocumentState, source: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Describe a document that has the content of another one of its batch.

    :param batch: The batch.
    :param index: Index of the other document.
    :param known: What is known about that one.
    :param source: What is known about the document itself since it was read.
    :return: Fields of its row.
    """
    row = json.loads(known.row) if known.row else {}
    found: dict[str, Any] = {
        "key": known.key or row.get("key"),
        "source_version": source.get("version"),
        "bytes": source.get("bytes"),
        "sha256": source.get("sha256"),
        "results": row.get("results", []),
        "first_words": row.get("first_words"),
    }
    found |= {name: row[name] for name in ("quality", "extracted", "error", "final") if name in row}
    first = row.get("duplicate_of") or source_uri(batch.documents[index].source)
    return found | ({"duplicate_of": first} if found["results"] else {})


def low_quality_row(quality: Mapping[str, Any], *, fails: bool) -> dict[str, Any]:
    """
    Describe a document whose content was read before, and whose results were of low quality then.

    :param quality: What was measured then, with the gates that were not passed.
    :param fails: Whether the document has failed because of it.
    :return: Fields of its row.
    """
    found: dict[str, Any] = {"quality": dict(quality), "final": True}
    if fails:
        error = Verdict(missed_in(quality)).error(None, None)
        error.billed = "already"
        found["error"] = DocumentError.of(error).model_dump(by_alias=True)
    return found


def _steps(batch: Batch, known: DocumentState) -> list[StepTask]:
    return [
        StepTask(
            operation=step.reference.operation,
            id=step.reference.id,
            submitted_at=datetime.fromtimestamp(step.reference.submitted_at, UTC),
            seconds=step.seconds,
            submits=step.submits,
            result=kept_result(step.kept),
            pages=kept_pages(step.kept, batch.destination),
        )
        for step in known.steps
        if step.reference is not None
    ]


def _why_not_started(batch: Batch, state: BatchState, known: DocumentState | None) -> DocumentError | None:
    """Say why a document is not decided: its submit was not answered, or else the account, which is no step's fault."""
    if known is not None and known.intended:
        return DocumentError.of(never_answered(batch.steps[known.step].operation), known.step)
    return None if state.refused is None else _error(state.refused.error)


def _error(error: Mapping[str, Any], step: int | None = None, operation: str | None = None) -> DocumentError:
    return DocumentError.model_validate(
        {
            "class": error["error"],
            "message": error["message"],
            "step": step,
            "operation": operation,
            "billed": error.get("billed", "maybe"),
            "retryable": error.get("retryable", False),
        }
    )


def count_outcomes(batch: Batch, state: BatchState) -> dict[str, int]:
    """
    Count the documents by outcome.

    :param batch: The batch.
    :param state: What the journal says.
    :return: How many have which outcome, those without one as ``not_started``; 0 is left out.
    """
    counts = Counter(state.outcomes)
    counts.update(
        str(document.decided["outcome"]) for document in batch.documents if document.decided is not None
    )
    counts["not_started"] += len(batch.documents) - counts.total()
    return {outcome: count for outcome, count in counts.items() if count}

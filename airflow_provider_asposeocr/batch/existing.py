"""
Decide about documents whose results are in the destination before a batch begins.

Invariant: a file that another source made, or of which nothing says who made it, is not overwritten unless the user said
so; the document then fails before anything is sent for it. The first try decides it for all tries: later ones would take the
batch's own results for those of another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import DestinationError
from airflow_provider_asposeocr.api.files.filetypes import ALL_SUFFIXES
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.folder_listing import find_files
from airflow_provider_asposeocr.batch.makers import Makers, SourceOwners
from airflow_provider_asposeocr.documents.destinations import number_names
from airflow_provider_asposeocr.documents.manifest import DocumentError, StoredResult
from airflow_provider_asposeocr.documents.owners import Refusal, decide
from airflow_provider_asposeocr.documents.sources import version_of
from airflow_provider_asposeocr.documents.storage_errors import storage_errors
from airflow_provider_asposeocr.ingestion.stored_results import is_taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_asposeocr.api.errors import Billed
    from airflow_provider_asposeocr.batch.folder_listing import Facts
    from airflow_provider_asposeocr.batch.plan import BatchDocument
    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.documents.manifest import Manifest
    from airflow_provider_asposeocr.documents.owners import IfExists, Made, Owner


@dataclass(frozen=True)
class ExistingFile:
    """
    A file that a result would be written to.

    :param uri: The file.
    :param ending: What its name has after the stem: a suffix, or a number and a suffix (``-2.txt``).
    :param facts: What the storage says about it.
    :param made: Who made it; ``None`` = nothing says so.
    """

    uri: str
    ending: str
    facts: Facts
    made: Made | None


def decide_existing(
    documents: Sequence[BatchDocument],
    step: Step,
    destination: str,
    if_exists: IfExists,
    state: str,
    earlier: Iterable[Manifest] = (),
    *,
    keeps: bool = False,
) -> tuple[BatchDocument, ...]:
    """
    Decide about the documents of a batch whose results are in the destination already. Blocks.

    :param documents: The documents.
    :param step: The last step, for the suffixes of its results.
    :param destination: URI of the folder of the results, with a slash at its end.
    :param if_exists: What the user wants: ``overwrite`` what the same source made; ``overwrite_any``; ``fail``; or
        ``skip``, where all results of a document are there.
    :param state: URI of the state folder; the manifests of earlier batches below it, and below those that the destination
        names, say who made a file.
    :param earlier: Rows about which no manifest was written, for example those of this batch before a Clear.
    :param keeps: Whether results of an earlier content are kept, as with a register, whose records say where they are. By
        default those that the same source made are overwritten.
    :return: The same documents; those that are not sent have ``decided``.
    :raises StorageError: if the destination cannot be listed; nothing was sent.
    """
    # With a register, each result is checked when it is stored.
    if if_exists == "overwrite_any" or (keeps and if_exists == "overwrite"):
        return tuple(documents)
    found = _list(destination)
    complete = set(_numbered_endings(step)) if step.suffixes else set()
    # The cloud may make one result where several are expected; its name has no number.
    endings = dict.fromkeys([*(step.suffixes or ALL_SUFFIXES), *_numbered_endings(step)])
    there = {
        document.index: [ending for ending in endings if document.file_stem + ending in found]
        for document in documents
    }
    made = _makers(documents, there, destination, state, earlier) if if_exists != "fail" else {}
    owners = SourceOwners()
    decided = []
    for document in documents:
        files = [
            ExistingFile(uri, ending, found[document.file_stem + ending], made.get(uri))
            for ending in there[document.index]
            for uri in [f"{destination}{document.file_stem}{ending}"]
        ]
        # If only some results of a document are there, all are made again: a killed batch may have left them.
        is_complete = complete.issubset(there[document.index])
        policy = "overwrite" if if_exists == "skip" and not is_complete else if_exists
        asks = files and not (keeps and policy == "overwrite")
        row = decide_document(document, step, files, policy, owners.of(document.source)) if asks else None
        decided.append(document if row is None else replace(document, decided=row))
    return tuple(decided)


def _numbered_endings(step: Step) -> list[str]:
    """Name what a step makes of a document of each type: ``RecognizeRegions`` one result per region, others one."""
    suffixes = step.suffixes or ALL_SUFFIXES
    return list(number_names("", [suffix for suffix in suffixes for _ in range(step.results_per_type)]))


def _makers(
    documents: Iterable[BatchDocument],
    there: Mapping[int, Iterable[str]],
    destination: str,
    state: str,
    earlier: Iterable[Manifest],
) -> Mapping[str, Made]:
    files = [
        f"{destination}{document.file_stem}{ending}"
        for document in documents
        for ending in there[document.index]
    ]
    return _made(files, destination, state, earlier, billed="no")


def _made(
    files: Iterable[str], destination: str, state: str, earlier: Iterable[Manifest], *, billed: Billed
) -> Mapping[str, Made]:
    text = f"The owner records or manifests that say who made the files in {shown(destination, 300)!r} cannot be read"
    with storage_errors(text, billed=billed):
        return Makers(destination, state, earlier).find(files)


def decide_document(
    document: BatchDocument, step: Step, files: Sequence[ExistingFile], if_exists: IfExists, mine: Owner
) -> Mapping[str, Any] | None:
    """
    Decide about one document. Pure.

    :param document: The document.
    :param step: The last step.
    :param files: Those files of its results that are there, at least one.
    :param if_exists: What the user wants; ``skip`` only if all results of the document are there.
    :param mine: The document as the maker of a file.
    :return: Fields of its row in the manifest; ``None`` = it is sent.
    """
    for file in files:
        decision = decide(if_exists, mine, True, None if file.made is None else file.made.owner)
        if isinstance(decision, Refusal):
            error = DestinationError(_refusal_text(document, file, decision, mine), billed="no")
            return {"outcome": "failed", "error": DocumentError.of(error).model_dump(by_alias=True)}
    if if_exists != "skip":
        return None
    return {"outcome": "skipped", "results": [_left(file, step).model_dump() for file in files]}


def _left(file: ExistingFile, step: Step) -> StoredResult:
    """Describe a file that stays; its checksum is known only where a manifest has it for this very size."""
    made, size = file.made, file.facts.get("size") or 0
    types = dict(zip(step.suffixes or (), step.result_types or (), strict=False))
    return StoredResult(
        type=types.get(f".{file.ending.rpartition('.')[2]}"),
        uri=file.uri,
        bytes=size,
        sha256=made.sha256 if made and made.size_bytes == size else None,
        skipped=True,
        version=version_of(file.facts),
    )


def _refusal_text(document: BatchDocument, file: ExistingFile, refusal: Refusal, mine: Owner) -> str:
    what = shown(file.uri, 300)
    if refusal.because == "exists":
        return f"{what} exists already, and if_exists is 'fail'."
    if file.made is None or file.made.owner.source is None:
        whose = "may be another document's: no owner record and no manifest says which document made it"
    elif file.made.owner.source == mine.source:
        # Two documents with one URI: in a temporary folder, or in stores of two accounts or endpoints.
        qualifiers = [shown(owner.source_qualifier, 100) for owner in (file.made.owner, mine)]
        whose = f"was made from another document of the same name ({qualifiers[0]}, not {qualifiers[1]})"
    else:
        whose = f"was made from another document, {shown(file.made.owner.source, 300)}"
    says = f", says {shown(file.made.said_by, 300)}" if file.made else ""
    return (
        f"{what} {whose}{says}. Nothing was overwritten. Choose another destination. If {shown(document.source, 300)} may "
        "replace the file, set if_exists='overwrite_any', which does not ask who made it, or delete the file."
    )


def check_unforeseen(
    document: BatchDocument, files: Mapping[str, str], destination: str, state: str, if_exists: IfExists
) -> None:
    """
    Refuse results that no setting promises where they would be written over a file of another source. Blocks.

    What was promised was looked at before anything was sent, these names were not.

    :param document: The document.
    :param files: The checksums in hex of these results, by the URIs that they are written to.
    :param destination: As in :func:`decide_existing`, like the others.
    :param state: The state folder.
    :param if_exists: What the user wants.
    :raises DestinationError: if one of them would.
    :raises StorageError: if the destination or a manifest cannot be read.
    """
    # What an earlier process of this batch has stored before it was killed is there with the same content.
    taken = [uri for uri, sha256 in files.items() if is_taken({uri: sha256})]
    if if_exists == "overwrite_any" or not taken:
        return
    made = _made(taken, destination, state, (), billed="already")
    mine = SourceOwners().of(document.source)
    # A document that has only a part of its results is treated in the same way: all are made again.
    policy: IfExists = "overwrite" if if_exists == "skip" else if_exists
    for uri in taken:
        maker = made.get(uri)
        decision = decide(policy, mine, True, None if maker is None else maker.owner)
        if isinstance(decision, Refusal):
            text = _refusal_text(document, ExistingFile(uri, "", {}, maker), decision, mine)
            raise DestinationError(f"No setting promises this result: {text}", billed="already")


def _list(destination: str) -> dict[str, Facts]:
    text = f"The destination {shown(destination, 300)!r} cannot be listed to see which files are there"
    with storage_errors(text, billed="no"):
        try:
            return find_files(destination, underscored=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}

"""
Ask a register of documents from a command line: ``python -m airflow_provider_asposeocr.ingestion``.

It runs where Airflow's connections are known, since the URIs may name some.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError, SourceError
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.abandoned import close_abandoned
from airflow_provider_asposeocr.batch.errors import JournalUnreachableError
from airflow_provider_asposeocr.batch.journals import sweep
from airflow_provider_asposeocr.batch.opening import BEGUN_AT
from airflow_provider_asposeocr.batch.register_story import MOST_NAMED, Stories, count_documents
from airflow_provider_asposeocr.documents.file_systems import UnusablePathError, object_path
from airflow_provider_asposeocr.documents.folder_pages import folder_pages
from airflow_provider_asposeocr.documents.folders import STATE_FOLDER, parse_folder
from airflow_provider_asposeocr.documents.source_errors import source_errors
from airflow_provider_asposeocr.documents.storage_errors import storage_errors
from airflow_provider_asposeocr.documents.stored_files import pieces
from airflow_provider_asposeocr.documents.versions import changed_at
from airflow_provider_asposeocr.ingestion.errors import RegisterError
from airflow_provider_asposeocr.ingestion.register import RecordName, is_key, standing_of
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.register_records import VoidedRecord
from airflow_provider_asposeocr.ingestion.seen_files import SeenFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow.sdk import ObjectStoragePath

#: A batch that has written nothing for so long is over.
LEFT_SECONDS = 2 * RETENTION_SECONDS
_SHA256 = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :param arguments: Words of the command line; ``None`` = those of the process.
    :return: The exit status: 0 = done, 1 = it could not be done, 2 = the command line makes no sense.
    """
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_asposeocr.ingestion", description=__doc__
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, help in (
        ("status", _status, "say how many documents are done, failed, or in the hands of a batch, and why"),
        ("explain", _explain, "tell what has happened to one document"),
        ("forget", _forget, "have a document read again, which is billed again"),
        ("sweep", _sweep, "delete the journals of batches that are over, once no claim needs them"),
    ):
        command = commands.add_parser(name, help=help)
        command.set_defaults(run=run)
        command.add_argument("register", help="URI of the register's folder")
        if run in (_explain, _forget):
            command.add_argument("document", help="its URI, the SHA-256 of its content, or its key")
        if run is _forget:
            command.add_argument("--why", default="a person has asked for it", help="is kept in the register")
            command.add_argument(
                "--force", action="store_true", help="also a document that a batch may still have sent"
            )
    given = parser.parse_args(arguments)
    try:
        for line in given.run(given):
            print(line)
    except UnusablePathError as error:
        print(f"{error}.", file=sys.stderr)
        return 2
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except AsposeOcrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _files(given: argparse.Namespace) -> RegisterFiles:
    uri = given.register if given.register.endswith("/") else f"{given.register}/"
    return RegisterFiles(parse_folder(uri, "register"))


def _status(given: argparse.Namespace) -> Iterator[str]:
    files = _files(given)
    status = count_documents(files.all_names())
    yield f"{'documents':<20}{status.counts.total():>10}"
    if not status.counts:
        yield f"There are no records in {shown(files.path('documents'), 300)}/. The register of an inbox is the folder"
        yield f"{STATE_FOLDER} below the destination, if the plan does not name another one."
    for word in ("done", "failed", "claimed", "to be read again"):
        yield f"{word:<20}{status.counts[word]:>10}"
    stories = Stories(files)
    for title, names, count in (
        ("claimed", status.claims, status.counts["claimed"]),
        ("failed", status.failures, status.counts["failed"]),
    ):
        if names:
            yield ""
            yield f"{title}:"
            for name in names:
                yield f"  {name.key} {stories.line(name)}"
                if name.word == "claim":
                    yield from (f"  {line}" for line in list(stories.lines([name]))[1:])
        if count > MOST_NAMED:
            yield f"  … and {count - MOST_NAMED} more"


def _explain(given: argparse.Namespace) -> Iterator[str]:
    files = _files(given)
    names = _names_of(files, given.document)
    if not names:
        yield f"The register knows nothing of {shown(given.document, 300)}: no batch has sent this content."
        yield "If a batch could not read it, or it is no document, its row in a manifest says why."
        return
    stories = Stories(files)
    for key in sorted({name.key for name in names}):
        own = [name for name in names if name.key == key]
        yield f"{key}:"
        yield from (f"  {line}" for line in stories.lines(own))


def _forget(given: argparse.Namespace) -> Iterator[str]:
    files = _files(given)
    names = _names_of(files, given.document)
    if not names:
        raise RegisterError(
            f"The register knows nothing of {shown(given.document, 300)}, so that there is nothing to forget.",
            billed="no",
        )
    for key in sorted({name.key for name in names}):
        standing = standing_of(name for name in names if name.key == key)
        if standing.word == "voided":
            yield f"{key} was forgotten before."
            continue
        if standing.word == "claim" and not given.force:
            raise RegisterError(
                f"A batch has {key}, and may have sent it. Wait for its end; 'explain' says which one it is. With --force "
                "it is read again all the same, which may be billed twice.",
                billed="no",
            )
        record = VoidedRecord(at=datetime.now(UTC).isoformat(timespec="seconds"), why=given.why)
        files.create(RecordName(key, standing.n, "voided"), record)
        yield f"Forgot {key}. The next batch that gets the document reads it again, which is billed again."
    with storage_errors(
        "The register has forgotten it, and the index of the inbox has not. Run the same command again",
        billed="no",
    ):
        count = SeenFiles(files.uri).forget_documents({name.key for name in names})
    if count:
        yield f"The next plan of an inbox takes {count} files with this content again."


def _names_of(files: RegisterFiles, document: str) -> list[RecordName]:
    """Find the records of a document: of all steps that it was read with, unless a key says which."""
    if is_key(document):
        return files.look(document)
    digits = document.lower() if _SHA256.fullmatch(document.lower()) else _sha256_of(document)
    return files.look_for_content(digits)


def _sha256_of(uri: str) -> str:
    digest = hashlib.sha256()
    name = shown(uri, 300)
    with source_errors(
        name, denied="may not be read", unusable="cannot be opened", unanswered="cannot be read"
    ):
        try:
            for piece in pieces(object_path(uri)):
                digest.update(piece)
        except (FileNotFoundError, NotADirectoryError):
            raise SourceError(
                f"There is no file {name}, and it is no SHA-256 and no key. Of a file that is gone, the manifest of its "
                "batch has the key."
            ) from None
        except IsADirectoryError as error:
            raise SourceError(f"{name} cannot be read: {shown(error)}.") from None
    return digest.hexdigest()


def _sweep(given: argparse.Namespace) -> Iterator[str]:
    files = _files(given)
    deleted = sweep(files.path(), _is_over, closes_claims=_closes_claims, at_once=True)
    yield f"Deleted the journals of {deleted} batches that are over."


def _is_over(header: Mapping[str, Any]) -> bool:
    """Tell, without asking Airflow, whether a batch began so long ago that the cloud has deleted its first cloud tasks."""
    begun_at = header.get(BEGUN_AT)
    return isinstance(begun_at, int | float) and time.time() - begun_at > LEFT_SECONDS


def _closes_claims(folder: ObjectStoragePath, header: Mapping[str, Any]) -> bool:
    """Close the claims of an old batch that has written nothing for as long: Airflow, which knows its task, is not asked."""
    if time.time() - _last_written_at(folder) <= LEFT_SECONDS:
        return False
    if "register" not in header:
        return True
    return close_abandoned(str(folder), header.get(BEGUN_AT), time.time())


def _last_written_at(folder: ObjectStoragePath) -> float:
    try:
        return max((changed_at(facts) for page in folder_pages(folder) for _, facts in page), default=0.0)
    except Exception as error:  # each storage library has its own root class
        raise JournalUnreachableError(
            f"it cannot be listed: {type(error).__name__}: {shown(error)}."
        ) from error


if __name__ == "__main__":
    sys.exit(main())

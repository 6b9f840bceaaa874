"""Remove the journals of batches that are over from a state folder, and find those that a Clear has superseded."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.batch.journal import delete_journal
from airflow_provider_asposeocr.batch.journal_files import JournalFiles
from airflow_provider_asposeocr.batch.journal_reading import CLOSED
from airflow_provider_asposeocr.batch.parts import (
    BATCHES,
    BrokenPartError,
    ForeignPartError,
    PartName,
    parse_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: File that says when the folder was swept last: of a thousand mapped batches that start at once, only one lists all
#: journals.
SWEPT = "swept.json"
LEAST_SECONDS_BETWEEN_SWEEPS = 600.0


def sweep(
    state: ObjectStoragePath,
    may_go: Callable[[Mapping[str, Any]], bool],
    *,
    closes_claims: Callable[[ObjectStoragePath, Mapping[str, Any]], bool] = lambda folder, header: True,
    at_once: bool = False,
    now: Callable[[], float] = time.time,
) -> int:
    """
    Delete the journals of batches that are over, which a killed process has left.

    :param state: The state folder.
    :param may_go: Tells from a header whether its batch is over and nothing needs the journal. Where only single parts
        are left of a journal, it gets a header that has nothing but what :data:`.journal.IDENTITY` names.
    :param closes_claims: Closes the claims in the register that name the journal of a batch that is over, and tells whether
        all are closed; the arguments are the journal's folder and its header. By default there are none.
    :param at_once: Whether to sweep although the folder was swept within the last ten minutes.
    :param now: Seconds since the epoch.
    :return: How many journals were deleted. What cannot be read or deleted stays, and is logged.
    :raises JournalUnreachableError: if the storage does not answer or refuses.
    """
    files = JournalFiles(state / BATCHES)
    if not at_once and now() - _swept_at(files) < LEAST_SECONDS_BETWEEN_SWEEPS:
        return 0
    files.write(SWEPT, json.dumps({"swept_at": now()}).encode())
    deleted = 0
    for journal, names in _by_journal(files.names()).items():
        folder = state / BATCHES / journal
        try:
            if CLOSED not in names:
                header = _header_of(JournalFiles(folder), names)
                if not may_go(header) or not closes_claims(folder, header):
                    continue
            delete_journal(folder)
            deleted += 1
        except JournalError as error:
            log.warning("The journal %s was not deleted: %s", shown(folder, 300), error.message)
    return deleted


def superseded_journals(folder: ObjectStoragePath) -> list[ObjectStoragePath]:
    """
    Find the journals of the same task instance that a Clear has superseded.

    :param folder: The folder of the journal that counts.
    :return: The folders of the others, the newest first.
    """
    others = {name.partition("/")[0] for name in JournalFiles(folder.parent).names() if "/" in name}
    # A higher number belongs to a later Clear, which has superseded the try that calls this.
    own = int(folder.name)
    numbers = sorted((int(other) for other in others if other.isdecimal() and int(other) < own), reverse=True)
    return [folder.parent / str(number) for number in numbers]


def _by_journal(names: Collection[str]) -> dict[str, set[str]]:
    """Group names below the folder of all journals by ``<key>/<max_tries>``."""
    journals: dict[str, set[str]] = {}
    for name in sorted(names):
        key, _, rest = name.partition("/")
        max_tries, slash, own = rest.partition("/")
        if slash:
            journals.setdefault(f"{key}/{max_tries}", set()).add(own)
    return journals


def _header_of(files: JournalFiles, names: Collection[str]) -> Mapping[str, Any]:
    """Read the header of a journal, or what its parts repeat of it."""
    for name in sorted(
        filter(None, map(PartName.parse, names)), key=lambda name: (name.sequence, name.epoch)
    ):
        content = files.read([name.text])[name.text]
        try:
            part = parse_part(name, content or b"")
        except (BrokenPartError, ForeignPartError):
            continue
        if part.header is not None:
            return part.header
        if part.identity:
            return part.identity
    raise JournalError("it does not say which Airflow task wrote it.")


def _swept_at(files: JournalFiles) -> float:
    content = files.read([SWEPT])[SWEPT]
    try:
        return float(json.loads(content or b"")["swept_at"])
    except (ValueError, KeyError, TypeError):
        return 0.0

"""Read the journal of a batch, also while its owner writes and deletes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalError, JournalMissingError, JournalUnreachableError
from airflow_provider_asposeocr.batch.parts import (
    EPOCHS,
    BrokenPartError,
    ForeignPartError,
    Part,
    PartName,
    parse_part,
)
from airflow_provider_asposeocr.batch.replay import GapError, Replay, arrange

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.batch.journal_files import JournalFiles

log = logging.getLogger(__name__)

#: Marks, beside the first parts of the epochs.
DRAIN = f"{EPOCHS}/drain.json"
CLOSED = f"{EPOCHS}/closed.json"
#: How often a journal is read whose owner deletes what a snapshot has replaced.
_READINGS = 10


def read_parts(files: JournalFiles) -> tuple[Replay, set[str]]:
    """
    List and read all parts; again if the owner deletes some meanwhile, because a snapshot has replaced them.

    :param files: The journal's folder.
    :return: What the parts say, and the names of all files.
    :raises JournalMissingError: if the journal is being deleted.
    :raises JournalError: if it cannot be read, or has lost parts.
    :raises JournalUnreachableError: if the storage does not answer or refuses; a retry may help.
    """
    for _ in range(_READINGS):
        names = files.names()
        if CLOSED in names:
            raise missing(files.folder)
        parsed = {name: found for name in names if (found := PartName.parse(name))}
        contents = files.read(parsed)
        if None not in contents.values():
            replay = _parse(
                files.folder, {parsed[name]: content or b"" for name, content in contents.items()}
            )
            return replay, names
    raise JournalUnreachableError(
        f"The journal of the batch, {shown(files.folder, 300)}, changes faster than it can be read."
    )


def _parse(folder: ObjectStoragePath, contents: Mapping[PartName, bytes]) -> Replay:
    parts: list[Part] = []
    broken: dict[str, BrokenPartError] = {}
    try:
        for name, content in contents.items():
            try:
                parts.append(parse_part(name, content))
            except BrokenPartError as error:
                broken[name.text] = error
            except ForeignPartError as error:
                raise GapError(name.text, f"cannot be used: {error}") from None
        replay = arrange(parts, broken)
    except GapError as error:
        raise JournalError(
            f"The journal of the batch cannot be read: {shown(folder / error.name, 400)} {error.what}. "
            "This try has sent nothing."
        ) from error
    for ignored, why in replay.ignored.items():
        log.warning("%s is left out of the journal: %s.", shown(folder / ignored, 400), why)
    return replay


def highest_epoch(names: Collection[str]) -> int:
    """
    Return the number of the newest epoch; 0 = there is no journal.

    :param names: Names of the files of a journal.
    """
    return max((name.epoch for name in map(PartName.parse, names) if name), default=0)


def missing(folder: ObjectStoragePath) -> JournalMissingError:
    """
    Return the error that says that there is no journal.

    :param folder: Its folder.
    """
    return JournalMissingError(f"There is no journal of a batch in {shown(folder, 300)}.")

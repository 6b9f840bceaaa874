"""
Names of results for the files of an inbox, whose names are untrusted text.

Invariant: a file's name never keeps the other files of its batch from being read. Where two results would have
one name, or a name is too long, the later document gets a name of its own, which a checksum of its URI keeps apart. Pure.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.batch.naming import check_length, names_of_files
from airflow_provider_asposeocr.documents.uris import same_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_asposeocr.batch.plan import ListedSource
    from airflow_provider_asposeocr.batch.steps import Step

#: Characters that are kept of a name that is too long.
_KEPT_CHARACTERS = 40


def keep_apart(
    sources: Sequence[ListedSource], file_stems: Sequence[str], destination: str, step: Step
) -> list[str]:
    """
    Replace the names that :func:`.check_names` would refuse.

    :param sources: The files of a work list, in order.
    :param file_stems: The names that :func:`.make_names` has made.
    :param destination: URI of a folder, with a slash at its end.
    :param step: The last step.
    :return: A name for each file; most are those that were given.
    """
    files, folders = {same_place(source.uri) for source in sources}, set[str]()
    place = same_place(destination)
    kept: list[str] = []
    for source, stem in zip(sources, file_stems, strict=True):
        name = stem
        if not _fits(source.uri, name, destination) or _clashes(name, place, step, files, folders):
            name = _own_name(source.uri, stem)
        kept.append(name)
        files.update(place + each for each in names_of_files(name, step))
        folders.update(place + each for each in _folders_of(name))
    return kept


def _fits(uri: str, stem: str, destination: str) -> bool:
    try:
        check_length(uri, destination + stem)
    except InputError:
        return False
    return True


def _clashes(stem: str, place: str, step: Step, files: set[str], folders: set[str]) -> bool:
    names = {place + each for each in names_of_files(stem, step)}
    return not (names.isdisjoint(files) and names.isdisjoint(folders)) or any(
        place + folder in files for folder in _folders_of(stem)
    )


def _folders_of(stem: str) -> Iterator[str]:
    for position, char in enumerate(stem):
        if char == "/":
            yield stem[:position]


def _own_name(uri: str, stem: str) -> str:
    digest = hashlib.sha256(same_place(uri).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{stem.rpartition('/')[2][:_KEPT_CHARACTERS].rstrip('.')}~{digest}"

"""
Decide what a batch does, before anything is sent.

Invariant: whatever is wrong with the sources, the steps or the names of results is an error here, where it costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.listing import list_sources
from airflow_provider_asposeocr.batch.naming import check_names, check_not_listed, common_folder, make_names
from airflow_provider_asposeocr.batch.plan import BatchDocument
from airflow_provider_asposeocr.batch.sources import check_uri, parse_sources
from airflow_provider_asposeocr.parameters import native_hint, rendered

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.plan import Names
    from airflow_provider_asposeocr.batch.steps import Step

#: The longest name of a folder. Object stores take 1,024 bytes for a whole key, and names of files come below.
LONGEST_FOLDER_BYTES = 800


@dataclass(frozen=True)
class Prepared:
    """
    What a batch reads and where its results go.

    :param documents: The documents, in the order of their indexes.
    :param base: URI of the folder that names were made relative to; ``None`` where none was.
    :param continues: URI of the manifest that names the sources; else ``None``.
    """

    documents: tuple[BatchDocument, ...]
    base: str | None
    continues: str | None


def parse_folder(value: Any, name: str) -> str:
    """
    Check a folder of a batch: its destination, its state folder or its base.

    :param value: The rendered parameter.
    :param name: Name of the parameter.
    :return: The URI, with a slash at its end.
    :raises InputError: if it is not the absolute URI of a folder.
    """
    if isinstance(value, PurePath | ObjectStoragePath):
        value = str(value)
    if not isinstance(value, str):
        raise InputError(f"{name} is the URI of a folder, not {shown(repr(value), 80)}.{native_hint(value)}")
    uri = check_uri(value, name)
    if not uri.endswith("/"):
        raise InputError(
            f"{name} is {shown(uri, 200)!r}, and a batch needs a folder: end it with a slash, as in "
            f"{shown(uri, 200) + '/'!r}."
        )
    size = len(uri.encode())
    if size > LONGEST_FOLDER_BYTES or not uri.isprintable():
        raise InputError(
            f"{name} {shown(uri, 200)!r} has {size} bytes or unprintable characters; a folder may have "
            f"{LONGEST_FOLDER_BYTES} bytes, because object stores take 1,024 for the whole name of a file."
        )
    return uri


def prepare(
    sources: Any, steps: tuple[Step, ...], destination: str, names: Names, base: str | None
) -> Prepared:
    """
    List the sources of a batch and name its results.

    :param sources: The rendered parameter ``sources``, see :func:`.parse_sources`.
    :param steps: The steps, for what their results end in.
    :param destination: What :func:`parse_folder` returned for it.
    :param names: How results are named, see :func:`.make_names`.
    :param base: What :func:`parse_folder` returned for the parameter ``base``; ``None`` = what the sources say.
    :return: The documents, each with the name of its results.
    :raises InputError: if sources or names make no sense; :class:`SourceError` if sources cannot be listed.
    """
    listing = list_sources(parse_sources(rendered(sources)))
    base = base or listing.base or common_folder([source.uri for source in listing.sources])
    file_stems = make_names(listing.sources, base, names)
    suffixes = steps[-1].suffixes
    check_names(listing.sources, file_stems, destination, suffixes)
    if listing.pattern is not None and listing.base is not None:
        check_not_listed(file_stems, destination, suffixes, listing.base, listing.pattern)
    documents = tuple(
        BatchDocument(index, source.uri, source.version, file_stem, source.size_bytes)
        for index, (source, file_stem) in enumerate(zip(listing.sources, file_stems, strict=True))
    )
    return Prepared(documents, base, listing.continues)

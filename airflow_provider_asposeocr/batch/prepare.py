"""
Decide what a batch does, before anything is sent.

Invariant: an error in the sources, the steps or the names of results is raised here, before anything is billed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.batch.inbox_names import keep_apart
from airflow_provider_asposeocr.batch.listing import list_sources
from airflow_provider_asposeocr.batch.naming import check_names, check_not_listed, common_folder, make_names
from airflow_provider_asposeocr.batch.plan import BatchDocument
from airflow_provider_asposeocr.batch.sources import parse_sources
from airflow_provider_asposeocr.parameters import rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.batch.plan import Names
    from airflow_provider_asposeocr.batch.steps import Step


@dataclass(frozen=True)
class Prepared:
    """
    What a batch reads and where its results go.

    :param documents: The documents, in the order of their indexes.
    :param base: URI of the folder that names were made relative to; ``None`` where none was.
    :param continues: URI of the manifest that names the sources; else ``None``.
    :param listed: URI of the folder that was listed; ``None`` where none was.
    :param submitted: Of documents that this manifest names, the operations of the cloud tasks that it knows, by the index
        of the document here.
    :param is_work_list: Whether a work list names the sources, which then names a register, too.
    """

    documents: tuple[BatchDocument, ...]
    base: str | None
    continues: str | None
    listed: str | None = None
    submitted: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    is_work_list: bool = False


def prepare(
    sources: Any, steps: tuple[Step, ...], destination: str, names: Names, base: str | None
) -> Prepared:
    """
    List the sources of a batch and name its results.

    :param sources: The rendered parameter ``sources``, see :func:`.parse_sources`.
    :param steps: The steps, for what their results end in.
    :param destination: What :func:`.parse_folder` returned for it.
    :param names: How results are named, see :func:`.make_names`.
    :param base: What :func:`.parse_folder` returned for the parameter ``base``; ``None`` = what the sources say.
    :return: The documents, each with the name of its results.
    :raises InputError: if sources or names make no sense; :class:`SourceError` if sources cannot be listed.
    """
    listing = list_sources(parse_sources(rendered(sources)))
    base = base or listing.base or common_folder([source.uri for source in listing.sources])
    file_stems = make_names(listing.sources, base, names)
    if listing.is_work_list:
        file_stems = keep_apart(listing.sources, file_stems, destination, steps[-1])
    check_names(listing.sources, file_stems, destination, steps[-1])
    if listing.pattern is not None and listing.base is not None:
        check_not_listed(file_stems, destination, steps[-1], listing.base, listing.pattern)
    documents = tuple(
        BatchDocument(index, source.uri, source.version, file_stem, source.size_bytes)
        for index, (source, file_stem) in enumerate(zip(listing.sources, file_stems, strict=True))
    )
    submitted = {index: source.submitted for index, source in enumerate(listing.sources) if source.submitted}
    listed = listing.base if listing.pattern is not None or listing.is_work_list else None
    return Prepared(documents, base, listing.continues, listed, submitted, listing.is_work_list)

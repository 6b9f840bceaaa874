"""
Check results that the settings did not promise: the cloud may make another number of them, or other types.

Invariant: names of results that were foreseen were checked before anything was sent. Another one is written only if it
replaces no source of the batch and nothing that another document's results may be called; whether it would replace a file of
another batch is for :func:`.existing.check_unforeseen` to find out. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import DestinationError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.naming import names_of_files
from airflow_provider_asposeocr.documents.uris import same_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_asposeocr.batch.plan import Batch


class Foreseen:
    """
    The files that the documents of a batch are read from, and those that they may become.

    :param batch: The batch.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._step = batch.steps[-1]
        #: Documents by the name of their results without suffixes, and by their source; made when first needed.
        self._stems: dict[str, int] = {}
        self._sources: dict[str, int] = {}

    def check(self, index: int, names: Iterable[str]) -> list[str]:
        """
        Refuse the results of a document that would replace a source or another document's result.

        :param index: Index of the document.
        :param names: Names of the files of its results, below the destination.
        :return: Those that were not foreseen.
        :raises DestinationError: if one of them would.
        """
        own = frozenset(names_of_files(self._batch.documents[index].file_stem, self._step))
        unforeseen = [name for name in names if name not in own]
        for name in unforeseen:
            self._check_unforeseen(index, name)
        return unforeseen

    def _check_unforeseen(self, index: int, name: str) -> None:
        documents = self._batch.documents
        if not self._stems:
            self._sources = {same_place(document.source): document.index for document in documents}
            self._stems = {document.file_stem: document.index for document in documents}
        read = self._sources.get(same_place(self._batch.destination) + name)
        if read is not None:
            raise self._refusal(name, f"the source {shown(documents[read].source, 300)!r}")
        for ending in names_of_files("", self._step):
            other = self._stems.get(name.removesuffix(ending)) if name.endswith(ending) else None
            if other is not None and other != index:
                raise self._refusal(name, f"a result of {shown(documents[other].source, 300)!r}")

    def _refusal(self, name: str, what: str) -> DestinationError:
        return DestinationError(
            f"The cloud has made results that the settings of {self._step.operation} do not promise. One of them, "
            f"{shown(self._batch.destination + name, 300)}, would be written over {what}. Nothing was overwritten. Choose "
            "names='path' or another destination, and read the document again.",
            billed="already",
        )

"""Read a result of the type ``Text``: parts, pages, lines and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.results.readers.content import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Divides pages in plain text by a convention of OCR programs. The vendor does not document whether the cloud sends it.
PAGE_BREAK = "\f"


@dataclass(frozen=True, slots=True)
class TextDocument:
    """
    A recognized text.

    :param parts: The text of each result, in the order of the cloud's answer. RecognizeRegions makes one for each region.
        Whether the cloud makes one for each page of a PDF is not documented.
    """

    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text, its parts on lines of their own."""
        return "\n".join(self.parts)

    @property
    def pages(self) -> list[str]:
        """The parts, and each divided at form feeds. Where the cloud sends neither, all pages are one entry."""
        return [page for part in self.parts for page in part.split(PAGE_BREAK)]

    @property
    def lines(self) -> Iterator[str]:
        """The lines, without line ends; the cloud ends lines with a line feed (vendor's docs)."""
        for page in self.pages:
            yield from page.split("\n")

    @property
    def words(self) -> Iterator[str]:
        """What stands between white space. In scripts without spaces that is a line."""
        for line in self.lines:
            yield from line.split()


def read_text(results: Iterable[bytes]) -> TextDocument:
    """
    Read the text results of one cloud task.

    :param results: Content of each, in the order of the cloud's answer.
    :return: The text.
    :raises ResultUnreadableError: if one is not UTF-8.
    :raises ResultTooLargeError: if one is too large.
    """
    return TextDocument(tuple(decode(data, "text") for data in results))

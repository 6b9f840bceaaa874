"""
Read a result of the type ``Hocr``: pages, blocks, lines and words with boxes and confidence.

XHTML is read by expat. What is not well-formed is read as HTML, tag by tag, in one pass: the parser of the standard
library (``html.parser``) takes quadratic time for some malformed input, in versions of Python that the provider
supports. Neither knows an entity that a document defines itself, and neither keeps a tree.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.parsers import expat

from airflow_provider_asposeocr.api.errors import ResultTooLargeError
from airflow_provider_asposeocr.api.results.readers.boxes import Box, box_of
from airflow_provider_asposeocr.api.results.readers.content import check_size, decode, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Elements are not nested more deeply: page, block, paragraph, line, word, and what styles a word.
_DEEPEST = 100
#: A tag of HTML is not longer, in characters.
_LONGEST_TAG = 16_384
_BOX = re.compile(r"\bbbox\s+(-?\d{1,9})\s+(-?\d{1,9})\s+(-?\d{1,9})\s+(-?\d{1,9})\b")
_CONFIDENCE = re.compile(r"\bx_wconf\s+(\d{1,9}(?:\.\d{1,9})?)")
#: The patterns of HTML never go back, so that their time is linear.
_TAG = re.compile(r"""<[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""")
_ATTRIBUTE = re.compile(
    r"""(?<![\w:.-])([a-zA-Z_:][\w:.-]*+)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))"""
)
#: Classes of elements, as hOCR 1.2 names them, and the level that they are on.
_LEVELS = {
    "ocr_page": "page",
    "ocr_carea": "block",
    "ocrx_block": "block",
    "ocr_line": "line",
    "ocrx_line": "line",
    "ocr_header": "line",
    "ocr_caption": "line",
    "ocr_textfloat": "line",
    "ocrx_word": "word",
}
#: Elements of HTML that have no end tag.
_EMPTY = frozenset("area base br col embed hr img input link meta source track wbr".split())


@dataclass(slots=True)
class Word:
    """
    A word. Box and confidence are read when they are asked for, because a document has thousands of words.

    :param text: Its text.
    :param title: What hOCR says about it, for example ``bbox 1 2 30 40; x_wconf 95``.
    """

    text: str
    title: str

    @property
    def box(self) -> Box | None:
        """Its place in pixels of the submitted picture; ``None`` where the cloud gives none."""
        return _box(self.title)

    @property
    def confidence(self) -> float | None:
        """
        How sure the cloud is of it, from 0 to 1 (``x_wconf`` of hOCR is 0 to 100); ``None`` where the cloud gives none. The
        vendor does not document whether it does.
        """
        found = _CONFIDENCE.search(self.title)
        return None if found is None else min(float(found[1]), 100.0) / 100


@dataclass(slots=True)
class Line:
    """
    A line.

    :param words: Its words, in their order.
    :param box: Its place; ``None`` where the cloud gives none.
    """

    words: list[Word]
    box: Box | None = None

    @property
    def text(self) -> str:
        """The words, with blanks between them."""
        return " ".join(word.text for word in self.words)


@dataclass(slots=True)
class HocrBlock:
    """
    A block of lines (``ocr_carea``).

    :param lines: Its lines, in their order.
    :param box: Its place; ``None`` where the cloud gives none, or marks no blocks.
    """

    lines: list[Line]
    box: Box | None = None


@dataclass(slots=True)
class HocrPage:
    """
    A page.

    :param blocks: Its blocks; one where the cloud marks none.
    :param box: Its size; ``None`` where the cloud gives none.
    """

    blocks: list[HocrBlock]
    box: Box | None = None

    @property
    def lines(self) -> Iterator[Line]:
        """All lines."""
        return (line for block in self.blocks for line in block.lines)

    @property
    def words(self) -> Iterator[Word]:
        """All words."""
        return (word for line in self.lines for word in line.words)

    @property
    def text(self) -> str:
        """The lines as plain text."""
        return "\n".join(line.text for line in self.lines)


@dataclass(slots=True)
class Hocr:
    """
    A document in hOCR.

    :param pages: Its pages.
    """

    pages: list[HocrPage]

    @property
    def words(self) -> Iterator[Word]:
        """All words of all pages."""
        return (word for page in self.pages for word in page.words)

    @property
    def text(self) -> str:
        """The whole document as plain text, pages divided by form feeds."""
        return "\f".join(page.text for page in self.pages)

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence of the words that have one, from 0 to 1; ``None`` where none has."""
        total, count = 0.0, 0
        for word in self.words:
            confidence = word.confidence
            if confidence is not None:
                total, count = total + confidence, count + 1
        return total / count if count else None


def read_hocr(results: Iterable[bytes]) -> Hocr:
    """
    Read the hOCR results of one cloud task.

    :param results: Content of each, in the order of the cloud's answer.
    :return: Their pages, one after the other.
    :raises ResultUnreadableError: if one has no page of hOCR, defines entities, or is nested too deeply.
    :raises ResultTooLargeError: if one is too large.
    """
    return Hocr([page for data in results for page in _pages(data)])


def _pages(data: bytes) -> list[HocrPage]:
    check_size(data, "hOCR")
    builder = _Builder()
    try:
        _read_xml(data, builder)
    except (
        expat.ExpatError,
        LookupError,
        ValueError,
    ):  # the latter two of an encoding that Python does not know
        builder = _Builder()
        _read_html(decode(data, "hOCR"), builder)
        builder.close()
    if not builder.pages:
        raise unreadable("hOCR", "it has no element of the class ocr_page")
    return builder.pages


class _Builder:
    """Makes pages of the beginnings and ends of elements, and of what is between them."""

    def __init__(self) -> None:
        self.pages: list[HocrPage] = []
        self._open: list[str | None] = []
        self._block: HocrBlock | None = None
        self._line: Line | None = None
        self._word: Word | None = None
        #: Text since the word has begun, or since the last one.
        self._text: list[str] = []
        #: Takes text. It is a method of the list, because it is called for each piece of text.
        self.data = self._text.append

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            raise unreadable("hOCR", f"elements are nested more than {_DEEPEST} deep")
        kind = attributes.get("class", "")
        level = _LEVELS.get(kind) or _LEVELS.get(kind.partition(" ")[0])
        if self._word is not None or (level != "page" and not self.pages):
            level = None
        self._open.append(level)
        if level == "word":
            if self._line is None:
                self._line = self._new_line("")
            self._word = Word("", attributes.get("title", ""))
            self._line.words.append(self._word)
            self._text.clear()
        elif level is not None:
            self._begin(level, attributes.get("title", ""))

    def _begin(self, level: str, title: str) -> None:
        match level:
            case "line":
                self._line = self._new_line(title)
            case "block":
                self._block, self._line = HocrBlock([], _box(title)), None
                self.pages[-1].blocks.append(self._block)
            case "page":
                self._block = self._line = None
                self.pages.append(HocrPage([], _box(title)))

    def _new_line(self, title: str) -> Line:
        line = Line([], _box(title))
        if self._block is None:
            self._block = HocrBlock([])
            self.pages[-1].blocks.append(self._block)
        self._block.lines.append(line)
        return line

    def end(self, name: str) -> None:
        level = self._open.pop() if self._open else None
        if level == "word":
            self.close()
        elif level == "line":
            self._line = None
        elif level is not None:
            self._block = self._line = None

    def close(self) -> None:
        """End the word that is open: also the last one of a document that was cut off."""
        if self._word is not None:
            self._word.text = " ".join("".join(self._text).split())
            self._word = None


def _box(title: str) -> Box | None:
    found = _BOX.search(title)
    return None if found is None else box_of([int(edge) for edge in found.groups()])


def _read_xml(data: bytes, builder: _Builder) -> None:
    """
    Read well-formed XML.

    :raises ExpatError: if it is not well-formed.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse_entity
    # One of HTML, such as &eacute;: expat does not load the document type that defines it.
    parser.SkippedEntityHandler = lambda name, is_parameter: builder.data(_unescaped(f"&{name};"))
    parser.Parse(data, True)


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # the number of a character with more digits than Python reads
        return text


def _refuse_entity(name: str, *_: object) -> None:
    raise unreadable("hOCR", f"it defines the entity {name!r}")


def _read_html(text: str, builder: _Builder) -> None:
    """Read HTML. Each character is looked at a fixed number of times, whatever the document looks like."""
    place, open_names = 0, list[str]()
    opened: Counter[str] = Counter()
    while (start := text.find("<", place)) >= 0:
        builder.data(_unescaped(text[place:start]))
        if text.startswith("<!--", start):
            place = _after(text, "-->", start + 4)
            continue
        found = _TAG.match(text, start, start + _LONGEST_TAG)
        if found is None and len(text) - start <= _LONGEST_TAG:
            raise unreadable("hOCR", f"the tag at character {start} does not end")
        if found is None:
            raise ResultTooLargeError(
                f"The hOCR has a tag that does not end within {_LONGEST_TAG} characters, at character {start}."
            )
        tag, place = found[0][1:-1], found.end()
        name = re.split(r"[\s/]", tag[1:] if tag.startswith("/") else tag, maxsplit=1)[0].lower()
        if tag.startswith("/"):
            # An end tag ends what was opened inside of it, too; one of nothing is ignored.
            while opened[name]:
                last = open_names.pop()
                opened[last] -= 1
                builder.end(last)
                if last == name:
                    break
        elif name[:1].isalpha():
            builder.start(name, _attributes(tag))
            if name in _EMPTY or tag.endswith("/"):
                builder.end(name)
            else:
                open_names.append(name)
                opened[name] += 1
    builder.data(_unescaped(text[place:]))


def _after(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found + len(mark)


def _attributes(tag: str) -> dict[str, str]:
    return {
        found[1].lower(): _unescaped(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(tag)
    }

r"""
What the trial does to recognized text.

Invariant: pure; the same text and the same input always lose the same words, a tenth of them rounded down, each replaced by
as many asterisks as it had characters, with layout and the punctuation around it kept. Source: the vendor's docs
("10 % of words", stable for the same image) and one genuine sample: 12 of 123 words, ``***,`` keeps its comma.
"""

from __future__ import annotations

import html
import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: A word is a run without white space that has a letter or digit; what stands outside the outermost ones is punctuation.
_WORD = re.compile(r"[^\W_](?:\S*[^\W_])?")
#: The text of one word in hOCR.
_HOCR_WORD = re.compile(r"(<span\b[^>]*\bocrx_word\b[^>]*>(?:<(?:strong|em)>)*)([^<]+)")


def masked_positions(words: int, digest: str) -> frozenset[int]:
    """
    Choose the words that are masked.

    :param words: Number of words in the text.
    :param digest: SHA-256 of the input, so that the choice is stable for the same image.
    :return: Indices of ``floor(words / 10)`` words.
    """
    # A choice that can be repeated, not a secret.
    return frozenset(random.Random(digest).sample(range(words), words // 10))  # noqa: S311 - the same words for the same image


def mask_text(text: str, digest: str) -> str:
    """
    Mask a recognized text.

    :param text: The text.
    :param digest: SHA-256 of the input.
    :return: A text of the same length.
    """
    return _replace(text, list(_WORD.finditer(text)), digest, _asterisks)


def mask_hocr(document: str, digest: str) -> str:
    """
    Mask the words of an hOCR document; markup and boxes stay.

    :param document: The hOCR document.
    :param digest: SHA-256 of the input.
    """
    words = [match for match in _HOCR_WORD.finditer(document) if _WORD.search(html.unescape(match.group(2)))]
    return _replace(document, words, digest, _masked_hocr_word)


def _masked_hocr_word(match: re.Match[str]) -> str:
    word = html.unescape(match.group(2))
    return match.group(1) + html.escape(_WORD.sub(_asterisks, word))


def _asterisks(match: re.Match[str]) -> str:
    return "*" * len(match.group())


def _replace(text: str, words: list[re.Match[str]], digest: str, mask: Callable[[re.Match[str]], str]) -> str:
    """Replace the chosen words of a text by what ``mask`` makes of them."""
    chosen = masked_positions(len(words), digest)
    pieces = []
    end = 0
    for index, match in enumerate(words):
        pieces += [text[end : match.start()], mask(match) if index in chosen else match.group()]
        end = match.end()
    return "".join([*pieces, text[end:]])

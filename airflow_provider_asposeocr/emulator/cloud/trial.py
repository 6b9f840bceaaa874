r"""
Mask words of recognized text, as the trial does.

A tenth of the words, rounded down, are replaced by as many asterisks as they have characters. Layout and punctuation
around words stay. The same text of the same input always loses the same words. Source: the vendor's docs ("10 % of
words", stable for the same image) and one genuine sample: 12 of 123 words, ``***,`` keeps its comma. Pure.
"""

from __future__ import annotations

import html
import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: A word has no white space, and begins and ends with a letter or digit; characters around it are punctuation.
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
    """Replace the chosen words of a text by the results of ``mask``."""
    chosen = masked_positions(len(words), digest)
    pieces = []
    end = 0
    for index, match in enumerate(words):
        pieces += [text[end : match.start()], mask(match) if index in chosen else match.group()]
        end = match.end()
    return "".join([*pieces, text[end:]])

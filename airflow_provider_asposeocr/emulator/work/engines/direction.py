"""
The direction of text: from left to right, or from right to left.

The letters of a word are always stored in reading order. Only the layout and the text layer of a PDF need their positions on
the page.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The cloud's languages that are written from right to left.
RIGHT_TO_LEFT = frozenset({"Arabic", "Hebrew", "Persian", "Urdu", "Uyghur"})
#: Unicode's classes of letters of such scripts.
_RIGHT_TO_LEFT_CLASSES = ("R", "AL")
#: In right-to-left text, each bracket has the shape of its counterpart.
_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
#: Classes that are always written from left to right: letters, and the digits of all scripts.
_LEFT_TO_RIGHT_CLASSES = ("L", "EN", "AN")


def is_right_to_left(texts: Iterable[str], default: bool = False) -> bool:
    """
    Return whether most letters are written from right to left.

    :param texts: The texts; digits and signs do not count.
    :param default: The result if there are no letters, or equally many of both directions.
    """
    classes = [unicodedata.bidirectional(character) for text in texts for character in text]
    right, left = sum(map(classes.count, _RIGHT_TO_LEFT_CLASSES)), classes.count("L")
    return default if right == left else right > left


def left_to_right(word: str) -> str:
    """
    Return the letters of a word in their order on the page, from left to right.

    :param word: A word of a right-to-left text, in reading order.
    :return: Letters of right-to-left scripts reversed, numbers and Latin letters unchanged, brackets in their printed shape.
    """
    parts = _runs(word)
    if not any(reverse for _, reverse in parts):
        return word
    return "".join(part[::-1].translate(_MIRRORED) if reverse else part for part, reverse in reversed(parts))


def _runs(word: str) -> list[tuple[str, bool]]:
    """
    Split a word where its direction changes, as after a prefix before a number.

    A sign between two digits or Latin letters belongs to them, a percent sign or currency beside a digit too; all other
    signs go with the text around the word.
    """
    classes = [unicodedata.bidirectional(character) for character in word]
    forward = [kind in _LEFT_TO_RIGHT_CLASSES for kind in classes]
    for index, kind in enumerate(classes):
        if kind in _RIGHT_TO_LEFT_CLASSES or forward[index]:
            continue
        before, after = (
            forward[index - 1] if index else False,
            forward[index + 1] if index + 1 < len(word) else False,
        )
        forward[index] = (before and after) or (kind == "ET" and (before or after))
    grouped = groupby(range(len(word)), key=forward.__getitem__)
    return [("".join(word[index] for index in group), not is_forward) for is_forward, group in grouped]

"""The character error rate: the share of a page's characters that were read wrongly.

Invariant: the rate does not depend on line breaks, and is 0 exactly if the text was read without errors.
"""

from __future__ import annotations

import numpy as np


def normalised(text: str) -> str:
    """Replace every run of white space by one space, and remove white space at the ends, because line breaks are layout."""
    return " ".join(text.split())


def edit_distance(one: str, other: str) -> int:
    """Count the insertions, deletions and replacements of characters that turn one text into another.

    :param one: a text.
    :param other: a text; the order of the two does not matter.
    :return: the Levenshtein distance. Work grows with the product of the lengths; a page takes milliseconds.
    """
    codes = np.array([ord(character) for character in other], dtype=np.int32)
    columns = np.arange(len(other) + 1)
    row = columns
    for done, character in enumerate(one, start=1):
        # Deleting from `one`, or replacing/keeping: both come from the row above.
        best = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(character)))
        best = np.concatenate(([done], best))
        # Inserting: the cheapest start to the left, plus one per step; a running minimum of (cost - column).
        row = np.minimum.accumulate(best - columns) + columns
    return int(row[-1])


def character_error_rate(truth: str, reading: str) -> float:
    """Compare a recognized text with the correct one.

    :param truth: the text on the page.
    :param reading: the text that an engine has recognized.
    :return: edit distance per character of the truth, after normalising white space: 0 = no errors, 1 = as many
        errors as characters. More than 1 is possible if the engine has recognized text that does not exist.
    :raises ValueError: if the truth is empty, because no rate exists then.
    """
    expected = normalised(truth)
    if not expected:
        raise ValueError("the truth is empty: a character error rate needs at least one character")
    return edit_distance(expected, normalised(reading)) / len(expected)

"""The writing systems of a text's letters. Pure."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

#: First word of the names of letters in Unicode, and the name of the writing system (ISO 15924).
_BY_FIRST_WORD = {
    "LATIN": "Latin",
    "CYRILLIC": "Cyrillic",
    "GREEK": "Greek",
    "ARABIC": "Arabic",
    "HEBREW": "Hebrew",
    "CJK": "Han",
    "HIRAGANA": "Hiragana",
    "KATAKANA": "Katakana",
    "HANGUL": "Hangul",
    "DEVANAGARI": "Devanagari",
    "BENGALI": "Bengali",
    "GURMUKHI": "Gurmukhi",
    "GUJARATI": "Gujarati",
    "TAMIL": "Tamil",
    "TELUGU": "Telugu",
    "KANNADA": "Kannada",
    "MALAYALAM": "Malayalam",
    "THAI": "Thai",
    "TIBETAN": "Tibetan",
    "GEORGIAN": "Georgian",
    "ARMENIAN": "Armenian",
    "ETHIOPIC": "Ethiopic",
    "KHMER": "Khmer",
    "MYANMAR": "Myanmar",
    "LAO": "Lao",
    "SINHALA": "Sinhala",
}
SCRIPTS = tuple(_BY_FIRST_WORD.values())
#: Letters of none of these.
OTHER = "Other"
#: Forms of letters whose names begin with the form.
_FORMS = frozenset({"FULLWIDTH", "HALFWIDTH", "MODIFIER", "MATHEMATICAL"})


@lru_cache(maxsize=4096)
def _script_of(letter: str) -> str:
    words = unicodedata.name(letter, "").split(" ")
    word = words[1] if words[0] in _FORMS and len(words) > 1 else words[0]
    return _BY_FIRST_WORD.get(word, OTHER)


def script_shares(text: str) -> dict[str, float]:
    """
    Measure how much of a text is in which writing system.

    :param text: The text; digits, punctuation and marks do not count.
    :return: The share of the letters for each, largest first, to three decimals; empty where there are no letters.
    """
    scripts: Counter[str] = Counter()
    for char, count in Counter(text).items():
        if char.isalpha():
            scripts[_script_of(char)] += count
    letters = scripts.total()
    return {name: round(count / letters, 3) for name, count in scripts.most_common()}

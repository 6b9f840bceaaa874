"""The first words of a document's text, by which people recognize it in a gallery of many. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Most characters of them. A manifest of ten thousand documents has to stay readable in one piece.
MOST_CHARACTERS = 100
#: As many bytes are looked at: blank lines may stand before the first word.
MOST_BYTES = 4096


def first_words(texts: Iterable[bytes]) -> str:
    """
    Return the first words of the texts of a document.

    :param texts: The first bytes of each, UTF-8; perhaps cut within a character. They come from the cloud.
    :return: At most :data:`MOST_CHARACTERS` printable characters, in one line; empty if the texts are.
    """
    found: list[str] = []
    for text in texts:
        # Invisible characters are left out: some reverse the order in which a browser shows the rest of a line.
        words = text[:MOST_BYTES].decode("utf-8", "ignore").split()
        found += ["".join(char for char in word if char.isprintable()) for word in words]
        if sum(map(len, found)) > MOST_CHARACTERS:
            break
    whole = " ".join(filter(None, found))
    return whole if len(whole) <= MOST_CHARACTERS else f"{whole[: MOST_CHARACTERS - 1]}…"

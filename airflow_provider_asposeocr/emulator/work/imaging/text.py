"""
Write the result ``Text``: UTF-8, with line feeds between lines.

The text has no carriage returns, no blank lines and no newline at the end, as in the vendor's genuine sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.imaging.pages import RecognizedPage


class TextFile:
    """
    Collects the text of pages; pages are separated by a newline (the cloud's separator is undocumented).

    :param path: File to write.
    """

    type = "Text"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pages: list[str] = []

    def add(self, recognized: RecognizedPage) -> None:
        """Append one page; an empty page adds nothing."""
        if recognized.text:
            self._pages.append(recognized.text)

    def finish(self) -> None:
        """Write the file."""
        self.path.write_bytes("\n".join(self._pages).encode())

    def close(self) -> None:
        """Do nothing: the file is opened only in :meth:`finish`."""

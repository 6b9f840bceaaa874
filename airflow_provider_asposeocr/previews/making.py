"""
Make pictures of the pages of a document that is on local disk.

Invariant: no document ends the caller's process, and the caller gets an answer within :data:`MOST_SECONDS`. A
separate process makes the pictures, and the kernel limits its time and memory, see :mod:`.render`.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow_provider_asposeocr.api.printable import shown

log = logging.getLogger(__name__)

#: Pages of one document that have pictures, from the first one on.
MOST_PAGES = 50
#: Pixels of an image of which a picture is made: an A3 sheet at 600 dpi has 70 million.
MOST_PIXELS = 150_000_000
#: Longest side in pixels of a picture and of a small one.
PICTURE_SIDE, THUMBNAIL_SIDE = 1600, 256
#: How long the pictures of one document may take, by the clock and in processor time. A page takes about 0.2 s.
MOST_SECONDS = 60
#: Address space of the renderer. An image with the most pixels needs up to half of it.
MOST_MEMORY_BYTES = 1024**3
#: Largest picture, in bytes.
MOST_PICTURE_BYTES = 16 * 1024**2
#: Largest output of the renderer about the pages, in bytes.
_MOST_OUTPUT_BYTES = 64 * 1024
#: The renderer gets these variables only, and no credentials.
_ENVIRONMENT = ("PATH", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
_PROGRAM = Path(__file__).with_name("render.py")


@dataclass(frozen=True)
class LocalPage:
    """
    A page and the local files of its pictures.

    :param number: Its number, from 1.
    :param width: Its width in pixels: of an image, those of the document, which boxes of results are in; of a PDF, those of
        the picture.
    :param height: Its height, likewise.
    :param picture: The picture.
    :param thumbnail: The small one.
    """

    number: int
    width: int
    height: int
    picture: Path
    thumbnail: Path


@dataclass(frozen=True)
class Rendered:
    """
    The result of rendering a document.

    :param pages: The pages that have pictures.
    :param warning: Why others have none, as a sentence; ``None`` where all have.
    """

    pages: tuple[LocalPage, ...] = ()
    warning: str | None = None


def is_installed() -> bool:
    """Tell whether the packages of the extra ``preview`` are there."""
    return all(find_spec(name) is not None for name in ("PIL", "pypdfium2"))


def render_pages(document: Path, folder: Path) -> Rendered:
    """
    Make pictures of the pages of a document. Blocks.

    :param document: The document, a local file.
    :param folder: Existing empty local folder for the pictures.
    :return: The pages, and why some have no picture. Nothing is raised because of the document.
    """
    if not is_installed():
        return Rendered(warning="There is no preview: the worker lacks the packages of the extra 'preview'.")
    limits = (MOST_PAGES, MOST_PIXELS, PICTURE_SIDE, THUMBNAIL_SIDE, MOST_SECONDS, MOST_MEMORY_BYTES)
    command = [sys.executable, "-P", str(_PROGRAM), str(document), str(folder), *map(str, limits)]
    said = folder / "said"
    try:
        with said.open("wb") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                timeout=MOST_SECONDS,
                check=False,
            )
        ended = f"The renderer ended with {done.returncode}, which a damaged document may cause."
    except subprocess.TimeoutExpired:
        ended = f"It took more than {MOST_SECONDS} seconds."
    except OSError as error:
        ended = f"The renderer could not be started: {shown(error)}."
    return _read(said, folder, ended)


def _read(said: Path, folder: Path, ended: str) -> Rendered:
    """Read the pages that the renderer has announced; ``ended``: why it ended, for the warning if it has not said why."""
    pages: list[LocalPage] = []
    total, why = 0, ended
    try:
        for line in said.read_bytes()[:_MOST_OUTPUT_BYTES].splitlines():
            message: dict[str, Any] = json.loads(line)
            if message.get("end") is True:
                if total <= len(pages):
                    return Rendered(tuple(pages))
                why = f"Pictures are made of the first {MOST_PAGES} pages."
            elif "refused" in message:
                why = str(message["refused"])
            else:
                total = int(message["of"])
                pages.append(_page(message, folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.debug("What the renderer said is cut short: %s", shown(error))
    made = f"Only {len(pages)} of {total} pages have a preview" if pages else "There is no preview"
    return Rendered(tuple(pages), f"{made}: {shown(why, 200)}")


def _page(message: dict[str, Any], folder: Path) -> LocalPage:
    """
    Read the announcement of a page.

    :raises ValueError: if it is invalid: a malicious document may control the renderer.
    """
    number, width, height = (int(message[name]) for name in ("number", "width", "height"))
    page = LocalPage(number, width, height, folder / f"{number}.webp", folder / f"{number}-small.webp")
    sizes = [path.lstat().st_size for path in (page.picture, page.thumbnail) if not path.is_symlink()]
    if not (1 <= number <= MOST_PAGES and width > 0 and height > 0 and len(sizes) == 2):
        raise ValueError("no page")
    if max(sizes) > MOST_PICTURE_BYTES:
        raise ValueError("too large")
    return page

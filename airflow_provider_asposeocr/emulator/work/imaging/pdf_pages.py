"""
Render the pages of a PDF in a separate process, which a malicious document may crash.

Invariant: if that process fails, the job ends with a message. The process ends when the caller stops reading pages.
"""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from airflow_provider_asposeocr.emulator.work.imaging.pages import Page
from airflow_provider_asposeocr.emulator.work.imaging.pixels import is_grey
from airflow_provider_asposeocr.emulator.work.imaging.resolution import Resolution
from airflow_provider_asposeocr.emulator.work.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.engines.base import Image
    from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits

_RENDERER = "airflow_provider_asposeocr.emulator.work.imaging.pdf_renderer"
#: Processor time for a document, and for each page that the limit allows; an A4 page takes a third of a second.
_SECONDS, _SECONDS_PER_PAGE = 30, 1
#: Memory for a document, and for each pixel that the limit allows.
_BYTES, _BYTES_PER_PIXEL = 2**30, 8


def pdf_pages(path: Path, limits: Limits) -> Iterator[Page]:
    """
    Yield the pages of a PDF one by one.

    :param path: The document.
    :param limits: Limits of the job.
    :raises JobError: if it is damaged, protected, or over a limit.
    """
    seconds = _SECONDS + _SECONDS_PER_PAGE * limits.max_pages
    size = _BYTES + _BYTES_PER_PIXEL * limits.max_pixels
    numbers = map(str, (limits.max_pages, limits.max_pixels, seconds, size))
    with subprocess.Popen(
        [sys.executable, "-m", _RENDERER, str(path), *numbers],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as renderer:
        assert renderer.stdout is not None  # noqa: S101 - for the type checker; PIPE was asked for
        try:
            for index, (header, pixels) in enumerate(_messages(renderer.stdout)):
                if "refused" in header:
                    raise JobError(header["refused"])
                if "end" in header:
                    return
                yield _page(header, pixels, index)
            raise JobError(_how_it_ended(renderer.wait(), seconds, size))
        finally:
            renderer.kill()


def _messages(stream: IO[bytes]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the messages of the renderer until its output ends."""
    while len(length := stream.read(4)) == 4:
        wanted = struct.unpack("<I", length)[0]
        if len(encoded := stream.read(wanted)) < wanted:
            return
        header = json.loads(encoded)
        wanted = header.get("stride", 0) * header.get("height", 0)
        if len(pixels := stream.read(wanted)) < wanted:
            return
        yield header, pixels


def _how_it_ended(code: int, seconds: int, size: int) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"The PDF takes more than {seconds} s to render, which is the limit of this emulator."
    return f"The PDF cannot be rendered: it needs more than {size // 2**20} MiB, or it crashes pdfium."


def _page(header: dict[str, Any], pixels: bytes, index: int) -> Page:
    height, width, channels = header["height"], header["width"], header["channels"]
    whole: Image = np.ndarray(
        (height, width, channels), np.uint8, pixels, strides=(header["stride"], channels, 1)
    )
    dpi = header["dpi"]
    warnings = tuple(header["warnings"])
    if dpi < header["asked_dpi"]:
        asked = header["asked_dpi"]
        warnings += (
            f"Page {index + 1} of the PDF is so large that it was rendered at {dpi:.0f} instead of {asked} dpi.",
        )
    return Page(_copied(whole), Resolution(dpi, dpi), warnings)


def _copied(pixels: Image) -> Image:
    """Copy pdfium's BGR(x) pixels; a page without colours becomes a grey one."""
    colours = pixels[:, :, :3]
    if colours.shape[2] == 1 or is_grey(colours):
        return np.array(colours[:, :, 0])
    return np.array(colours)

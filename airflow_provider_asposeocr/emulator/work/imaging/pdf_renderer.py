"""
The program that renders the pages of a PDF; :mod:`.pdf_pages` starts it as a separate process.

Invariant: the kernel limits the time and memory of the process. The streams of a PDF may decompress to gigabytes, and its
drawing instructions may repeat without end; pdfium limits neither.
"""

from __future__ import annotations

import json
import math
import resource
import struct
import sys
from typing import TYPE_CHECKING, Any

import pypdfium2
import pypdfium2.raw

from airflow_provider_asposeocr.emulator.work.imaging.pdf_user_units import may_have_user_units, user_unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Resolution at which pages are rendered. In measurements both engines read pages of this resolution without errors.
PDF_DPI = 200
#: A page is refused if it is so large that it would have to be rendered below this resolution.
_LEAST_PDF_DPI = 72

_XFA = (
    "The PDF has an XFA form, which the emulator does not render. The values of its fields may be missing in the result. "
    "Print the form to a PDF, or flatten it, and submit that PDF."
)


class Refused(Exception):
    """Raised to refuse a document; the text says why."""


def main(path: str, max_pages: int, max_pixels: int, max_seconds: int, max_bytes: int) -> None:
    """
    Write the pages of a document to standard output. For each page: the length of a header, the header in JSON, the pixels.

    :param path: The document.
    :param max_pages: Most pages.
    :param max_pixels: Most pixels of a rendered page, or of an image in it.
    :param max_seconds: Processor time for the whole document.
    :param max_bytes: Address space of this process.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (max_seconds, max_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        document = _open(path)
        # Only pages that are loaded after this call are rendered with their form fields.
        _add_form_layer(document)
        _check_count(len(document), max_pages)
        warnings = _form_warnings(document)
        scaled = may_have_user_units(path)
        for index in range(len(document)):
            unit = user_unit_of(document, index) if scaled else 1.0
            _write_page(document, index, unit, max_pixels, warnings)
            warnings = []
        _write({"end": True})
    except Refused as refusal:
        _write({"refused": str(refusal)})


def _write(header: dict[str, Any], pixels: Any = b"") -> None:
    encoded = json.dumps(header).encode()
    for part in (struct.pack("<I", len(encoded)), encoded, pixels):
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def _open(path: str) -> Any:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
            raise Refused("The PDF is encrypted. Remove its password and submit it again.") from error
        raise Refused(f"The PDF cannot be opened, it is damaged or cut short ({error}).") from error


def _add_form_layer(document: Any) -> None:
    """
    Make pdfium render the values of form fields, also if a field has no appearance stream.

    pypdfium2's ``init_forms`` does this only if the document lists its fields. PDF viewers also show fields that are on a
    page and not in that list, and so does the emulator.
    """
    config = pypdfium2.raw.FPDF_FORMFILLINFO(version=2)
    layer = pypdfium2.raw.FPDFDOC_InitFormFillEnvironment(document, config)
    if not layer:
        raise Refused("The form fields of the PDF cannot be rendered: pdfium does not accept its form.")
    document.formenv = pypdfium2.PdfFormEnv(layer, config)


def _form_warnings(document: Any) -> list[str]:
    xfa = (pypdfium2.raw.FORMTYPE_XFA_FULL, pypdfium2.raw.FORMTYPE_XFA_FOREGROUND)
    return [_XFA] if document.get_formtype() in xfa else []


def _check_count(count: int, max_pages: int) -> None:
    if count == 0:
        raise Refused("The PDF has no pages.")
    if count > max_pages:
        raise Refused(
            f"The PDF has {count} pages, more than this emulator's limit of {max_pages}. "
            "Submit it in parts, or start the emulator with a higher limit."
        )


def _write_page(
    document: Any, index: int, user_unit: float, max_pixels: int, warnings: Sequence[str]
) -> None:
    """
    Render one page; a page that is too large is rendered at a lower resolution.

    :param user_unit: Length of the page's unit in points.
    :param warnings: Warnings about the document.
    """
    try:
        page = document[index]
        _check_embedded_images(page, index, max_pixels)
        width, height = (length * user_unit for length in page.get_size())
        dpi = _fitting_dpi(width, height, index, max_pixels)
        bitmap = page.render(scale=dpi / 72 * user_unit, rev_byteorder=False)
    except pypdfium2.PdfiumError as error:
        raise Refused(f"Page {index + 1} of the PDF cannot be rendered: {error}") from error
    size = {"width": bitmap.width, "height": bitmap.height, "stride": bitmap.stride}
    resolution = {"dpi": dpi, "asked_dpi": PDF_DPI}
    header = {**size, **resolution, "channels": bitmap.n_channels, "warnings": list(warnings)}
    _write(header, memoryview(bitmap.buffer))
    bitmap.close()
    page.close()


def _fitting_dpi(width: float, height: float, index: int, max_pixels: int) -> float:
    if not (width > 0 and height > 0):
        raise Refused(f"Page {index + 1} of the PDF has no area.")
    # A little less than the limit, because the size is rounded up.
    fitting = 72 * math.sqrt(max_pixels / (width * height)) * 0.99
    if fitting < _LEAST_PDF_DPI:
        raise Refused(
            f"Page {index + 1} of the PDF is {width:.0f} x {height:.0f} points; even at {_LEAST_PDF_DPI} dpi "
            f"it has more than this emulator's limit of {max_pixels} pixels."
        )
    return min(float(PDF_DPI), fitting)


def _check_embedded_images(page: Any, index: int, max_pixels: int) -> None:
    """Refuse a page with an image that has more pixels than the limit."""
    for item in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]):
        width, height = item.get_px_size()
        if width * height > max_pixels:
            raise Refused(
                f"Page {index + 1} of the PDF contains an image of {width} x {height} pixels, more than this "
                f"emulator's limit of {max_pixels}."
            )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

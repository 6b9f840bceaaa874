"""
The canned engine: fixed results for every operation, for load tests and for tests of DAGs in which the text does not matter.

Invariant: the same operation, settings and input give the same results, and every result is a valid file of its type. The
engine does not decode the input.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import zipfile
import zlib
from html import escape
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.emulator.work.jobs import Job, JobOutcome, JobResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from airflow_provider_asposeocr.api.operations import Operation

#: The example of the vendor's docs.
_REGIONS = [[0, 8, 697, 441]]
#: Characters with a meaning inside a PDF string.
_PDF_BRACKETS = str.maketrans("()\\", "[]/")
#: Name of a chunk that is ancillary and private, so that readers of PNG skip it.
_NOISE = b"noIs"
_PREPROCESSING = ("BinarizeImage", "DeskewImage", "DewarpImage", "UpscaleImage")


class CannedWorker:
    """
    The worker of ``--engine canned``.

    :param picture_bytes: Size up to which images are filled with noise.
    :param declared: The operations that the emulator's user has declared.
    """

    name = "canned"

    def __init__(self, picture_bytes: int = 0, declared: Iterable[Operation] = ()) -> None:
        self._picture_bytes = picture_bytes
        self._declared = {operation.name: operation for operation in declared}

    def __call__(self, job: Job) -> JobOutcome:
        """Write the fixed results of the job's operation."""
        digest = _digest(job.payload)
        results = []
        settings = _with_result_type(job.settings, self._declared.get(job.operation))
        for index, (kind, content) in enumerate(_results(job.operation, settings, digest)):
            filled = filled_png(content, self._picture_bytes, digest) if kind == "ImagePNG" else content
            results.append(JobResult(kind, _write(job.result_dir / f"{index}", filled)))
        return JobOutcome(tuple(results), canned=True)


def _with_result_type(settings: Mapping[str, Any], declared: Operation | None) -> Mapping[str, Any]:
    """Return settings that say which results a declared operation makes."""
    if declared is None or not declared.result_types:
        return settings
    return {"resultType": declared.result_types[0], **settings}


def canned_text(digest: str) -> str:
    """
    Return the text of a canned recognition.

    :param digest: SHA-256 of the payload, in hexadecimal digits.
    """
    return f"This is the canned text for the input {digest[:16]}\nand this is its second line."


def _digest(payload: Path) -> str:
    with payload.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _results(operation: str, settings: Mapping[str, Any], digest: str) -> Iterator[tuple[str, bytes]]:
    text = canned_text(digest)
    if operation in _PREPROCESSING:
        yield "ImagePNG", tiny_png(digest)
    elif operation == "DetectRegions":
        yield "Other", json.dumps(_REGIONS).encode()
    elif operation == "IdentifyFont":
        # Not JSON: the cloud answers a Python literal here.
        yield "Text", repr({"style": "regular", "font": ["tahoma", "verdana"]}).encode()
    elif operation == "RecognizeAndParseInvoice":
        yield "Text", json.dumps(_invoice(digest)).encode()
    elif operation == "DjVu2PDF":
        yield "Pdf", tiny_pdf(text)
    elif operation.startswith("ConvertTextToSpeech"):
        yield "WavFile", tiny_wav()
    elif operation == "RecognizeTable" and settings.get("resultType") != "JSON":
        yield from _table(str(settings.get("resultTypeTable", "Text")), digest)
    elif operation == "RecognizeRegions":
        regions = sorted(settings.get("regions") or [], key=lambda region: int(region["order"]))
        for index, _ in enumerate(regions):
            yield from _recognition(settings, f"{text}\nRegion {index + 1}.")
    else:
        yield from _recognition(settings, text)


def _recognition(settings: Mapping[str, Any], text: str) -> Iterator[tuple[str, bytes]]:
    """Return one entry per format of the result type; ``TextAndPdfAndHocr`` is three."""
    makers: dict[str, Callable[[str], bytes]] = {
        "Text": str.encode,
        "Pdf": tiny_pdf,
        "Hocr": tiny_hocr,
        "JSON": _blocks,
        "ImagePNG": tiny_png,
    }
    for kind in str(settings.get("resultType", "Text")).split("And"):
        yield kind, makers.get(kind, str.encode)(text)


def _table(result_type: str, digest: str) -> Iterator[tuple[str, bytes]]:
    rows = [["0", "1"], ["input", digest[:16]], ["total", "42.00"]]
    if result_type == "Text":
        yield "Text", "\n".join(" ".join(row) for row in rows[1:]).encode()
    if "Csv" in result_type:
        yield "Csv", ("\n".join(",".join(row) for row in rows) + "\n").encode()
    if "Excel" in result_type:
        yield "Excel", tiny_workbook(rows[1:])


def _blocks(text: str) -> bytes:
    # The names of the keys are undocumented; these are made up.
    blocks = [
        {
            "topLeftX": 10,
            "topLeftY": 10 + 30 * row,
            "bottomRightX": 400,
            "bottomRightY": 34 + 30 * row,
            "text": line,
        }
        for row, line in enumerate(text.split("\n"))
    ]
    return json.dumps(blocks).encode()


def _invoice(digest: str) -> dict[str, str | float]:
    texts = (
        "supplier_name supplier_address supplier_email supplier_phone supplier_tax_id receiver_name"
        " receiver_address receiver_tax_id bank_name bic account"
    )
    return {
        "issue_date": "2024-11-12",
        "due_date": "2024-12-12",
        **dict.fromkeys(texts.split(), ""),
        "supplier_name": f"canned supplier {digest[:8]}",
        "currency": "eur",
        "total_amount": 42.0,
        "vat": -1,
        "net_amount": 42.0,
    }


def tiny_hocr(text: str) -> bytes:
    """Return an hOCR page with one line per line of the text and one box per word."""
    lines = []
    for row, line in enumerate(text.split("\n")):
        top = 10 + 30 * row
        words = " ".join(
            f"<span class='ocrx_word' title='bbox {10 + 80 * column} {top} {80 + 80 * column} {top + 24}'>"
            f"{escape(word)}</span>"
            for column, word in enumerate(line.split())
        )
        lines.append(f"<span class='ocr_line' title='bbox 10 {top} 690 {top + 24}'>{words}</span>")
    body = "\n".join(lines)
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>canned</title>"
        "<meta name='ocr-system' content='canned'/></head>\n"
        f"<body><div class='ocr_page' title='bbox 0 0 700 450'>\n{body}\n</div></body></html>\n"
    ).encode()


def tiny_png(seed: str) -> bytes:
    """
    Return a picture of 8 x 8 pixels in black and white.

    :param seed: Text whose hash is the pattern.
    """
    rows = b"".join(b"\0" + bytes([byte]) for byte in hashlib.sha256(seed.encode()).digest()[:8])
    header = struct.pack(">IIBBBBB", 8, 8, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", zlib.compress(rows))
        + _png_chunk(b"IEND", b"")
    )


def _png_chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
    return struct.pack(">I", len(content)) + name + content + check


def filled_png(picture: bytes, size: int, seed: str) -> bytes:
    """
    Return a picture with a chunk of noise that every reader skips.

    :param picture: A PNG file.
    :param size: Size of the whole in bytes; if the picture and an empty chunk are as large, it stays as it is.
    :param seed: Text that the noise is made from.
    """
    noise_bytes = size - len(picture) - len(_png_chunk(b"", b"")) - len(_NOISE)
    if noise_bytes <= 0:
        return picture
    noise = random.Random(seed).randbytes(noise_bytes)  # noqa: S311 - the same for the same input
    end = len(picture) - len(_png_chunk(b"IEND", b""))
    return picture[:end] + _png_chunk(_NOISE, noise) + picture[end:]


def tiny_pdf(text: str) -> bytes:
    """Return a PDF of one page with the text on it, in ASCII."""
    ascii_text = text.encode("ascii", "replace").decode()
    shown = "".join(f"({line.translate(_PDF_BRACKETS)}) Tj T* " for line in ascii_text.split("\n"))
    content = f"BT /F1 12 Tf 14 TL 20 420 Td {shown}ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 700 450] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    file = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(file)
    file += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    file += b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(file)


def tiny_wav() -> bytes:
    """Return a tenth of a second of silence in the cloud's format: RIFF, PCM, 24 bit, mono, 22050 Hz."""
    samples = bytes(3 * 2205)
    sound = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 22050, 22050 * 3, 3, 24)
    sound += struct.pack("<4sI", b"data", len(samples)) + samples + b"\0" * (len(samples) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(sound), b"WAVE") + sound


def tiny_workbook(rows: list[list[str]]) -> bytes:
    """Return an OOXML workbook with one sheet."""
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    cells = "".join(f"<row>{''.join(cell.format(escape(value)) for value in row)}</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            # A fixed time stamp (the earliest the format has) keeps the bytes the same.
            archive.writestr(
                zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)),
                f'<?xml version="1.0" encoding="UTF-8"?>{content}',
            )
    return packed.getvalue()

"""Small files that would need much memory or time: each ends with a message, and the emulator continues."""

from __future__ import annotations

import base64
import resource
import signal
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image

from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from airflow_provider_asposeocr.emulator.work.imaging import pdf_pages
from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits
from airflow_provider_asposeocr.emulator.work.jobs import JobError
from tests.support.drawn_pages import blank, encoded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.emulator_workers import MakeWorker, Run


def deflated(pattern: bytes, size: int, times: int = 1) -> bytes:
    """Compress ``size`` bytes of a pattern, and what comes out again."""
    packer = zlib.compressobj(9)
    block = pattern * (65_536 // len(pattern))
    packed = b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()
    return packed if times == 1 else zlib.compress(packed, 9)


def tiff(directories: int, **first: Any) -> bytes:
    """Return a TIFF of 10 x 10 pixels with this number of image directories; ``first`` changes entries (tag: value)."""
    entries = {256: 10, 257: 10, 258: 8, 259: 1, 262: 1, 273: 8, 278: 10, 279: 100}
    changed = entries | {int(tag[1:]): value for tag, value in first.items()}
    size = 2 + 12 * len(entries) + 4

    def directory(tags: dict[int, int], following: int) -> bytes:
        packed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        return struct.pack("<H", len(tags)) + packed + struct.pack("<I", following)

    parts = [b"II*\0" + struct.pack("<I", 108) + bytes(100)]
    for number in range(directories):
        following = 108 + size * (number + 1) if number + 1 < directories else 0
        parts.append(directory(changed if number == 0 else entries, following))
    return b"".join(parts)


def gif(width: int, height: int, frame_width: int, frame_height: int, frames: int = 1) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0) + b"\x02\x02\x44\x01\x00"
    return screen + frame * frames + b";"


def jpeg_of_giant_size() -> bytes:
    small = bytearray(encoded(blank(64, 64), "JPEG"))
    at = small.index(b"\xff\xc0")
    small[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return bytes(small)


def jpeg_of_many_scans() -> bytes:
    whole = encoded(blank(200, 200), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * 1000 + b"\xff\xd9"


def webp_of_giant_size() -> bytes:
    return b"RIFF\x16\0\0\0WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xff\xff\xff" * 2


def bmp_of_giant_size() -> bytes:
    small = bytearray(encoded(blank(10, 10), "BMP"))
    small[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    return bytes(small)


def png(
    text_chunk: bytes = b"", ihdr: tuple[int, ...] = (10, 10, 8, 0, 0, 0, 0), pixels: bytes = bytes(110)
) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *ihdr))
    middle = chunk(b"zTXt", b"a\0\0" + text_chunk) if text_chunk else b""
    return head + middle + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def pdf(*objects: bytes) -> bytes:
    body = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % item for item in enumerate(objects, 1))
    return body + b"trailer\n<< /Size %d /Root 1 0 R >>\n%%%%EOF\n" % (len(objects) + 1)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(data), data)


CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
SHEET = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >> >> >>"
FORM = b"/Type /XObject /Subtype /Form /BBox [0 0 200 200]"
TWICE = b"/Filter [/FlateDecode /FlateDecode]"


def pdf_of_thousands_of_pages() -> bytes:
    tree = b"<< /Type /Pages /Count 5000 /Kids [%s] >>" % (b"3 0 R " * 5000)
    return pdf(CATALOG, tree, SHEET % (200, 200))


def pdf_of_giant_pages() -> bytes:
    return pdf(CATALOG, PAGES, SHEET % (14_400, 14_400), stream(b""), b"null")


def pdf_that_unpacks_to_much() -> bytes:
    return pdf(CATALOG, PAGES, SHEET % (200, 200), stream(deflated(b"    ", 2**28, 2), TWICE), b"null")


def pdf_that_repeats_itself() -> bytes:
    """Ten forms, each of which draws the next one ten times."""
    forms = [
        stream(b"/I Do " * 10, FORM + b" /Resources << /XObject << /I %d 0 R >> >>" % number)
        for number in range(6, 16)
    ]
    return pdf(CATALOG, PAGES, SHEET % (200, 200), stream(b"/I Do"), *forms, stream(b"0 0 9 9 re f", FORM))


def pdf_of_tiny_tiles() -> bytes:
    """A page that is paved with squares, ten thousand to the point each way."""
    pattern = b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.0001 /YStep 0.0001"
    page = (SHEET % (200, 200)).replace(b"/XObject << /I 5 0 R >>", b"/Pattern << /P 5 0 R >>")
    fill = stream(b"/Pattern cs /P scn 0 0 200 200 re f")
    return pdf(CATALOG, PAGES, page, fill, stream(b"0 0 1 1 re f", pattern + b" /Resources << >>"))


BOMBS = [
    ("RecognizeImage", lambda: png(ihdr=(2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)), "2147483647 x 2147483647"),
    ("RecognizeImage", lambda: png(deflated(b"\0", 2**28)), "too large"),
    ("RecognizeImage", jpeg_of_giant_size, "65535 x 65535"),
    ("RecognizeImage", jpeg_of_many_scans, "scans"),
    ("RecognizeImage", lambda: tiff(1, t256=2**31, t257=2**31), "2147483648 x 2147483648"),
    ("RecognizeImage", lambda: tiff(50_000), "several pages"),
    ("RecognizeImage", lambda: gif(65_535, 65_535, 1, 1), "65535 x 65535"),
    ("RecognizeImage", lambda: gif(10, 10, 65_535, 65_535), "too large"),
    ("RecognizeImage", bmp_of_giant_size, "2147483647 x 2147483647"),
    ("RecognizeImage", webp_of_giant_size, "is not an image"),
    ("RecognizeImage", lambda: encoded(Image.new("RGB", (10, 10)), "WEBP"), "is not an image"),
    ("RecognizePdf", pdf_of_thousands_of_pages, "has 5000 pages"),
    ("RecognizePdf", pdf_of_giant_pages, "14400 x 14400 points"),
    ("RecognizePdf", pdf_that_unpacks_to_much, "MiB"),
    ("RecognizePdf", pdf_that_repeats_itself, "MiB"),
    ("RecognizePdf", pdf_of_tiny_tiles, "more than 1 s"),
]  # fmt: skip
NAMES = [f"{number}-{message}" for number, (_, _, message) in enumerate(BOMBS)]


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> Any:
    """
    Return a function that limits what a PDF may cost so that only the limit which its message names can be reached.

    How much memory a document asks for within a second depends on the machine's speed. So a document that asks for
    memory gets 256 MiB and all the time of the emulator, and a document that asks for time gets a second and 4 GiB.
    """
    monkeypatch.setattr(pdf_pages, "_SECONDS_PER_PAGE", 0)
    monkeypatch.setattr(pdf_pages, "_BYTES_PER_PIXEL", 0)

    def limit(message: str) -> int:
        takes_time = "more than 1 s" in message
        monkeypatch.setattr(pdf_pages, "_SECONDS", 1 if takes_time else 30)
        monkeypatch.setattr(pdf_pages, "_BYTES", 2**32 if takes_time else 2**28)
        return pdf_pages._BYTES

    return limit


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


@pytest.fixture(scope="module")
def honest_page_seconds(run: Run, blind: MakeWorker) -> float:
    """CPU time of an A4 page with the process that renders it: the unit for what a bomb may cost on this machine."""
    page = encoded(blank(1654, 2339), "PDF")
    run(blind(), "RecognizePdf", page)  # The first page also pays for imports.
    before = cpu_seconds()
    run(blind(), "RecognizePdf", page)
    return cpu_seconds() - before


@pytest.mark.process
@pytest.mark.parametrize(("operation", "bomb", "message"), BOMBS, ids=NAMES)
def test_a_bomb_ends_in_a_sentence_at_little_cost(
    run: Run,
    blind: MakeWorker,
    small_limits: Callable[[str], int],
    honest_page_seconds: float,
    operation: str,
    bomb: Callable[[], bytes],
    message: str,
) -> None:
    content = bomb()
    most_bytes = small_limits(message)
    before, largest = cpu_seconds(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    with pytest.raises(JobError, match=message):
        run(blind(), operation, content)

    assert len(content) < 6_000_000
    assert cpu_seconds() - before < 1 + 5 * honest_page_seconds
    largest_now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert largest_now - largest < 100_000  # kilobytes
    # The kernel counts what this process held when it made its child as the child's, too.
    allowed = max(largest_child, largest_now, most_bytes // 1024)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= allowed


def test_many_frames_of_a_gif_are_not_counted(
    run: Run, blind: MakeWorker, honest_page_seconds: float
) -> None:
    before = cpu_seconds()

    outcome = run(blind(), "RecognizeImage", gif(1, 1, 1, 1, frames=1_000_000))

    assert any("several frames" in warning for warning in outcome.warnings)
    assert cpu_seconds() - before < 5 * honest_page_seconds


def test_a_usual_progressive_jpeg_is_read(run: Run, blind: MakeWorker) -> None:
    assert run(blind(), "BinarizeImage", encoded(blank(300, 300), "JPEG", progressive=True)).results


def tasks_of(emulator: Emulator) -> dict[str, str]:
    return {task["id"]: task["status"] for task in emulator.control.tasks()}


@pytest.mark.process
def test_the_emulator_answers_while_a_bomb_goes_off(
    blind: MakeWorker, small_limits: Callable[[str], int]
) -> None:
    small_limits("more than 1 s")
    with Emulator(Options(engine="canned", workers=2), blind()) as emulator, requests.Session() as session:
        session.trust_env = False
        form = {"grant_type": "client_credentials", "client_id": "emulator", "client_secret": "emulator"}
        token = session.post(f"{emulator.url}/connect/token", data=form).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"

        def submit(operation: str, content: bytes) -> str:
            body = {"image": base64.b64encode(content).decode()}
            return session.post(f"{emulator.url}/v5.0/ocr/{operation}", json=body).text

        bomb = submit("RecognizePdf", pdf_of_tiny_tiles())
        good = submit("RecognizeImage", encoded(blank(100, 100)))
        while tasks_of(emulator)[good] != "Completed":
            assert tasks_of(emulator)[bomb] in ("Pending", "Processing")
        while (status := tasks_of(emulator)[bomb]) != "Error":
            assert status in ("Pending", "Processing")

        (message,) = session.get(f"{emulator.url}/v5.0/ocr/RecognizePdf", params={"id": bomb}).json()[
            "error"
        ]["messages"]
        assert "more than 1 s" in message


@pytest.mark.process
def test_a_renderer_that_dies_is_told(run: Run, blind: MakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        pdf_pages, "_RENDERER", "airflow_provider_asposeocr.emulator.work.imaging.no_such_module"
    )

    with pytest.raises(JobError, match="cannot be rendered"):
        run(blind(), "RecognizePdf", pdf_of_giant_pages())


@pytest.mark.process
def test_a_renderer_ends_with_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that gives up after the first page leaves no process behind."""
    started: list[Any] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    document = tmp_path / "payload"
    document.write_bytes(encoded(blank(50, 50), "PDF", save_all=True, append_images=[blank(2000, 2000)] * 5))
    pages: Any = pdf_pages.pdf_pages(document, Limits())
    next(pages)
    assert started[0].poll() is None

    pages.close()

    assert started[0].returncode == -signal.SIGKILL

"""Pages drawn with Pillow's built-in font, so that no test depends on a font of the system."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

PROSE = (
    "The river rose in the night and carried",
    "away two fences and the old footbridge.",
    "By noon the water stood at the third step",
    "of the town hall, where the clerk had put",
    "a chair and a lamp and went on writing.",
    "Nobody asked him what the letters said.",
)
OTHER_PROSE = (
    "Every copper kettle in the museum was",
    "numbered in white ink, from one to ninety,",
    "and the warden knew each by its dents.",
    "Visitors were shown the smallest first,",
    "then the largest, and then the door that",
    "opened on the garden and its quiet pond.",
)


def blank(width: int = 1240, height: int = 700, *, shade: int = 255) -> Image.Image:
    return Image.new("L", (width, height), shade)


def write(
    page: Image.Image, lines: tuple[str, ...], *, x: int = 80, y: int = 80, size: int = 32, ink: int = 0
) -> Image.Image:
    """Draw ``lines`` below each other, from (x, y)."""
    font: Any = ImageFont.load_default(size=size)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((x, y + number * int(size * 1.5)), line, fill=ink, font=font)
    return page


def encoded(page: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    page.save(buffer, kind, **options)
    return buffer.getvalue()


def prose() -> bytes:
    return encoded(write(blank(), PROSE))


def cer(text: str, truth: str) -> float:
    """Return the character error rate: edits per character of the truth, with runs of white space as one space."""
    found, wanted = " ".join(text.split()), " ".join(truth.split())
    row = list(range(len(found) + 1))
    for i, expected in enumerate(wanted, 1):
        above, row[0] = row[0], i
        for j, got in enumerate(found, 1):
            above, row[j] = row[j], min(above + (expected != got), row[j] + 1, row[j - 1] + 1)
    return row[-1] / len(wanted)


def a4_page() -> tuple[Image.Image, bytes]:
    """Draw an A4 page at 300 dpi, full of small print; returns it, and the hOCR of its words."""
    page = blank(2480, 3508)
    font: Any = ImageFont.load_default(size=42)
    draw = ImageDraw.Draw(page)
    words = " ".join((*PROSE, *OTHER_PROSE)).split()
    spans, number, y = [], 0, 200
    while y < page.height - 250:
        x = 230
        while x < page.width - 450:
            # Each word is another one, or compression would find the page easier than a real one.
            word = f"{words[number % len(words)]}{number * 7919 % 97}"
            width = int(draw.textlength(word, font=font))
            draw.text((x, y), word, fill=20, font=font)
            spans.append(
                f"<span class='ocrx_word' id='word_1_{number}' title='bbox {x} {y} {x + width} {y + 42}; "
                f"x_wconf {60 + number % 40}'>{word}</span>"
            )
            x, number = x + width + 14, number + 1
        y += 57
    body = " ".join(spans)
    return page, (
        '<html xmlns="http://www.w3.org/1999/xhtml"><body>'
        f"<div class='ocr_page' title='bbox 0 0 {page.width} {page.height}'><p class='ocr_par'>{body}</p></div>"
        "</body></html>"
    ).encode()

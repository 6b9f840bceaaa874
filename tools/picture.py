"""Draw the README's picture: the chain, and the slot-seconds it takes, with the figures of docs/performance.md.

Run `python tools/picture.py` after `make bench` has written new figures. A test compares the picture with its source.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "chain.svg"

WIDTH, HEIGHT = 860, 330
FONT = "font-family='Segoe UI, Helvetica, Arial, sans-serif'"
INK, GREY, OURS, THEIRS, SOFT = "#1f2937", "#6b7280", "#0f766e", "#b45309", "#ecfdf5"
ROW = re.compile(
    r"\| Slot-seconds of the chain, (deferrable|pipelined), cloud tasks of 20 s;[^|]*"
    r"\| ([\d.]+) s [^|]*\| SDK [\d.]+ in @task: ([\d.]+) s "
)


class SlotSeconds(NamedTuple):
    """Seconds for which one document occupies worker slots: three cloud tasks of 20 s each, and the fetch."""

    sdk: float
    deferrable: float
    pipelined: float


def read_figures(text: str) -> SlotSeconds:
    """Find the measured slot-seconds.

    :param text: docs/performance.md.
    :return: the medians.
    :raises ValueError: if the rows are not there, for example because the benchmark has renamed them.
    """
    rows = {way: (float(ours), float(sdk)) for way, ours, sdk in ROW.findall(text)}
    if rows.keys() != {"deferrable", "pipelined"}:
        raise ValueError(f"{FIGURES.name} has no rows of slot-seconds for both modes, found {sorted(rows)}")
    return SlotSeconds(rows["deferrable"][1], rows["deferrable"][0], rows["pipelined"][0])


def draw(figures: SlotSeconds) -> str:
    """Draw the picture.

    :param figures: the lengths of the bars.
    :return: an SVG document.
    """
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' {FONT}>",
        "<title>A scan goes through four tasks; while the cloud works, no worker slot is held</title>",
        f"<rect x='0.5' y='0.5' width='{WIDTH - 1}' height='{HEIGHT - 1}' rx='10' fill='#ffffff' stroke='#d1d5db'/>",
        *_chain(),
        *_bars(figures),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _chain() -> list[str]:
    """Four tasks between a scan and its results, and who waits for the cloud meanwhile."""
    parts = [_text(24, 34, "One document", 15, INK, bold=True)]
    names = ("page.png", "upscale", "binarize", "recognize", "fetch", "page.txt, page.pdf")
    left, gap = 24, 18
    for number, name in enumerate(names):
        width = 158 if number == len(names) - 1 else 112
        is_task = 0 < number < len(names) - 1
        fill, stroke, dash = (SOFT, OURS, "") if is_task else ("#ffffff", GREY, " stroke-dasharray='4 3'")
        parts.append(
            f"<rect x='{left}' y='50' width='{width}' height='38' rx='6' fill='{fill}' stroke='{stroke}'{dash}/>"
        )
        parts.append(_text(left + width / 2, 74, name, 14, INK, middle=True))
        if number < len(names) - 1:
            start = left + width + 3
            parts.append(f"<path d='M{start} 69 h{gap - 10} m-5 -4 l5 4 l-5 4' fill='none' stroke='{GREY}'/>")
        left += width + gap
    lines = (
        "Each green box is one Airflow task. While the cloud works, the triggerer waits and no worker slot is held.",
        "XCom carries the id of the cloud task, never the document.",
    )
    parts += [_text(24, 114 + 18 * number, line, 13, GREY) for number, line in enumerate(lines)]
    return parts


def _bars(figures: SlotSeconds) -> list[str]:
    """How long a document occupies worker slots, in three ways."""
    rows = (
        ("the vendor's SDK in @task", figures.sdk, THEIRS),
        ("this provider, deferrable", figures.deferrable, OURS),
        ("this provider, pipelined", figures.pipelined, OURS),
    )
    parts = [
        f"<path d='M24 152 h{WIDTH - 48}' stroke='#e5e7eb'/>",
        _text(
            24,
            182,
            "Slot-seconds of the workers for it, where each cloud task takes 20 s",
            15,
            INK,
            bold=True,
        ),
    ]
    left, longest = 216, WIDTH - 216 - 90
    for number, (name, seconds, colour) in enumerate(rows):
        top = 198 + 32 * number
        width = round(longest * seconds / max(figures), 1)
        parts.append(_text(24, top + 16, name, 14, INK))
        parts.append(f"<rect x='{left}' y='{top}' width='{width}' height='22' rx='3' fill='{colour}'/>")
        parts.append(_text(left + width + 8, top + 16, f"{seconds:.0f} s", 14, INK, bold=True))
    parts.append(_text(24, 312, "Measured against the emulator, see docs/performance.md.", 13, GREY))
    return parts


def _text(
    x: float, y: float, text: str, size: int, colour: str, *, bold: bool = False, middle: bool = False
) -> str:
    weight = " font-weight='600'" if bold else ""
    anchor = " text-anchor='middle'" if middle else ""
    return (
        f"<text x='{x:g}' y='{y:g}' font-size='{size}' fill='{colour}'{weight}{anchor}>{escape(text)}</text>"
    )


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(read_figures(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")

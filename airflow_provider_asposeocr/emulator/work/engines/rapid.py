"""
RapidOCR (PP-OCRv6 small) as an engine of the emulator.

Invariant: the engine downloads nothing. It uses only the models inside the wheel. Therefore no language, version or size
of a model can be configured here, and languages outside those models are refused.
"""

from __future__ import annotations

import math
import os
import threading
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_asposeocr.emulator.work.engines.base import Array, Box, Image, Line, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Environment variable: number of threads of one recognition.
THREADS_VARIABLE = "ASPOSE_OCR_EMULATOR_THREADS"
_DEFAULT_THREADS = 2

#: Languages of the model in the wheel (PP-OCRv6 small: Chinese, English, Japanese and 46 in Latin script) for which the
#: cloud has a name.
_LANGUAGES = frozenset(
    """
    English German French Italian Spanish Portuguese Polish Slovene Slovak Netherlands Dutch Lithuanian Latvian
    Danish Norwegian Finnish Croatian Czech Swedish Estonian Romanian Chinese Turkish Indonesian Japanese Albanian
    Latin Vietnamese Uzbek Azerbaijani Malay Swahili Tagalog Kurdish Serbo_Croatian Hungarian Catalan Afrikaans
    Bosnian Galician Quechua Occitan Serbian
    """.split()
)
#: Languages with two scripts, of which the model has only the Latin one.
_LATIN_ONLY = frozenset({"Serbian", "Serbo_Croatian", "Kurdish", "Uzbek", "Azerbaijani"})

#: RapidOCR reduces the longer side to the first number of pixels. If the shorter side then has fewer than the second, the
#: strip contains no legible text.
_LONGEST_SIDE, _LEAST_SIDE = 2000, 16
#: RapidOCR enlarges the shorter side to 736 pixels, without a limit for the longer one: a line of 700 x 60 pixels would
#: become 8600 x 736. Pages longer than this ratio get a margin instead.
_LONGEST_RATIO = 2.0

# A steeper line is not a slanted one: its page was turned by 90 or 180 degrees.
_STEEPEST_LINE = 1.0


class RapidEngine:
    """
    The default engine: the models come with ``pip``.

    One instance per process is enough: its calls are serialized, because RapidOCR keeps the options of a call on the
    shared object, and because one recognition at a time bounds the memory (about 0.9 GB on A4 at 300 dpi).

    :param threads: Threads of one recognition; ``None`` means the value of ``ASPOSE_OCR_EMULATOR_THREADS``, or 2.
    """

    name = "rapidocr"

    def __init__(self, threads: int | None = None) -> None:
        wanted = threads if threads is not None else _threads_from_environment()
        # If the number is above that of the processors, RapidOCR ignores it and uses all processors.
        self._threads = min(wanted, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._ocr: Any = None

    def supports(self, language: str) -> bool:
        """Return whether the model in the wheel covers ``language``."""
        return language in _LANGUAGES

    def refusal(self, language: str) -> str:
        """Return why ``language`` is refused."""
        return (
            f"The engine rapidocr cannot read {language}: its bundled model covers Chinese, Japanese and languages "
            "in Latin script. Start the emulator with --engine tesseract and the data of that language, "
            "or with --engine canned."
        )

    def note(self, language: str) -> str | None:
        """Return a warning about a language of which the engine reads only one of two scripts."""
        if language in _LATIN_ONLY:
            return f"The engine rapidocr reads {language} in Latin script only."
        return None

    def read(self, page: Image, language: str) -> list[Line]:
        """Return the lines of ``page``; the model does not depend on ``language``."""
        if _is_too_thin(page):
            return []
        image, scale, dx, dy = _framed(page)
        answer = self._run(image)
        if answer.boxes is None or answer.txts is None:
            return []
        tokens: Sequence[Any] = answer.word_results or ()
        if len(tokens) != len(answer.txts):
            tokens = [()] * len(answer.txts)
        found = zip(answer.boxes, answer.txts, answer.scores, tokens, strict=True)
        lines = [_line(*line) for line in found]
        return [line.moved(-dx, -dy).scaled(1 / scale) for line in lines]

    def find_lines(self, page: Image) -> list[Line]:
        """Return the lines without their text, and skip the slow recognition."""
        if _is_too_thin(page):
            return []
        image, scale, dx, dy = _framed(page)
        with self._lock:
            answer = self._engine()(image, use_det=True, use_cls=False, use_rec=False, return_word_box=False)
        if answer.boxes is None:
            return []
        lines = [Line(_box(quad), slope=_slope(quad)) for quad in answer.boxes]
        return [line.moved(-dx, -dy).scaled(1 / scale) for line in lines]

    def _run(self, page: Image) -> Any:
        with self._lock:
            engine = self._engine()
            try:
                return engine(page, use_det=True, use_cls=False, use_rec=True, return_word_box=True)
            except IndexError:
                # RapidOCR removes a line whose words have no boxes, and then uses its index. Read without word boxes.
                return engine(page, use_det=True, use_cls=False, use_rec=True, return_word_box=False)

    def _engine(self) -> Any:
        if self._ocr is None:
            from rapidocr import RapidOCR

            self._ocr = RapidOCR(
                params={
                    # The classifier turns correct lines upside down. For turned pages there is the setting Rotate.
                    "Global.use_cls": False,
                    "Global.log_level": "error",
                    "EngineConfig.onnxruntime.intra_op_num_threads": self._threads,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
            )
        return self._ocr


@cache
def shared_engine() -> RapidEngine:
    """Return the engine that this process shares; it loads its models for the first page."""
    return RapidEngine()


def _threads_from_environment() -> int:
    value = os.environ.get(THREADS_VARIABLE, "")
    return int(value) if value.isdigit() and int(value) > 0 else _DEFAULT_THREADS


def _is_too_thin(page: Image) -> bool:
    """Return whether the page is a strip that RapidOCR would reduce to a height or width of almost no pixels."""
    shorter, longer = sorted(page.shape[:2])
    return bool(longer > _LONGEST_SIDE and shorter * _LONGEST_SIDE < _LEAST_SIDE * longer)


def _framed(page: Image) -> tuple[Image, float, int, int]:
    """
    Return ``page`` with a margin if it is a strip, which RapidOCR would otherwise enlarge too much.

    :return: The image, and its scale and the left and top margin in its pixels.
    """
    shorter, longer = sorted(page.shape[:2])
    if shorter * _LONGEST_RATIO >= longer:
        return page, 1.0, 0, 0
    import cv2

    from airflow_provider_asposeocr.emulator.work.imaging.filters import padded

    scale = min(1.0, _LONGEST_SIDE / longer)
    if scale < 1:  # Before the margin, which would make a square of the strip's length.
        page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
            "uint8", copy=False
        )
    height, width = page.shape[:2]
    margin = math.ceil((max(width, height) / _LONGEST_RATIO - min(width, height)) / 2)
    rows, columns = (margin, 0) if width > height else (0, margin)
    return padded(page, rows=rows, columns=columns), scale, columns, rows


def _line(quad: Array, text: str, score: float, tokens: Sequence[tuple[str, float, Any]]) -> Line:
    """Make a line from RapidOCR's answer: its text contains the spaces, and its tokens contain positions and scores."""
    box = _box(quad)
    letters = _letters_of_tokens(tokens)
    if len(letters) != sum(map(len, text.split())):
        letters = _even_letters(text, box, score)
    words, start = [], 0
    for word in text.split():
        own = letters[start : start + len(word)]
        start += len(word)
        place = Box.around(letter.box for letter in own)
        words.append(Word(word, place, fmean(letter.score for letter in own)))
    return Line(box, tuple(words), _slope(quad))


class _Letter(NamedTuple):
    """The place of a character that is not a space, and how sure RapidOCR is of it."""

    box: Box
    score: float


def _letters_of_tokens(tokens: Sequence[tuple[str, float, Any]]) -> list[_Letter]:
    """Return the characters of tokens; those of a token have equal widths and scores."""
    letters: list[_Letter] = []
    for text, score, polygon in tokens:
        box = _box(polygon)
        step = box.width / max(len(text), 1)
        for index, character in enumerate(text):
            if not character.isspace():
                right = max(box.x0 + (index + 1) * step, box.x0 + 1)
                letters.append(_Letter(Box(box.x0 + index * step, box.y0, right, box.y1), float(score)))
    return letters


def _even_letters(text: str, box: Box, score: float) -> list[_Letter]:
    step = box.width / max(len(text), 1)
    return [
        _Letter(Box(box.x0 + index * step, box.y0, box.x0 + (index + 1) * step, box.y1), float(score))
        for index, character in enumerate(text)
        if not character.isspace()
    ]


def _box(quad: Any) -> Box:
    xs = [float(point[0]) for point in quad]
    ys = [float(point[1]) for point in quad]
    return Box(min(xs), min(ys), max(xs), max(ys))


def _slope(quad: Array) -> float:
    """Return the tangent of a line's upper edge, or 0 for a line that stands upright."""
    dx, dy = float(quad[1][0] - quad[0][0]), float(quad[1][1] - quad[0][1])
    return dy / dx if dx > 0 and abs(dy) < _STEEPEST_LINE * dx else 0.0

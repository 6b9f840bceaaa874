"""
Tesseract (libtesseract inside the ``tesserocr`` wheel) as an engine of the emulator.

Invariant: the engine reads a language with the data of that language, or refuses it. The wheel contains no language data;
the engine uses the data of the Linux distribution, or of a folder that the user names.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Image, Line, Word
from airflow_provider_asposeocr.emulator.work.engines.direction import RIGHT_TO_LEFT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Environment variable: folder with ``*.traineddata``. It has priority over ``TESSDATA_PREFIX`` and the distribution's
#: folder.
DATA_VARIABLE = "ASPOSE_OCR_EMULATOR_TESSDATA"
_DATA_SUFFIX = ".traineddata"
#: Words farther apart than this many heights belong to different lines. The layout decides which lines make a row.
_WIDE_GAP = 2.0

#: Names of language data by the cloud's name of the language. A language with two scripts needs all of several names.
_CODES = {
    line.split()[0]: tuple(line.split()[1:])
    for line in """
        Afrikaans afr
        Albanian sqi
        Arabic ara
        Azerbaijani aze
        Belorussian bel
        Bengali ben
        Bosnian bos
        Bulgarian bul
        Catalan cat
        Cebuano ceb
        Chinese chi_sim
        Croatian hrv
        Czech ces
        Danish dan
        Dutch nld
        English eng
        Estonian est
        Finnish fin
        French fra
        Galician glg
        Georgian kat
        German deu
        Greek ell
        Hebrew heb
        Hindi hin
        Hungarian hun
        Indonesian ind
        Italian ita
        Japanese jpn
        Javanese jav
        Kannada kan
        Kazah kaz
        Korean kor
        Kurdish kmr
        Latin lat
        Latvian lav
        Lithuanian lit
        Macedonian mkd
        Malay msa
        Marathi mar
        Nepali nep
        Netherlands nld
        Norwegian nor
        Occitan oci
        Persian fas
        Polish pol
        Portuguese por
        Quechua que
        Romanian ron
        Russian rus
        Serbian srp srp_latn
        Serbo_Croatian srp_latn
        Slovak slk
        Slovene slv
        Spanish spa
        Sundanese sun
        Swahili swa
        Swedish swe
        Tagalog fil
        Tamil tam
        Telugu tel
        Thai tha
        Tibetan bod
        Tonga ton
        Turkish tur
        Ukrainan ukr
        Urdu urd
        Uyghur uig
        Uzbek uzb
        Vietnamese vie
        Yoruba yor
    """.strip().splitlines()
}


class TesseractEngine:
    """
    The second engine: accurate on clean pages; its results improve with preprocessing.

    Every call makes and closes a ``PyTessBaseAPI``, which takes about 0.2 s, because threads cannot share one.

    :param data_dir: Folder with ``*.traineddata``; ``None`` means the result of :func:`find_data_dir`.
    :raises RuntimeError: if there is no such folder.
    """

    name = "tesseract"

    def __init__(self, data_dir: Path | None = None) -> None:
        found = data_dir or find_data_dir()
        if found is None:
            raise RuntimeError(NO_DATA)
        self._data_dir = found

    def supports(self, language: str) -> bool:
        """Return whether Tesseract has ``language``, and all its data is installed."""
        return language in _CODES and not self._missing(language)

    def refusal(self, language: str) -> str:
        """Return why ``language`` is refused, and which package to install."""
        if language not in _CODES:
            return (
                f"The engine tesseract has no data for {language}. Start the emulator with --engine canned."
            )
        packages = " ".join(f"tesseract-ocr-{code.replace('_', '-')}" for code in self._missing(language))
        return (
            f"The engine tesseract cannot read {language} here: its data is not in {self._data_dir}. "
            f"Install it with: apt-get install {packages}"
        )

    def note(self, language: str) -> str | None:
        """Return a warning if Latin words within a right-to-left text cannot be read."""
        if language not in RIGHT_TO_LEFT or self._has_english():
            return None
        return (
            f"Latin words within {language} are not read here: the English data is not in {self._data_dir}. "
            "Install it with: apt-get install tesseract-ocr-eng"
        )

    def read(self, page: Image, language: str) -> list[Line]:
        """Return the lines of ``page`` with their words."""
        right_to_left = language in RIGHT_TO_LEFT
        with self._api("+".join(self._codes(language))) as api:
            _set_page(api, page)
            api.Recognize()
            return list(_lines(api.GetIterator(), _text_by_letters if right_to_left else _text))

    def find_lines(self, page: Image) -> list[Line]:
        """Return the lines without their text. This works with the data of any language; English is preferred."""
        codes = [path.name.removesuffix(_DATA_SUFFIX) for path in _data_files(self._data_dir)]
        code = "eng" if "eng" in codes else codes[0]
        with self._api(code) as api:
            _set_page(api, page)
            return list(_lines(api.AnalyseLayout(), None))

    def _codes(self, language: str) -> list[str]:
        """Return the names of the data for ``language``."""
        codes = list(_CODES[language])
        # Unlike the data of other languages, that of right-to-left scripts contains no Latin letters.
        if language in RIGHT_TO_LEFT and self._has_english():
            codes.append("eng")
        return codes

    def _has_english(self) -> bool:
        return (self._data_dir / f"eng{_DATA_SUFFIX}").is_file()

    def _missing(self, language: str) -> list[str]:
        return [code for code in _CODES[language] if not (self._data_dir / f"{code}{_DATA_SUFFIX}").is_file()]

    def _api(self, codes: str) -> Any:
        import tesserocr

        return tesserocr.PyTessBaseAPI(path=str(self._data_dir), lang=codes, psm=tesserocr.PSM.AUTO)


#: The error if there is no language data.
NO_DATA = (
    "The engine tesseract has no language data here. Install it with: "
    "apt-get install --no-install-recommends tesseract-ocr-eng, "
    f"or let {DATA_VARIABLE} name a folder with *{_DATA_SUFFIX} files."
)


def find_data_dir() -> Path | None:
    """Return the folder with language data: the one that the environment names, otherwise the distribution's newest."""
    named = [os.environ[name] for name in (DATA_VARIABLE, "TESSDATA_PREFIX") if os.environ.get(name)]
    candidates = [Path(name) for name in named]
    candidates += [Path(name) / "tessdata" for name in named]
    candidates += sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), reverse=True)
    candidates += [Path("/usr/share/tessdata"), Path("/usr/local/share/tessdata")]
    return next((path for path in candidates if _data_files(path)), None)


def _data_files(folder: Path) -> list[Path]:
    """Return the language data in ``folder``, without ``osd``, which is not for text."""
    return sorted(path for path in folder.glob(f"*{_DATA_SUFFIX}") if path.name != f"osd{_DATA_SUFFIX}")


def _set_page(api: Any, page: Image) -> None:
    """Give ``page`` to Tesseract without a resolution: its own estimate is better than a wrong resolution."""
    import cv2

    grey = page if page.ndim == 2 else cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    api.SetVariable("debug_file", os.devnull)
    api.SetImageBytes(grey.tobytes(), width, height, 1, width)


def _lines(iterator: Any, read: Callable[[Any], str] | None) -> Iterator[Line]:
    """Yield the lines of the iterator. ``read`` returns the text of a word; without it the lines have no words."""
    from tesserocr import RIL, iterate_level

    if iterator is None:
        return
    for line in iterate_level(iterator, RIL.TEXTLINE):
        slope = _slope(line)
        for words in _pieces(list(_words(line, read))):
            yield Line(Box.around(word.box for word in words), tuple(words) if read else (), slope)


def _pieces(words: list[Word]) -> Iterator[list[Word]]:
    """
    Split a line at wide gaps, because on short pages Tesseract joins neighbouring columns.

    :param words: The words in reading order, which the pieces keep.
    """
    if not words:
        return
    height = median(word.box.height for word in words)
    numbers = sorted(range(len(words)), key=lambda number: words[number].box.x0)
    piece = numbers[:1]
    for before, number in pairwise(numbers):
        if words[number].box.x0 - words[before].box.x1 > _WIDE_GAP * height:
            yield [words[index] for index in sorted(piece)]
            piece = []
        piece.append(number)
    yield [words[index] for index in sorted(piece)]


def _words(line: Any, read: Callable[[Any], str] | None) -> Iterator[Word]:
    """Yield the words of the iterator's present line, and leave the iterator at the line's last word."""
    from tesserocr import RIL

    while True:
        corners = line.BoundingBox(RIL.WORD)  # None on a blank page.
        text = read(line).strip() if read and corners else ""
        if corners and (text or not read):
            # Tesseract says it from 0 to 100.
            confidence = line.Confidence(RIL.WORD) / 100 if read else None
            yield Word(text, Box(*map(float, corners)), confidence)
        if line.IsAtFinalElement(RIL.TEXTLINE, RIL.WORD) or not line.Next(RIL.WORD):
            return


def _text(word: Any) -> str:
    """Return the iterator's present word, with its letters from left to right."""
    from tesserocr import RIL

    return str(word.GetUTF8Text(RIL.WORD))


def _text_by_letters(word: Any) -> str:
    """Return the iterator's present word, with its letters in reading order."""
    from tesserocr import RIL

    text = ""
    while True:
        text += str(word.GetUTF8Text(RIL.SYMBOL))
        if word.IsAtFinalElement(RIL.WORD, RIL.SYMBOL) or not word.Next(RIL.SYMBOL):
            return text


def _slope(line: Any) -> float:
    from tesserocr import RIL

    ends = line.Baseline(RIL.TEXTLINE)
    if not ends:
        return 0.0
    (x0, y0), (x1, y1) = ends
    return (y1 - y0) / (x1 - x0) if x1 > x0 and abs(y1 - y0) < x1 - x0 else 0.0

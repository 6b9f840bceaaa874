"""
Tesseract (libtesseract inside the ``tesserocr`` wheel) as an engine of the emulator.

Invariant: a language is read with the data of that language or not at all. The wheel brings no language data; it is
taken from where the distribution, or the user, put it.
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

#: Environment variable: folder with ``*.traineddata``; wins over ``TESSDATA_PREFIX`` and the distribution's.
DATA_VARIABLE = "ASPOSE_OCR_EMULATOR_TESSDATA"
_DATA_SUFFIX = ".traineddata"
#: Words farther apart than this many heights are pieces of their own; which of them make a row is for the layout.
_WIDE_GAP = 2.0

#: Names of language data by the cloud's name of the language. More than one: all of them are needed, because the
#: language is written in two scripts.
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
    The second engine: good on clean pages, and the one that preprocessing helps.

    Every call makes and closes its own ``PyTessBaseAPI`` (it is not safe to share), about 0.2 s.

    :param data_dir: Folder with ``*.traineddata``; ``None`` looks where :func:`find_data_dir` does.
    :raises RuntimeError: if there is no such folder.
    """

    name = "tesseract"

    def __init__(self, data_dir: Path | None = None) -> None:
        found = data_dir or find_data_dir()
        if found is None:
            raise RuntimeError(NO_DATA)
        self._data_dir = found

    def supports(self, language: str) -> bool:
        """Return whether Tesseract knows ``language`` and all its data is installed."""
        return language in _CODES and not self._missing(language)

    def refusal(self, language: str) -> str:
        """Return why ``language`` is refused and which package would help."""
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
        """Return a warning if Latin words within a right-to-left text will not be read."""
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
        """Return where the lines are; finding them depends on no language, so any data will do if there is no English."""
        codes = [path.name.removesuffix(_DATA_SUFFIX) for path in _data_files(self._data_dir)]
        code = "eng" if "eng" in codes else codes[0]
        with self._api(code) as api:
            _set_page(api, page)
            return list(_lines(api.AnalyseLayout(), None))

    def _codes(self, language: str) -> list[str]:
        """Return the data to read ``language`` with."""
        codes = list(_CODES[language])
        # Unlike the data of other languages, that of right-to-left scripts knows no Latin letters.
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


#: What to do without language data.
NO_DATA = (
    "The engine tesseract has no language data here. Install it with: "
    "apt-get install --no-install-recommends tesseract-ocr-eng, "
    f"or let {DATA_VARIABLE} name a folder with *{_DATA_SUFFIX} files."
)


def find_data_dir() -> Path | None:
    """Return the folder with language data: what the environment names, or else the distribution's newest."""
    named = [os.environ[name] for name in (DATA_VARIABLE, "TESSDATA_PREFIX") if os.environ.get(name)]
    candidates = [Path(name) for name in named]
    candidates += [Path(name) / "tessdata" for name in named]
    candidates += sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), reverse=True)
    candidates += [Path("/usr/share/tessdata"), Path("/usr/local/share/tessdata")]
    return next((path for path in candidates if _data_files(path)), None)


def _data_files(folder: Path) -> list[Path]:
    """Return the language data in ``folder``, without ``osd``, which reads no text."""
    return sorted(path for path in folder.glob(f"*{_DATA_SUFFIX}") if path.name != f"osd{_DATA_SUFFIX}")


def _set_page(api: Any, page: Image) -> None:
    """Hand ``page`` over; its resolution is left for Tesseract to estimate, which is better than a wrong one."""
    import cv2

    grey = page if page.ndim == 2 else cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    api.SetVariable("debug_file", os.devnull)
    api.SetImageBytes(grey.tobytes(), width, height, 1, width)


def _lines(iterator: Any, read: Callable[[Any], str] | None) -> Iterator[Line]:
    """Yield the lines that the iterator goes through; without ``read``, which reads a word, they have no words."""
    from tesserocr import RIL, iterate_level

    if iterator is None:
        return
    for line in iterate_level(iterator, RIL.TEXTLINE):
        slope = _slope(line)
        for words in _pieces(list(_words(line, read))):
            yield Line(Box.around(word.box for word in words), tuple(words) if read else (), slope)


def _pieces(words: list[Word]) -> Iterator[list[Word]]:
    """
    Split a line at wide gaps: on short pages Tesseract runs neighbouring columns together.

    :param words: The words in the order in which they are read, which the pieces keep.
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
    """Yield the words of the line that the iterator stands on, and leave it on the line's last word."""
    from tesserocr import RIL

    while True:
        corners = line.BoundingBox(RIL.WORD)  # None where there is nothing, as on a blank page
        text = read(line).strip() if read and corners else ""
        if corners and (text or not read):
            yield Word(text, Box(*map(float, corners)))
        if line.IsAtFinalElement(RIL.TEXTLINE, RIL.WORD) or not line.Next(RIL.WORD):
            return


def _text(word: Any) -> str:
    """Return the word that the iterator stands on, its letters from left to right."""
    from tesserocr import RIL

    return str(word.GetUTF8Text(RIL.WORD))


def _text_by_letters(word: Any) -> str:
    """Return the word that the iterator stands on, its letters in the order in which they are read."""
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

"""
The readers of results beside the parsers that they stand on, on the same bytes: throughput, and memory while reading.

Invariant: both read the same bytes in the same process, in turn. The parsers, of the standard library but for lxml and
openpyxl, give less: elements, lists
and texts, where a reader gives words with boxes, amounts and pages. Memory is what Python allocates (``tracemalloc``) beside
the bytes themselves, compared with what the returned value holds.
"""

from __future__ import annotations

import ast
import csv
import gc
import importlib
import io
import json
import time
import tracemalloc
import wave
from collections.abc import Callable
from functools import partial
from typing import Any
from xml.etree import ElementTree

from airflow_provider_asposeocr.api.results.readers.blocks import read_blocks
from airflow_provider_asposeocr.api.results.readers.fonts import read_fonts
from airflow_provider_asposeocr.api.results.readers.hocr import read_hocr
from airflow_provider_asposeocr.api.results.readers.invoice import read_invoice
from airflow_provider_asposeocr.api.results.readers.regions import read_regions
from airflow_provider_asposeocr.api.results.readers.speech import read_speech
from airflow_provider_asposeocr.api.results.readers.table import read_csv, read_excel
from airflow_provider_asposeocr.api.results.readers.text import read_text
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_wav, tiny_workbook
from tests.benchmarks.measuring import Row, compared, in_turn, limited, publish

ROUNDS = 7
#: A reader is at least half as fast as the parser that it stands on, and its peak is at most twice what it returns.
LEAST_SHARE, MOST_MEMORY = 0.5, 2.0
#: About 1 MB of each: a hundred dense pages.
_WORDS = 8_000


def hocr_sample() -> bytes:
    """Return hOCR of a hundred pages, as the cloud's sample has it."""
    pages = []
    for page in range(100):
        words = "".join(
            f'<span class="ocrx_word" id="word_{page}_{n}" title="bbox {n * 7} {n * 20} {n * 7 + 60} {n * 20 + 18}; '
            f'x_wconf {60 + n % 40}">word{n}</span> '
            for n in range(_WORDS // 100)
        )
        pages.append(
            f'<div class="ocr_page" title="bbox 0 0 2480 3508"><span class="ocr_line">{words}</span></div>'
        )
    return f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{"".join(pages)}</body></html>'.encode()


def blocks_sample() -> bytes:
    """Return blocks in the emulator's form."""
    return json.dumps(
        [
            {
                "topLeftX": n,
                "topLeftY": n,
                "bottomRightX": n + 300,
                "bottomRightY": n + 20,
                "text": f"line {n} of a page",
            }
            for n in range(_WORDS)
        ]
    ).encode()


def csv_sample() -> bytes:
    """Return a table of 20,000 rows."""
    return b"0,1,2,3\n" + b"".join(b"name %d , 12.50,3,%d\n" % (n, n * 7) for n in range(20_000))


def parse_csv(data: bytes) -> list[list[str]]:
    """Read CSV with the standard library alone."""
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def words_of(data: bytes, library: Any = ElementTree) -> list[tuple[str, str]]:
    """Read words and their titles with a library alone."""
    root = library.fromstring(data)
    return [
        (element.text or "", element.get("title", ""))
        for element in root.iter("{http://www.w3.org/1999/xhtml}span")
        if element.get("class") == "ocrx_word"
    ]


def lxml_words_of(data: bytes) -> list[tuple[str, str]]:
    """Read words and their titles with lxml alone; Airflow's provider for Amazon brings it."""
    return words_of(data, importlib.import_module("lxml.etree"))


def workbook_sample() -> bytes:
    """Return a workbook of 2,000 rows."""
    return tiny_workbook([[f"name {n}", "12.50", "3", str(n * 7)] for n in range(2_000)])


def parse_workbook(data: bytes) -> list[Any]:
    """Read the rows of a workbook with openpyxl alone."""
    book = importlib.import_module("openpyxl").load_workbook(io.BytesIO(data), read_only=True)
    try:
        return list(book.worksheets[0].iter_rows(values_only=True))
    finally:
        book.close()


def fonts_sample() -> bytes:
    """Return more typefaces than the cloud knows, in the form of the vendor's docs."""
    return repr({"style": "regular", "font": [f"typeface number {n}" for n in range(2_000)]}).encode()


def parse_fonts(data: bytes) -> Any:
    """Read typefaces with the standard library alone."""
    return ast.literal_eval(data.decode())


def parse_sound(data: bytes) -> Any:
    """Read the header of a sound with the standard library alone."""
    with wave.open(io.BytesIO(data)) as sound:
        return sound.getparams()


Parse = Callable[[bytes], Any]

CASES: tuple[tuple[str, bytes, Parse, str, Parse], ...] = (
    (
        "text",
        b"a line of ordinary words\n" * 40_000,
        lambda data: read_text([data]),
        "bytes.decode",
        bytes.decode,
    ),
    ("hOCR", hocr_sample(), lambda data: read_hocr([data]), "ElementTree, words and titles", words_of),
    ("hOCR", hocr_sample(), lambda data: read_hocr([data]), "lxml, words and titles", lxml_words_of),
    ("JSON blocks", blocks_sample(), read_blocks, "json.loads", json.loads),
    (
        "regions",
        json.dumps([[n, n, n + 30, n + 40] for n in range(50_000)]).encode(),
        read_regions,
        "json.loads",
        json.loads,
    ),
    ("CSV", csv_sample(), read_csv, "csv.reader", parse_csv),
    (
        "an invoice",
        json.dumps(
            {"supplier_name": "x" * 200, "total_amount": 42.5, **{f"more{n}": n for n in range(20_000)}}
        ).encode(),
        read_invoice,
        "json.loads",
        json.loads,
    ),
    ("a workbook", workbook_sample(), read_excel, "openpyxl", parse_workbook),
    ("fonts", fonts_sample(), read_fonts, "ast.literal_eval", parse_fonts),
    ("a sound", tiny_wav(), read_speech, "wave", parse_sound),
)

NOTES = {
    "regions": "each rectangle is checked, and becomes an object; a page has some tens of them",
    "a sound": "the header alone, of a tiny sound",
}
#: What it returns is four numbers, whatever the sound is; its memory says nothing.
RETURNS_NUMBERS = "a sound"


def megabytes_per_second(parse: Parse, data: bytes) -> float:
    """
    Measure a throughput.

    :param parse: Reads the bytes.
    :param data: The bytes.
    """
    began = time.process_time()
    repeats = 0
    while time.process_time() - began < 0.1:
        parse(data)
        repeats += 1
    return repeats * len(data) / 1e6 / (time.process_time() - began)


def memory_ratio(parse: Parse, data: bytes) -> float:
    """
    Measure the peak of memory while reading, by what the returned value holds.

    :param parse: Reads the bytes.
    :param data: The bytes.
    """
    parse(data)
    gc.collect()
    tracemalloc.start()
    try:
        value = parse(data)
        held, peak = tracemalloc.get_traced_memory()
        del value
    finally:
        tracemalloc.stop()
    return peak / held


def rows() -> list[Row]:
    """Measure."""
    found = []
    for name, data, ours, rival, theirs in CASES:
        own, other = in_turn(
            ROUNDS,
            partial(megabytes_per_second, ours, data),
            partial(megabytes_per_second, theirs, data),
        )
        what = f"Reading {name} ({len(data) / 1e6:.2g} MB)"
        note = NOTES.get(name, "")
        found.append(compared(what, own, rival, other, unit="MB/s", at_least=LEAST_SHARE, note=note))
    parses = {name: (ours, data) for name, data, ours, _, _ in CASES if name != RETURNS_NUMBERS}
    for name, (ours, data) in parses.items():
        what = f"Memory at its peak while reading {name}, by that of the returned value"
        found.append(limited(what, [memory_ratio(ours, data)], unit="x", at_most=MOST_MEMORY))
    return found


def main() -> None:
    """Measure and publish."""
    publish("readers", rows())


if __name__ == "__main__":
    main()

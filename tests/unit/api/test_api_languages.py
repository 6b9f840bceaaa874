from __future__ import annotations

import re

import pytest

from airflow_provider_asposeocr.api import languages
from airflow_provider_asposeocr.api.enums import LANGUAGES
from airflow_provider_asposeocr.api.languages import suggest_languages

ROWS = [re.split(r"[:|]", line) + [""] for line in languages._TABLE.strip().splitlines()]
CODES = [(row[0], code) for row in ROWS for code in row[1].split()]
NAMES = [(row[0], name.strip()) for row in ROWS for name in row[2].split(",") if name.strip()]


def test_the_table_has_each_of_the_cloud_s_languages_once() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(LANGUAGES)


def test_each_language_can_be_found_by_a_code() -> None:
    # Handwriting is no language.
    assert set(LANGUAGES) - {language for language, _ in CODES} == {"HWT_ENG"}


def test_a_code_or_another_name_leads_to_the_language() -> None:
    lost = [
        (language, spelled)
        for language, written in [*CODES, *NAMES]
        for spelled in (written, written.upper(), f" {written} ")
        if language not in suggest_languages(spelled)
    ]
    assert lost == []


def test_the_word_in_another_spelling_leads_to_the_language() -> None:
    lost = [
        (language, spelled)
        for language in LANGUAGES
        for spelled in (
            language.lower(),
            language.upper(),
            language.replace("_", " "),
            language.replace("_", "-"),
        )
        if language not in suggest_languages(spelled)
    ]
    assert lost == []


def test_one_code_means_two_languages_only_where_the_cloud_has_two_words() -> None:
    shared = {code: words for _, code in CODES if len(words := suggest_languages(code)) > 1}
    assert set(shared) == {"nl", "nld", "dut"}
    assert sorted(shared["nl"]) == ["Dutch", "Netherlands"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("eng", ["English"]),
        ("en-US", ["English"]),
        ("en_US.UTF-8", ["English"]),
        ("de_AT", ["German"]),
        ("Deutsch", ["German"]),
        ("Germann", ["German"]),
        ("chi_sim", ["Chinese"]),
        ("zh-Hant-TW", ["Chinese"]),
        ("Chinese (Simplified)", ["Chinese"]),
        ("simplified chinese", ["Chinese"]),
        ("Ukranian", ["Ukrainan"]),
        ("kazakh", ["Kazah"]),
        ("Farsi", ["Persian"]),
        ("min_nan", ["Min_Nan"]),
        ("wu", ["Wu"]),
        ("hwt_eng", ["HWT_ENG"]),
        ("handwritten", ["HWT_ENG"]),
        # Languages that the cloud does not know must not become others.
        ("ga", []),
        ("gle", []),
        ("Irish", []),
        ("Icelandic", []),
        ("Welsh", []),
        ("xx-YY", []),
        ("auto", []),
        ("", []),
        ("?", []),
    ],
)
def test_what_users_write(written: str, meant: list[str]) -> None:
    assert suggest_languages(written) == meant

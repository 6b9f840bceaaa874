"""What a batch does about a document, by the names of its records: every subset of them, and every owner."""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.ingestion.register import (
    OWNERS,
    WORDS,
    Busy,
    Claim,
    Decision,
    Done,
    Ours,
    Owner,
    RecordName,
    Standing,
    UsedUp,
    close_with,
    decide,
    decide_about_results,
    fingerprint_of,
    is_key,
    key_of,
    owner_by_state,
    standing_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
STEPS: tuple[dict[str, object], ...] = (
    {"operation": "UpscaleImage", "settings": {}},
    {"operation": "RecognizeImage", "settings": {"language": "English", "resultType": "Text"}},
)
KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-0123456789ab"


class TestKey:
    """Golden values: a change of them would make every document new, and bill it again."""

    @pytest.mark.parametrize(
        ("steps", "evaluation", "fingerprint"),
        [
            (STEPS, False, "0b69c1943bf0"),
            (STEPS, True, "8d8c20d82799"),
            (STEPS[:1], False, "9c95651f6cb6"),
            (({"operation": "RecognizePdf", "settings": {"resultType": "Größe"}},), False, "b7b612549f61"),
        ],
    )
    def test_of_steps(self, steps: tuple[dict[str, object], ...], evaluation: bool, fingerprint: str) -> None:
        assert fingerprint_of(steps, evaluation=evaluation) == fingerprint

    def test_the_order_of_settings_does_not_count(self) -> None:
        turned = [{"settings": {"resultType": "Text", "language": "English"}, "operation": "RecognizeImage"}]
        assert fingerprint_of(turned, evaluation=False) == fingerprint_of(STEPS[1:], evaluation=False)

    def test_the_order_of_steps_counts(self) -> None:
        assert fingerprint_of(STEPS[::-1], evaluation=False) != fingerprint_of(STEPS, evaluation=False)

    def test_of_content_and_steps(self) -> None:
        key = key_of(SHA256, fingerprint_of(STEPS, evaluation=False))
        assert key == "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-0b69c1943bf0"
        assert is_key(key)
        assert not is_key(key + "0")


class TestNames:
    def test_a_name_is_what_it_was(self) -> None:
        for n, word in product((1, 2, 10, 999_999_999), WORDS):
            name = RecordName(KEY, n, word)
            assert RecordName.parse(name.text) == name
            assert RecordName.parse(f"bucket/register/documents/{name.text}") == name
        assert RecordName(KEY, 3, "done").text == f"9f/{KEY}.3.done.json"

    @pytest.mark.parametrize(
        "text",
        [
            "probe",
            "clock",
            f"9f/{KEY}.done.json",
            f"9f/{KEY}.0.done.json",
            f"9f/{KEY}.01.done.json",
            f"9f/{KEY}.1.gone.json",
            f"9f/{KEY}.1.done.json.part",
            f"9f/{KEY.upper()}.1.done.json",
            f"9f/.aspose-ocr-{KEY}.1.done.json",
        ],
    )
    def test_other_files_are_none(self, text: str) -> None:
        assert RecordName.parse(text) is None


def _subsets() -> Iterator[frozenset[RecordName]]:
    """Every set of records with the numbers 1 and 2: 1,024 of them."""
    names = [RecordName(KEY, n, word) for n, word in product((1, 2), WORDS)]
    sets = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
    return map(frozenset, sets)


def _expected(names: frozenset[RecordName], owner: Owner, is_old: bool, max_attempts: int) -> Decision:
    """The table of the protocol, read once more and in other words."""
    highest = max((name.n for name in names), default=0)
    there = {name.word for name in names if name.n == highest}
    if not there or "voided" in there:
        return Claim(highest + 1)
    if "done" in there:
        return Done(highest)
    if "failed" in there:
        first = {name.word for name in names if name.n == 1}
        failed_before = highest == 2 and "failed" in first and not first & {"done", "voided"}
        failures = 1 + failed_before
        return Claim(highest + 1) if failures < max_attempts else UsedUp(highest, failures)
    if "released" in there:
        return Claim(highest + 1)
    table: dict[Owner, Decision] = {
        "ours": Ours(highest),
        "alive": Busy(highest),
        "ended": Claim(highest + 1, "journal"),
        "unknown": Claim(highest + 1, "journal") if is_old else Busy(highest),
        "foreign": Claim(highest + 1, "unsure") if is_old else Busy(highest),
    }
    return table[owner]


@pytest.mark.parametrize("max_attempts", [1, 2, 3])
def test_every_state_has_its_decision(max_attempts: int) -> None:
    tried = 0
    for names, owner, is_old in product(_subsets(), OWNERS, (False, True)):
        standing = standing_of(names)
        asked = owner if standing.word == "claim" else None
        decision = decide(standing, asked, is_old=is_old, max_attempts=max_attempts)
        assert decision == _expected(names, owner, is_old, max_attempts), (names, owner, is_old)
        tried += 1
    assert tried == 1024 * len(OWNERS) * 2


def test_a_claim_is_never_created_twice() -> None:
    """What is claimed has a number that no record has, so that the store can refuse it to the second."""
    for names, owner, is_old in product(_subsets(), OWNERS, (False, True)):
        decision = decide(standing_of(names), owner, is_old=is_old, max_attempts=3)
        if isinstance(decision, Claim):
            assert decision.n not in {name.n for name in names}


def test_a_voided_document_has_all_its_attempts_again() -> None:
    names = [RecordName(KEY, n, word) for n in (1, 2, 3) for word in ("claim", "failed")]
    assert decide(standing_of(names), None, is_old=False, max_attempts=3) == UsedUp(3, 3)
    names.append(RecordName(KEY, 3, "voided"))
    names += [RecordName(KEY, 4, "claim"), RecordName(KEY, 4, "failed")]
    assert standing_of(names) == Standing(4, "failed", 1)


@pytest.mark.parametrize(
    ("state", "owner"),
    [
        *(
            (state, "alive")
            for state in ("running", "queued", "deferred", "scheduled", "restarting", "up_for_retry")
        ),
        *((state, "alive") for state in ("up_for_reschedule", "a state of a later Airflow")),
        *((state, "ended") for state in ("success", "failed", "skipped", "upstream_failed", "removed")),
        (None, "unknown"),
    ],
)
def test_an_owner_by_airflows_state(state: str | None, owner: Owner) -> None:
    assert owner_by_state(state) == owner


def test_results_that_are_not_there() -> None:
    assert decide_about_results(2, are_there=True, on_missing_result="fail") == "duplicate"
    assert decide_about_results(2, are_there=True, on_missing_result="again") == "duplicate"
    assert decide_about_results(2, are_there=False, on_missing_result="fail") == "fail"
    assert decide_about_results(2, are_there=False, on_missing_result="again") == Claim(3)


@pytest.mark.parametrize(
    ("outcome", "may_run", "comes_back", "word"),
    [
        ("succeeded", False, False, "done"),
        ("succeeded", False, True, "done"),
        ("failed", False, False, "failed"),
        ("failed", False, True, None),
        ("failed", True, False, None),  # Its result waits in the cloud, and could not be stored.
        ("cancelled", False, False, "released"),
        ("cancelled", False, True, None),
        (None, False, False, "released"),
        (None, False, True, None),
        (None, True, False, None),
    ],
)
def test_how_a_claim_is_closed(
    outcome: str | None, may_run: bool, comes_back: bool, word: str | None
) -> None:
    assert close_with(outcome, may_run=may_run, comes_back=comes_back) == word

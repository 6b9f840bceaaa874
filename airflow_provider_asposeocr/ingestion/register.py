"""
The register of documents: which were read, which are being read, and what a batch does with each. Pure.

Invariant: records are only created, never changed or deleted, and the state of a document follows from the names of its
records alone.
``<key>.<n>.claim`` says that a batch is about to send a document; ``done``, ``failed`` or ``released`` with the same ``n``
closes the claim, and ``voided`` makes a document count as not read. The highest ``n`` decides. Only one batch can create a
claim.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Raise it when the fields of a fingerprint change: then every document counts as new, and is billed again.
_FINGERPRINT_VERSION = 1
_CONTENT_DIGITS = 40
_FINGERPRINT_DIGITS = 12

Word = Literal["claim", "released", "failed", "done", "voided"]
#: In the order of their weight: of several records with one number, the last of these decides.
WORDS: tuple[Word, ...] = get_args(Word)
#: What closes a claim.
Closing = Literal["done", "failed", "released"]

_NAME = re.compile(
    r"([0-9a-f]{40}-[0-9a-f]{12})\.([1-9][0-9]{0,8})\.(claim|released|failed|done|voided)\.json"
)
_KEY = re.compile(r"[0-9a-f]{40}-[0-9a-f]{12}")


def fingerprint_of(steps: Sequence[Mapping[str, Any]], *, evaluation: bool) -> str:
    """
    Fingerprint what is done with a document. Another fingerprint means another result, which is billed.

    :param steps: The steps, each ``{"operation": name, "settings": {…}}`` with the settings as they are sent.
    :param evaluation: Whether the connection is in evaluation mode, in which the cloud masks parts of the text.
    :return: 12 hex digits.
    """
    what = {
        "version": _FINGERPRINT_VERSION,
        "steps": [dict(step) for step in steps],
        "evaluation": evaluation,
    }
    text = json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def key_of(sha256: str, fingerprint: str) -> str:
    """
    Return the key of a document.

    The checksum of its content and not its ETag: one content has several ETags, depending on how it was uploaded.

    :param sha256: Checksum of the content, 64 hex digits.
    :param fingerprint: What :func:`fingerprint_of` returned.
    """
    return f"{sha256[:_CONTENT_DIGITS]}-{fingerprint}"


def is_key(text: str) -> bool:
    """
    Tell whether a text is the key of a document.

    :param text: The text.
    """
    return _KEY.fullmatch(text) is not None


def place_of(key: str) -> str:
    """
    Return the subfolder of a document's records: one of 256, so that the requests to a store do not all have the same
    prefix.

    :param key: The key.
    """
    return key[:2]


@dataclass(frozen=True, order=True)
class RecordName:
    """
    The name of a record.

    :param key: The document.
    :param n: Number of the claim, counted from 1.
    :param word: What the record says.
    """

    key: str
    n: int
    word: Word

    @property
    def text(self) -> str:
        """The name below the folder ``documents``."""
        return f"{place_of(self.key)}/{self.key}.{self.n}.{self.word}.json"

    @classmethod
    def parse(cls, text: str) -> RecordName | None:
        """
        Read the name of a file.

        :param text: Its name, with or without folders.
        :return: The record; ``None`` for other files.
        """
        found = _NAME.fullmatch(text.rpartition("/")[2])
        if found is None:
            return None
        key, n, word = found.groups()
        return cls(key, int(n), next(known for known in WORDS if known == word))


@dataclass(frozen=True)
class Standing:
    """
    What the names of a document's records say.

    :param n: The highest number; 0 = there is no record.
    :param word: What the records of that number say; ``None`` = there is none.
    :param failures: How many attempts have failed since the document was last voided.
    """

    n: int = 0
    word: Word | None = None
    failures: int = 0


def standing_of(names: Iterable[RecordName]) -> Standing:
    """
    Read the state of a document from the names of its records.

    :param names: The names, in any order.
    """
    words: dict[int, Word] = {}
    for name in names:
        known = words.get(name.n)
        if known is None or WORDS.index(name.word) > WORDS.index(known):
            words[name.n] = name.word
    if not words:
        return Standing()
    voided = max((n for n, word in words.items() if word == "voided"), default=0)
    failures = sum(word == "failed" and n > voided for n, word in words.items())
    highest = max(words)
    return Standing(highest, words[highest], failures)


#: Whose open claim it is. ``ours``: of the same journal. ``alive``: Airflow says that the task instance still has work.
#: ``ended``: Airflow says that it has not. ``unknown``: Airflow knows no such task instance. ``foreign``: the claim is of
#: another installation, whose tasks this Airflow does not know.
Owner = Literal["ours", "alive", "ended", "unknown", "foreign"]
OWNERS: tuple[Owner, ...] = get_args(Owner)

#: States of a task instance after which no process comes back to its journal.
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


def owner_by_state(state: str | None) -> Owner:
    """
    Tell whether the owner of a claim may still work.

    :param state: Airflow's state of its task instance; ``None`` = there is none: the task instance was just cleared, or its
        run was deleted.
    """
    if state is None:
        return "unknown"
    return "ended" if state in _ENDED else "alive"


@dataclass(frozen=True)
class Claim:
    """
    Create a claim.

    :param n: Its number.
    :param after: What the claim before it leaves behind. ``None``: nothing is under way. ``journal``: its owner has ended,
        and its journal says what it has sent. ``unsure``: its owner cannot be asked, so that it may have sent the document.
    """

    n: int
    after: Literal["journal", "unsure"] | None = None


@dataclass(frozen=True)
class Ours:
    """
    The claim is our own, and our journal says what was sent.

    :param n: Its number.
    """

    n: int


@dataclass(frozen=True)
class Done:
    """
    The document was read. Its results decide, see :func:`decide_about_results`.

    :param n: Number of the record.
    """

    n: int


@dataclass(frozen=True)
class Busy:
    """
    Another batch has the document.

    :param n: Number of its claim.
    """

    n: int


@dataclass(frozen=True)
class UsedUp:
    """
    The document has failed as often as it may.

    :param n: Number of the last record.
    :param failures: How often.
    """

    n: int
    failures: int


Decision = Claim | Ours | Done | Busy | UsedUp


def decide(standing: Standing, owner: Owner | None, *, is_old: bool, max_attempts: int) -> Decision:
    """
    Decide what a batch does with a document.

    :param standing: What the names say.
    :param owner: Whose the claim is; only where the claim decides, else ``None``.
    :param is_old: Whether that claim is older than ``claim_seconds`` by the store's clock.
    :param max_attempts: How many attempts may fail.
    """
    match standing.word:
        case None | "released" | "voided":
            return Claim(standing.n + 1)
        case "done":
            return Done(standing.n)
        case "failed":
            if standing.failures < max_attempts:
                return Claim(standing.n + 1)
            return UsedUp(standing.n, standing.failures)
        case "claim":
            return _decide_about_claim(standing.n, owner, is_old=is_old)


def _decide_about_claim(n: int, owner: Owner | None, *, is_old: bool) -> Decision:
    match owner:
        case "ours":
            return Ours(n)
        case "ended":
            return Claim(n + 1, "journal")
        case "unknown" if is_old:
            return Claim(n + 1, "journal")
        case "foreign" if is_old:
            return Claim(n + 1, "unsure")
        case _:
            return Busy(n)


OnMissingResult = Literal["fail", "again"]
ON_MISSING_RESULT: tuple[OnMissingResult, ...] = get_args(OnMissingResult)
OnDuplicate = Literal["reference", "copy"]
ON_DUPLICATE: tuple[OnDuplicate, ...] = get_args(OnDuplicate)
OnDone = Literal["leave", "move", "delete"]
ON_DONE: tuple[OnDone, ...] = get_args(OnDone)


def decide_about_results(
    n: int, *, are_there: bool, on_missing_result: OnMissingResult
) -> Literal["duplicate", "fail"] | Claim:
    """
    Decide about a document that was read before.

    :param n: Number of its record.
    :param are_there: Whether all results are there, in the versions that the record names.
    :param on_missing_result: The user's policy.
    :return: ``duplicate``: its results are those of the record. ``fail``. Or the claim with which it is read, and billed,
        again.
    """
    if are_there:
        return "duplicate"
    return "fail" if on_missing_result == "fail" else Claim(n + 1)


#: Outcomes of documents that the cloud has read: with the same steps it would read them to the same end.
STORED = frozenset({"succeeded", "low_quality"})


def close_with(outcome: str | None, *, may_run: bool, comes_back: bool) -> Closing | None:
    """
    Decide how a batch closes the claim of a document when one of its tries has ended.

    :param outcome: What has become of the document; ``None`` = it is not decided.
    :param may_run: Whether a cloud task of it may run, or has a result that is paid for.
    :param comes_back: Whether a later try of the batch takes the document up again.
    :return: The record that closes the claim; ``None`` = the claim stays open. The next batch that finds the document then
        takes it over, and continues with the cloud task that the journal names.
    """
    if outcome in STORED:
        return "done"
    if comes_back or may_run:
        return None
    return "failed" if outcome == "failed" else "released"

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.errors import AsposeOcrError, Place, from_dict, shown_at
from airflow_provider_asposeocr.api.printable import shown, shown_all
from tests.support.error_classes import all_errors

CLASSES = sorted(all_errors(), key=lambda cls: cls.__name__)

PLACES: tuple[Place, ...] = get_args(Place)
#: What an error may be told about the bill.
BILLED: tuple[Any, ...] = (None, "no", "maybe", "yes", "already")
#: Words that have no meaning at that place: only a task can be cleared, and only a submit is billed.
MEANINGLESS_AT: dict[Place, tuple[str, ...]] = {
    "form": ("clear", "DAG", "retry", "nothing was billed", "on_unknown_submit", "pool"),
    "parse": ("clear", "retry", "nothing was billed", "this task"),
    "hook": ("clear", "on_unknown_submit", "pool", "operator", "this task"),
    "task": ("this form", "test again"),
}
#: Errors that do not advise a Clear: it would submit once more, which is billed, and the result can still be fetched.
NOTHING_TO_CLEAR = (errors.UnknownStatusError,)


def _documented() -> dict[str, tuple[str | None, str]]:
    """Read the tree of the module's docstring: class name to its parent and the remark beside it."""
    above: list[str] = []
    found: dict[str, tuple[str | None, str]] = {}
    for line in (errors.__doc__ or "").split("::\n", 1)[1].splitlines():
        match = re.match(r"^    ((?:│   |    |├── |└── )*)(\w+Error)\b *(.*)$", line)
        if match:
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            found[match[2]] = (above[depth - 1] if depth else None, match[3])
    return found


def test_the_documented_tree_is_the_tree() -> None:
    documented = {name: parent for name, (parent, _) in _documented().items()}
    real = {cls.__name__: None if cls is AsposeOcrError else cls.__mro__[1].__name__ for cls in CLASSES}
    assert documented == real


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_tree_says_where_a_retry_helps(cls: type[AsposeOcrError]) -> None:
    remark = _documented()[cls.__name__][1]
    if "does not help" in remark:
        assert not cls.retryable
    elif "retry" in remark:
        assert cls.retryable


def test_which_classes_are_retried() -> None:
    assert {cls.__name__ for cls in CLASSES if cls.retryable} == {
        "SourceUnreadableError",
        "CredentialsLockedError",
        "CloudUnreachableError",
        "ProxyUnreachableError",
        "SchemeMismatchError",
        "CloudUnavailableError",
        "RateLimitedError",
        "UnexpectedResponseError",
        "SubmitUnknownError",
        "TaskFailedError",
        "TaskPendingError",
        "TaskUnknownError",
        "TaskTimeoutError",
        "WaitError",
        "ResultCorruptError",
        "StorageError",
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
class TestEachClass:
    def test_str_answers_the_four_questions(self, cls: type[AsposeOcrError]) -> None:
        error = cls("This happened.", operation="RecognizeImage", task_id="id-1")
        said = str(error)
        assert said.startswith("This happened. [RecognizeImage id-1] ")
        assert {
            "no": "Nothing was billed.",
            "maybe": "may have been billed",
            "yes": "accepted and billed",
        }.get(error.billed, "Nothing more was billed.") in said
        assert ("A retry may help." if cls.retryable else "A retry does not help.") in said
        assert said.endswith(error.remedy)

    def test_what_to_do_fits_the_place_where_it_is_read(self, cls: type[AsposeOcrError]) -> None:
        for place in PLACES:
            error = cls("This happened.")
            with pytest.raises(cls), shown_at(place):
                raise error
            said = str(error)
            assert said.startswith("This happened. "), place
            assert said.endswith(f" {error.remedy}"), place
            assert error.remedy.endswith("."), place
            for word in MEANINGLESS_AT[place]:
                assert not re.search(rf"\b{word}\b", said, re.IGNORECASE), f"{place}: {said}"

    def test_a_task_that_airflow_does_not_retry_is_to_be_cleared(self, cls: type[AsposeOcrError]) -> None:
        """What the user corrects takes effect only if the task runs once more."""
        if cls.retryable or cls in NOTHING_TO_CLEAR or cls.__subclasses__():
            return
        assert re.search(r"\bclear\b", cls("Gone.").remedies.at("task"), re.IGNORECASE)

    def test_it_survives_the_way_through_an_event(self, cls: type[AsposeOcrError]) -> None:
        for billed in BILLED:
            error = cls(
                "Gone.",
                operation="DetectRegions",
                task_id="x",
                http_status=429,
                retry_after_seconds=1.5,
                billed=billed,
            )
            back = from_dict(json.loads(json.dumps(error.to_dict())))
            assert type(back) is cls
            assert vars(back) | {"billed": back.billed} == vars(error) | {"billed": error.billed}
            assert str(back) == str(error)


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"error": "NobodyKnowsError", "message": "From a newer version."},
        {"error": None, "message": None},
        {"error": "ValueError"},
        {"error": "TaskError", "billed": "twice"},
        {"error": "Exception", "extra": 1},
    ],
)
def test_a_description_from_elsewhere_stays_an_error(described: dict[str, Any]) -> None:
    error = from_dict(described)
    assert isinstance(error, AsposeOcrError)
    assert str(error)
    assert error.message == (described.get("message") or "The trigger reported an error without a message.")


def test_a_hostile_task_id_is_shown_harmlessly() -> None:
    said = str(AsposeOcrError("Gone.", task_id="\x1b[2J\n" + "x" * 1000))
    assert said.isprintable()
    assert len(said) < 300


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("plain", 10, "plain"),
        ("  padded\n", 20, r"  padded\n"),
        (ValueError("  padded\n"), 20, "padded"),
        ("a signed https://x/k?a=1&sig=SECRET", 90, "a signed https://x/k?a=1&sig=***"),
        ("s3://key:SECRET@bucket/x", 90, "s3://***@bucket/x"),
        ("s3://conn@bucket/what?a=1#b%20+.png", 90, "s3://conn@bucket/what?a=1#b%20+.png"),
        ("https://x/k?X-Amz-Signature=SECRET", 30, "https://x/k?X-Amz-Signature=*…"),
        ("a\nb", 10, r"a\nb"),
        ("a\x1b[31m", 20, r"a\x1b[31m"),
        ("\u202egpj", 20, r"\u202egpj"),
        ("\ud800", 20, r"\ud800"),
        ("x" * 11, 10, "x" * 9 + "…"),
        ("x" * 10, 10, "x" * 10),
        (None, 10, "None"),
        ([1], 10, "[1]"),
    ],
)
def test_foreign_text_is_made_fit_to_be_shown(text: object, limit: int, expected: str) -> None:
    assert shown(text, limit) == expected


def test_several_foreign_texts_share_the_limit() -> None:
    assert shown_all(["a\n", "b\x00c"]) == r"a; b\x00c"
    assert len(shown_all(["x" * 1000] * 1000)) == 500

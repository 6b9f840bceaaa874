"""
Fault rules: they make the emulated cloud fail in defined ways.

Each rule has one stage, and is counted only there. Which rules apply to a request depends only on the request, on the rules'
counters and on their seeded random numbers.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.emulator.control.paths import path_matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The stages: a request has arrived; its token is valid; a submit is being accepted, and the fate of its task is determined;
#: the submit was accepted, or the DELETE was done; the status of a task, or its results, are about to be sent; any answer is
#: about to be sent.
Stage = Literal["request", "credentials", "fate", "accepted", "view", "results", "answer"]

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Rule(BaseModel):
    """
    The fields of all rules.

    ``path`` is a glob on the path after ``/v5.0/ocr``, in any casing. A rule applies to the token endpoint only if it names
    it (``/connect/token``). A rule applies either to the next ``count`` matching requests (default: one), or to each
    matching request with ``probability``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    #: Method of a rule that names none; ``None`` means any method.
    default_method: ClassVar[str | None] = None
    stage: ClassVar[Stage] = "request"

    kind: str
    method: str | None = None
    path: str = "*"
    count: int | None = Field(None, ge=1)
    probability: float | None = Field(None, ge=0, le=1)
    seed: int = 0

    @model_validator(mode="after")
    def _check_frequency(self) -> Rule:
        if self.count is not None and self.probability is not None:
            raise ValueError("Give either count or probability, not both.")
        return self

    def matches(self, stage: Stage, method: str, path: str) -> bool:
        """
        Return whether the rule is about a request.

        :param stage: The present stage of the request.
        :param method: HTTP method of the request.
        :param path: Path of the request as it was sent.
        """
        wanted = self.wanted_method()
        if stage != self.asked_at() or (wanted is not None and wanted.upper() != method.upper()):
            return False
        return path_matches(path, self.path)

    def wanted_method(self) -> str | None:
        """Return the method of the requests that the rule is about; ``None`` means any method."""
        return self.method or self.default_method

    def asked_at(self) -> Stage:
        """Return the stage of the rule."""
        return self.stage


class _Timed(Rule):
    """A rule that applies on arrival, or after the submit was accepted and billed (or, with ``method`` DELETE, done)."""

    after: Literal["request", "accepted"] = "request"

    def asked_at(self) -> Stage:
        return self.after

    def wanted_method(self) -> str | None:
        return self.method or ("POST" if self.after == "accepted" else None)


class StatusFault(_Timed):
    """Answers with the status, headers and body of the rule."""

    kind: Literal["status"]
    status: int = Field(ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError("A header has a character that HTTP does not allow.")
            if name.lower() in ("content-length", "transfer-encoding"):
                raise ValueError(
                    f"The emulator sets {name} itself. For half an answer, use the kind 'truncate'."
                )
        return headers


class DelayFault(_Timed):
    """Waits, then continues normally (other rules may apply too)."""

    kind: Literal["delay"]
    delay_seconds: float = Field(ge=0, le=86_400)


class HoldFault(_Timed):
    """Waits until the control API releases the request, then continues normally."""

    kind: Literal["hold"]


class DropFault(_Timed):
    """Closes the connection without an answer."""

    kind: Literal["drop"]


class HtmlFault(_Timed):
    """Answers 200 with an HTML page, as some gateways do."""

    kind: Literal["html"]
    body: str = (
        "<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Please wait</h1></body></html>"
    )


class ExpiredTokenFault(Rule):
    """Revokes the valid token of the request and answers 401."""

    stage = "credentials"
    kind: Literal["expired_token"]


class _FateRule(Rule):
    """A rule about the end of a task. POST: it changes the submitted task. GET: it changes one answer about a task."""

    default_method = "POST"

    def asked_at(self) -> Stage:
        return "fate" if (self.method or "POST").upper() == "POST" else "view"


class TaskErrorFault(_FateRule):
    """POST: the task ends with the status Error. GET: this answer says so."""

    kind: Literal["task_error"]
    messages: tuple[str, ...] = ("A fault rule of the emulator has made this task fail.",)


class TaskStuckFault(_FateRule):
    """POST: the task never ends. GET: this answer says that it has not ended."""

    kind: Literal["task_stuck"]
    task_status: Literal[TaskStatus.PENDING, TaskStatus.PROCESSING] = TaskStatus.PROCESSING


class TaskSlowFault(Rule):
    """The task takes this time from the start of its work, instead of the option ``task_seconds``."""

    default_method = "POST"
    stage = "fate"
    kind: Literal["task_slow"]
    task_seconds: float = Field(ge=0, allow_inf_nan=False)


class NoResultsFault(_FateRule):
    """POST: the task completes without results. GET: this answer has no results."""

    kind: Literal["no_results"]


class PartialFault(_FateRule):
    """POST: the task completes with PartiallyNotFound, without its last result if it has several. GET: this answer does."""

    kind: Literal["partial"]


class NotExistFault(_FateRule):
    """
    POST: a GET does not find the task at first, as in an eventually consistent cloud. GET: this answer says NotExist.

    The first ``hidden_polls`` GETs about the task (status and fetch) do not find it, and neither do GETs in its first
    ``hidden_seconds``. Without both, the first GET does not find it. A DELETE finds it.
    """

    kind: Literal["not_exist"]
    hidden_polls: int | None = Field(None, ge=0)
    hidden_seconds: float | None = Field(None, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_hiding(self) -> NotExistFault:
        hiding = self.hidden_polls is not None or self.hidden_seconds is not None
        if hiding and self.asked_at() != "fate":
            raise ValueError("hidden_polls and hidden_seconds are for rules about the submit (POST) only.")
        return self


class UnknownStatusFault(Rule):
    """Answers a GET with the ``task_status`` of the rule."""

    default_method = "GET"
    stage = "view"
    kind: Literal["unknown_status"]
    task_status: str = "Paused"


class EscapeBase64Fault(Rule):
    r"""Writes ``+`` and ``/`` in results as ``\u002B`` and ``\/``, which mean the same in JSON."""

    default_method = "GET"
    stage = "results"
    kind: Literal["escape_base64"]


class BadBase64Fault(Rule):
    """Puts a character into every result that is invalid in base64."""

    default_method = "GET"
    stage = "results"
    kind: Literal["bad_base64"]


class ResultTypeFault(Rule):
    """Gives every result another type, for example ``../../evil``."""

    default_method = "GET"
    stage = "results"
    kind: Literal["result_type"]
    result_type: str


class TruncateFault(Rule):
    """Sends half of the body, then closes the connection; with ``chunked`` the answer declares no length."""

    default_method = "GET"
    stage = "answer"
    kind: Literal["truncate"]
    chunked: bool = False


AnyRule = Annotated[
    StatusFault
    | DelayFault
    | HoldFault
    | DropFault
    | HtmlFault
    | ExpiredTokenFault
    | TaskErrorFault
    | TaskStuckFault
    | TaskSlowFault
    | NoResultsFault
    | PartialFault
    | NotExistFault
    | UnknownStatusFault
    | EscapeBase64Fault
    | BadBase64Fault
    | ResultTypeFault
    | TruncateFault,
    Field(discriminator="kind"),
]
RULES: TypeAdapter[list[AnyRule]] = TypeAdapter(list[AnyRule])


@dataclass
class _Armed:
    """An active rule with its counter and its random numbers."""

    rule: AnyRule
    hits: int = 0
    generator: random.Random = field(init=False)

    def __post_init__(self) -> None:
        # Rules of different kinds must not apply to the same requests only because their seeds are equal.
        rule = self.rule
        series = f"{rule.seed} {rule.kind} {rule.asked_at()} {rule.method} {rule.path}"
        self.generator = random.Random(series)  # noqa: S311 - a draw that can be repeated

    @property
    def exhausted(self) -> bool:
        return self.rule.probability is None and self.hits >= (self.rule.count or 1)

    def strikes(self) -> bool:
        """Decide whether the rule applies to one matching request, and count it."""
        if self.exhausted:
            return False
        if self.rule.probability is not None and self.generator.random() >= self.rule.probability:
            return False
        self.hits += 1
        return True


class FaultBook:
    """The active rules, in the order in which they were added."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, rules: Sequence[AnyRule]) -> None:
        """Add rules."""
        self._armed += [_Armed(rule) for rule in rules]

    def hits(self, stage: Stage, method: str, path: str) -> Iterator[AnyRule]:
        """
        Yield the rules that apply to a request at a stage.

        The generator counts a rule when it yields it. If the caller stops, because a rule has ended the request, the rules
        after it are not counted.
        """
        for armed in self._armed:
            if armed.rule.matches(stage, method, path) and armed.strikes():
                yield armed.rule

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rules with ``hits`` and ``exhausted``."""
        return [
            {"rule": armed.rule.model_dump(mode="json"), "hits": armed.hits, "exhausted": armed.exhausted}
            for armed in self._armed
        ]

    def clear(self) -> None:
        """Remove all rules."""
        self._armed.clear()

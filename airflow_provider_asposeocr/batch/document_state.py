"""
What the journal of a batch says about one document and its steps. Pure.

:mod:`.state` makes it from the records of the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.batch.records import Reference, parse_record, record_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class StepState:
    """
    What is known about one step of one document.

    :param submits: How often the document was sent for it, without those that were certainly not accepted.
    :param doubts: How often it was sent although an earlier submit may have been billed. Each was announced.
    :param again: Why the next submit may bill the step twice, see :class:`.records.Intent`; ``None`` = it cannot.
    :param reference: The cloud task; ``None`` = none is known.
    :param over: Whether that cloud task is over without a result, so that the step needs another one.
    :param seconds: How long the cloud task took; ``None`` = it was not watched.
    :param kept: What was stored of its result for people, see :mod:`.kept_steps`; ``None`` = nothing.
    """

    submits: int = 0
    doubts: int = 0
    again: str | None = None
    reference: Reference | None = None
    over: bool = False
    seconds: float | None = None
    kept: Mapping[str, Any] | None = None

    @property
    def task(self) -> Reference:
        """
        The cloud task.

        :raises LookupError: if none is known.
        """
        if self.reference is None:
            raise LookupError("The step has no cloud task.")
        return self.reference

    def to_dict(self) -> dict[str, Any]:
        """Return the state as a JSON object, without what has its default."""
        found: dict[str, Any] = {
            name: value
            for name in ("submits", "doubts", "again", "over", "seconds", "kept")
            if (value := getattr(self, name))
        }
        if self.reference is not None:
            found["reference"] = record_to_dict(self.reference)
        return found

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> StepState:
        """
        Read a state.

        :param value: What :meth:`to_dict` returned.
        """
        reference = parse_record(value["reference"]) if "reference" in value else None
        if reference is not None and not isinstance(reference, Reference):
            raise JournalError("The journal has a snapshot in which a reference is something else.")
        return cls(**{**value, "reference": reference})


@dataclass(slots=True)
class DocumentState:
    """
    What is known about one document.

    :param step: The step that it has come to.
    :param intended: Whether it may have been sent for that step, with no answer in the journal yet.
    :param steps: The states of its steps, up to the present one.
    :param source: What is known about the original document since it was read.
    :param outcome: ``None`` = it is not decided yet.
    :param row: What the manifest says besides, as JSON, which takes a tenth of the memory of a mapping.
    :param error: Why it failed.
    :param last_intent: ``again`` of the last intent; if that is withdrawn, it holds again.
    :param try_number: Airflow's number of the try that decided.
    :param final: Whether no later try sends it again.
    :param epoch: Number of the process that wrote what is known.
    :param key: Its key in the register; ``None`` = it has none, or another document of the batch has the claim.
    :param n: Number of its claim; 0 = the journal knows of none.
    :param closed: Whether nothing is to be done about the claim any more.
    """

    step: int = 0
    intended: bool = False
    steps: list[StepState] = field(default_factory=list)
    source: Mapping[str, Any] | None = None
    outcome: str | None = None
    row: str | None = None
    error: Mapping[str, Any] | None = None
    last_intent: str | None = None
    try_number: int = 0
    final: bool = False
    epoch: int = 0
    key: str | None = None
    n: int = 0
    closed: bool = False

    @property
    def submits(self) -> int:
        """How many cloud tasks were submitted for it."""
        return sum(step.submits for step in self.steps)

    @property
    def doubts(self) -> int:
        """How many of its submits were announced as perhaps billed twice."""
        return sum(step.doubts for step in self.steps)

    @property
    def current(self) -> StepState:
        """The step that it has come to."""
        return self.at(self.step)

    def at(self, step: int) -> StepState:
        """
        Return a step.

        :param step: Its index; steps that were not reached yet are made.
        """
        while len(self.steps) <= step:
            self.steps.append(StepState())
        return self.steps[step]

    @property
    def running(self) -> Reference | None:
        """The cloud task of the current step, unless it is over or not known."""
        if self.intended or not self.steps:
            return None
        current = self.current
        return None if current.over else current.reference

    @property
    def may_run(self) -> bool:
        """Whether it was sent and is not over: a cloud task of it may run, or has a result that is paid for."""
        if self.intended or self.running is not None:
            return True
        return self.step > 0 and not (len(self.steps) > self.step and self.steps[self.step].over)

    @property
    def in_doubt(self) -> bool:
        """Whether an earlier submit of its step may have been billed, and nothing came of it."""
        return self.intended or (bool(self.steps) and self.current.again is not None)

    @property
    def is_left_open(self) -> bool:
        """Whether its claim stays open when its batch ends: what was sent may still run, or may have been billed."""
        # If a failed document may have been billed, its record in the register says so, and the next attempt is announced.
        return self.may_run or (self.in_doubt and self.outcome != "failed")

    @property
    def has_claim(self) -> bool:
        """Whether it may have an open claim of this batch in the register."""
        # With these two outcomes, the register has said that another document or batch has the claim.
        is_others = self.n == 0 and self.outcome in ("duplicate", "busy")
        return self.key is not None and not self.closed and not is_others

    @property
    def is_worth_retry(self) -> bool:
        """Whether it has failed, and a later try may succeed."""
        return self.outcome == "failed" and bool((self.error or {}).get("retryable")) and not self.final

    @property
    def may_have_result(self) -> bool:
        """Whether a later try may succeed with its present cloud task, which is not billed a second time."""
        return self.is_worth_retry and self.running is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the state as a JSON object, without what has its default."""
        names = (
            "step",
            "intended",
            "source",
            "outcome",
            "row",
            "error",
            "last_intent",
            "try_number",
            "final",
            "key",
            "n",
            "closed",
        )
        found: dict[str, Any] = {name: value for name in names if (value := getattr(self, name))}
        found["steps"] = [step.to_dict() for step in self.steps]
        return found

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> DocumentState:
        """
        Read a state.

        :param value: What :meth:`to_dict` returned.
        :raises JournalError: if it is anything else.
        """
        try:
            return cls(**{**value, "steps": [StepState.from_dict(step) for step in value["steps"]]})
        except (KeyError, TypeError) as error:
            raise JournalError(
                f"The journal has a snapshot that this version does not understand ({shown(error)})."
            ) from None

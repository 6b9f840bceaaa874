"""
What the cloud says about a task, and what a fault rule makes of it.

Invariant: pure; every answer about a task is made here from the task's record and an instant, in the shape
``OCRResponse`` of the vendor's OpenAPI document.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.enums import ResponseStatusCode, TaskStatus
from airflow_provider_asposeocr.emulator.cloud.tasks import Fate, Task
from airflow_provider_asposeocr.emulator.control import faults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_asposeocr.emulator.work.jobs import JobResult


@dataclass(frozen=True)
class Answer:
    """
    One ``OCRResponse``.

    :param id: The id that was asked for.
    :param task_status: ``taskStatus``.
    :param code: ``responseStatusCode``.
    :param results: The results; none is ``null``.
    :param messages: ``error.messages``.
    :param warnings: ``error.warnings``.
    :param escaped: Whether base64 is written with JSON escapes.
    :param spoiled: Whether a character is put into the base64 that does not belong there.
    """

    id: str
    task_status: str
    code: str
    results: tuple[JobResult, ...] = ()
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    escaped: bool = False
    spoiled: bool = False

    @property
    def error(self) -> dict[str, list[str] | None] | None:
        """The ``error`` object; not only on failure (vendor's docs)."""
        if not self.messages and not self.warnings:
            return None
        return {"messages": list(self.messages) or None, "warnings": list(self.warnings) or None}


def not_exist(task_id: str) -> Answer:
    """Answer for an id that is unknown, deleted, too old or another account's (its code is inferred)."""
    return Answer(task_id, TaskStatus.NOT_EXIST, ResponseStatusCode.TASK_NOT_FOUND)


def answer_for(task: Task, status: TaskStatus, pending_code: str) -> Answer:
    """
    Answer for a task.

    :param task: The task.
    :param status: Its status at this instant.
    :param pending_code: ``responseStatusCode`` while it has not ended (undocumented).
    """
    if status is TaskStatus.NOT_EXIST:
        return not_exist(task.id)
    if not status.is_terminal:
        return Answer(task.id, status, pending_code)
    if status is TaskStatus.ERROR or task.outcome is None:
        return Answer(task.id, TaskStatus.ERROR, ResponseStatusCode.ERROR, messages=task.failure or ())
    outcome = task.outcome
    code = ResponseStatusCode.OK if outcome.results else ResponseStatusCode.NO_ANY_RESULT_DATA
    answer = Answer(task.id, status, code, outcome.results, outcome.messages, outcome.warnings)
    return with_fate(answer, task.fate)


def with_fate(answer: Answer, fate: Fate | None) -> Answer:
    """
    Change an answer as a fate has it.

    :param answer: The answer without it.
    :param fate: The fate, if there is one; ``NotExist`` is beyond its reach, and only a completed task loses
        results.
    """
    if fate is None or answer.task_status == TaskStatus.NOT_EXIST:
        return answer
    if fate.kind == "stuck":
        return Answer(answer.id, fate.task_status, ResponseStatusCode.NOT_READY)
    if answer.task_status != TaskStatus.COMPLETED:
        return answer
    if fate.kind == "error":
        return Answer(answer.id, TaskStatus.ERROR, ResponseStatusCode.ERROR, messages=fate.messages)
    if fate.kind == "no_results":
        return replace(answer, code=ResponseStatusCode.NO_ANY_RESULT_DATA, results=())
    kept = answer.results[: max(1, len(answer.results) - 1)]
    return replace(answer, code=ResponseStatusCode.PARTIALLY_NOT_FOUND, results=kept)


def without_results(answer: Answer, messages: bool) -> Answer:
    """
    Reduce an answer to what GetTaskStatus tells.

    :param messages: Whether the error object stays (undocumented).
    """
    if messages:
        return replace(answer, results=())
    return replace(answer, results=(), messages=(), warnings=())


def fate_of(rule: faults.AnyRule) -> Fate | None:
    """Return the fate a rule gives to a task, or ``None`` if it gives none."""
    if isinstance(rule, faults.TaskErrorFault):
        return Fate("error", messages=rule.messages)
    if isinstance(rule, faults.TaskStuckFault):
        return Fate("stuck", task_status=rule.task_status)
    if isinstance(rule, faults.NoResultsFault):
        return Fate("no_results")
    if isinstance(rule, faults.PartialFault):
        return Fate("partial")
    return None


def tampered(answer: Answer, rules: Iterable[faults.AnyRule]) -> Answer:
    """
    Change an answer as rules of the stages ``view`` and ``results`` have it.

    :param answer: The answer as it should be.
    :param rules: The rules that hit it.
    """
    for rule in rules:
        if isinstance(rule, faults.UnknownStatusFault):
            answer = replace(answer, task_status=rule.task_status)
        elif isinstance(rule, faults.EscapeBase64Fault):
            answer = replace(answer, escaped=True)
        elif isinstance(rule, faults.BadBase64Fault):
            answer = replace(answer, spoiled=True)
        elif isinstance(rule, faults.ResultTypeFault):
            renamed = tuple(replace(result, type=rule.result_type) for result in answer.results)
            answer = replace(answer, results=renamed)
        elif isinstance(rule, faults.NotExistFault):
            answer = not_exist(answer.id)
        else:
            answer = with_fate(answer, fate_of(rule))
    return answer

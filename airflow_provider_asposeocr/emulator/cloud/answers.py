"""
The answer about a task (``OCRResponse`` in the vendor's OpenAPI document), and the changes that fault rules make to it.

Pure: an answer depends only on the record of the task, its status and the fault rules.
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
    :param spoiled: Whether the base64 contains an invalid character.
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
        """The ``error`` object. According to the vendor's docs, successful tasks may have one, too."""
        if not self.messages and not self.warnings:
            return None
        return {"messages": list(self.messages) or None, "warnings": list(self.warnings) or None}


def not_exist(task_id: str) -> Answer:
    """Make the answer for an id that is unknown, deleted, too old or of another account (``code`` is undocumented)."""
    return Answer(task_id, TaskStatus.NOT_EXIST, ResponseStatusCode.TASK_NOT_FOUND)


def answer_for(task: Task, status: TaskStatus, pending_code: str) -> Answer:
    """
    Make the answer about a task.

    :param task: The task.
    :param status: Its present status.
    :param pending_code: ``responseStatusCode`` of a task that has not ended (undocumented).
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
    Change an answer according to the fate of its task.

    :param answer: The answer without the fate.
    :param fate: The fate, or ``None``. It does not change ``NotExist``, and only completed tasks lose results.
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
    Return the answer of GetTaskStatus: the same without results.

    :param messages: Whether the answer keeps its error object (undocumented).
    """
    if messages:
        return replace(answer, results=())
    return replace(answer, results=(), messages=(), warnings=())


def fate_of(rule: faults.AnyRule) -> Fate | None:
    """Return the fate that a rule gives to a task, or ``None`` if the rule gives none."""
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
    Apply rules of the stages ``view`` and ``results`` to an answer.

    :param answer: The correct answer.
    :param rules: The rules that apply to it.
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

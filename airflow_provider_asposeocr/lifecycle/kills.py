"""
What to do with the cloud task when a worker process or a trigger ends.

Invariant: the cloud task is cancelled when a user has ended the Airflow task or when no retry will continue with it. It
is not cancelled because a machine goes away. A signal and a trigger's kill hook look the same in both cases, so
Airflow's state of the task decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.responses import TaskRef

#: States of an Airflow task that has ended, for example because a user has ended it.
ENDED = frozenset({"failed", "success", "skipped", "upstream_failed", "removed"})
#: States after a user's Clear, before the new attempt begins.
CLEARED = frozenset({None, "restarting", "scheduled", "queued"})
# All others (running, deferred, up for retry) mean that this process was lost or replaced, not the task.

KillDecision = Literal["cancel", "leave", "ask about origin"]


def own_state(task_states: dict[str, Any], run_id: str, task_id: str, map_index: int | None) -> str | None:
    """
    Read Airflow's answer to the question for the state of one task instance.

    :param task_states: States by run and by task, a mapped task with its index.
    :param run_id: The run.
    :param task_id: The task.
    :param map_index: Its index; negative or ``None`` = not mapped.
    :return: For example ``deferred``; ``None`` where it has none.
    """
    key = task_id if map_index is None or map_index < 0 else f"{task_id}_{map_index}"
    state = task_states.get(run_id, {}).get(key)
    return None if state is None else str(state)


def is_origin(ti: Any, ref: TaskRef) -> bool:
    """
    Tell whether a task instance is the one that submitted a cloud task.

    :param ti: The task instance.
    :param ref: The cloud task.
    """
    own = (ti.dag_id, ti.run_id, ti.task_id, map_index_of(ti.map_index))
    return own == (ref.dag_id, ref.run_id, ref.task_id, map_index_of(ref.map_index))


def map_index_of(value: Any) -> int:
    """
    Return the number of a mapped task instance.

    :param value: As Airflow or a task reference has it; ``None`` = not mapped.
    :return: The number; -1 = not mapped.
    """
    return value if isinstance(value, int) else -1


def decide_after_kill(state: str | None, ref: TaskRef, *, owns: bool, comes_back: bool) -> KillDecision:
    """
    Decide about the cloud task of a process that is being ended.

    :param state: Airflow's state of the task now.
    :param ref: The cloud task.
    :param owns: Whether the task has submitted the cloud task; a new attempt of another one only waits for it again.
    :param comes_back: Whether a later try would find the cloud task.
    """
    if state in ENDED:
        return "cancel"
    if state not in CLEARED:
        return "leave" if comes_back else "cancel"
    if owns:
        return "cancel"
    # What was submitted outside of Airflow's tasks is not cleared with them.
    return "ask about origin" if ref.task_id else "leave"


def decide_by_origin(state: str | None) -> KillDecision:
    """
    Decide about the cloud task of a consumer that was cleared.

    :param state: Airflow's state of the task that submitted it.
    :return: ``cancel`` where that one was cleared too and submits anew.
    """
    return "leave" if state == "success" else "cancel"


def decide_for_batch(state: str | None, *, in_triggerer: bool) -> KillDecision:
    """
    Decide about the cloud tasks of a batch whose process or trigger is being ended, and which has a try left.

    A batch is woken while most of its cloud tasks run, so that in the triggerer ``scheduled`` and ``queued`` may also mean
    that another triggerer has woken it. If they come from a Clear, the new attempt finds the batch's journal and cancels
    what runs.

    :param state: Airflow's state of the task now.
    :param in_triggerer: Whether the batch is deferred, as far as is known here.
    :return: ``cancel`` or ``leave``.
    """
    cleared = CLEARED - {"scheduled", "queued"} if in_triggerer else CLEARED
    return "cancel" if state in ENDED or state in cleared else "leave"

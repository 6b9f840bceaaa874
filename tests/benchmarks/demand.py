"""
Compute what an installation needs for a number of documents a day.

Invariant: pure arithmetic on measured costs; every factor that is assumed has a name, and :func:`page` says its value
above the table, so that what the docs say is what was computed with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Assumptions:
    """
    What is assumed of the cloud and of the day.

    :param cloud_seconds: How long a cloud task takes.
    :param waits: Waits in a triggerer per document.
    :param polls: Polls per wait in a triggerer.
    :param peak: Busiest hour by the mean of the day.
    :param capacity: Triggers per triggerer, Airflow's ``[triggerer] capacity``.
    :param load: Share of a core up to which the polls of one triggerer load it.
    """

    cloud_seconds: float = 20.0
    waits: int = 3
    polls: float = 3.0
    peak: float = 3.0
    capacity: int = 1000
    load: float = 0.5

    def __str__(self) -> str:
        waits = f"{self.waits} waits in triggerers per document, of {self.polls:g} polls each"
        return (
            f"Assumed: cloud tasks of {self.cloud_seconds:g} s; "
            f"{waits if self.waits else 'no waits in triggerers'}; "
            f"a busiest hour of {self.peak:g} times the mean of the day; `[triggerer] capacity` of {self.capacity:,}; "
            f"polls that keep {self.load:.0%} of a core busy in one triggerer at most."
        )


@dataclass(frozen=True)
class Costs:
    """
    What a document costs, as measured.

    :param tasks: Airflow tasks.
    :param polls: Status requests, of task processes and triggerer.
    :param slot_seconds: Time in task slots.
    :param worker_cpu_seconds: CPU of the task processes.
    :param airflow_cpu_seconds: CPU of API server, scheduler and triggerer.
    :param process_bytes: Resident memory of one task process.
    :param rows: Rows that stay in the metadata database.
    :param poll_cpu_seconds: CPU of one poll in the triggerer.
    :param wait_bytes: Memory of one wait in the triggerer.
    """

    tasks: float
    polls: float
    slot_seconds: float
    worker_cpu_seconds: float
    airflow_cpu_seconds: float
    process_bytes: float
    rows: float
    poll_cpu_seconds: float
    wait_bytes: float


@dataclass(frozen=True)
class Demand:
    """
    What is needed in the busiest hour.

    :param documents_per_day: Number of documents.
    :param tasks_per_second: Airflow tasks begun.
    :param polls_per_second: Status requests to the cloud, from triggerers and workers.
    :param waits_at_once: Triggers that wait.
    :param triggerer_polls_per_second: Status requests of the triggers.
    :param poll_cores: CPU cores that these keep busy.
    :param triggerers: Triggerer processes: the larger of what the waits need and what the polls need, and one to spare.
    :param waits_per_triggerer: Waits of each of them.
    :param triggerer_bytes: Memory of all waits.
    :param slots: Task slots occupied.
    :param process_bytes: Memory of the task processes in them.
    :param worker_cores: CPU cores that task processes keep busy.
    :param airflow_cores: The same for Airflow's components.
    :param rows_per_day: Rows that the metadata database grows by.
    """

    documents_per_day: float
    tasks_per_second: float
    polls_per_second: float
    waits_at_once: float
    triggerer_polls_per_second: float
    poll_cores: float
    triggerers: int
    waits_per_triggerer: float
    triggerer_bytes: float
    slots: float
    process_bytes: float
    worker_cores: float
    airflow_cores: float
    rows_per_day: float


def demand(documents_per_day: float, costs: Costs, assumed: Assumptions) -> Demand:
    """
    Extrapolate linearly; by Little's law what is there at once is what comes per second times how long it stays.

    :param documents_per_day: How many documents.
    :param costs: What one costs.
    :param assumed: What is assumed.
    """
    per_second = documents_per_day / DAY_SECONDS * assumed.peak
    waits = per_second * assumed.waits * assumed.cloud_seconds
    triggerer_polls = per_second * assumed.waits * assumed.polls
    poll_cores = triggerer_polls * costs.poll_cpu_seconds
    triggerers = max(math.ceil(waits / assumed.capacity), math.ceil(poll_cores / assumed.load)) + 1
    slots = per_second * costs.slot_seconds
    return Demand(
        documents_per_day=documents_per_day,
        tasks_per_second=per_second * costs.tasks,
        polls_per_second=per_second * costs.polls,
        waits_at_once=waits,
        triggerer_polls_per_second=triggerer_polls,
        poll_cores=poll_cores,
        triggerers=triggerers,
        waits_per_triggerer=waits / triggerers,
        triggerer_bytes=waits * costs.wait_bytes,
        slots=slots,
        process_bytes=slots * costs.process_bytes,
        worker_cores=per_second * costs.worker_cpu_seconds,
        airflow_cores=per_second * costs.airflow_cpu_seconds,
        rows_per_day=documents_per_day * costs.rows,
    )


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}"


def render(demands: Iterable[Demand], capacity: int) -> str:
    """
    Render a table with one column per number of documents.

    :param demands: The columns.
    :param capacity: Triggers per triggerer.
    """
    columns = list(demands)
    lines: list[tuple[str, list[float]]] = [
        ("documents a day", [each.documents_per_day for each in columns]),
        ("Airflow tasks per second", [each.tasks_per_second for each in columns]),
        ("polls per second, task processes included", [each.polls_per_second for each in columns]),
        ("polls per second in triggerers", [each.triggerer_polls_per_second for each in columns]),
        ("cores busy with polls in triggerers", [each.poll_cores for each in columns]),
        ("waits in triggerers at once", [each.waits_at_once for each in columns]),
        ("triggerers, one to spare", [each.triggerers for each in columns]),
        (f"waits per triggerer, which takes {capacity:,}", [each.waits_per_triggerer for each in columns]),
        ("memory of all waits, MiB", [each.triggerer_bytes / 2**20 for each in columns]),
        ("task slots", [each.slots for each in columns]),
        ("memory of task processes, GiB", [each.process_bytes / 2**30 for each in columns]),
        ("cores busy with task processes", [each.worker_cores for each in columns]),
        ("cores busy with Airflow's components", [each.airflow_cores for each in columns]),
        ("database rows a day", [each.rows_per_day for each in columns]),
    ]
    head, *rest = [f"| {name} | " + " | ".join(map(_number, values)) + " |" for name, values in lines]
    return "\n".join([head, "|---|" + "---|" * len(columns), *rest])


def page(title: str, costs: Costs, assumed: Assumptions, documents: Iterable[float]) -> str:
    """
    Render a table with what it was computed from.

    :param title: What it is of.
    :param costs: What a document costs.
    :param assumed: What is assumed.
    :param documents: One column per number of documents a day.
    """
    counted = (
        f"Measured: {costs.polls:.3g} polls per document, {costs.process_bytes / 2**20:,.0f} MiB resident per task "
        "process, and the costs in the rows of `scale` and `triggerer` above."
    )
    table = render((demand(number, costs, assumed) for number in documents), assumed.capacity)
    return "\n\n".join([title, f"{assumed} {counted}", table])

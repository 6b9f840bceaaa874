"""
The cloud tasks that a batch waits for, in the form of a trigger's row.

Invariant: a row is plain text in the metadata database, so it holds ids and times and nothing of the documents. It is as
small as it can be, because MySQL takes 64 KB and an Airflow that encrypts it makes it a third longer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_asposeocr.api.errors import InputError, WaitError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Largest row of the cloud tasks as JSON. A thousand tasks whose ids are GUIDs take 37 KB at most.
LARGEST_ROW_BYTES = 40_000
#: Most cloud tasks in a row that is believed: ``max_in_flight`` allows no more.
MOST_TASKS = 1_000
#: The form in which the cloud writes ids today. In another form an id is kept as it is.
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GUID_BYTES = 16


@dataclass(frozen=True)
class RunningTask:
    """
    One cloud task that a batch waits for.

    :param ref: Its reference.
    :param seen_running_at: When it was last seen running, in seconds since the epoch; 0, the default, = not yet.
    """

    ref: TaskRef
    seen_running_at: float = 0.0


def pack(tasks: Sequence[RunningTask]) -> dict[str, Any]:
    """
    Write cloud tasks for a trigger's row.

    :param tasks: At least one, all of one connection.
    :return: Plain JSON: ``conn_id``; the names of the ``operations``; ``submitted_at``, the earliest submit in seconds
        since the epoch; and one number per task, in the order of the tasks and divided by blanks: ``operation``, its place
        among the operations; ``after``, tenths of a second from the earliest submit to its own; ``seen``, the age in
        seconds at which it was seen running. The ids are ``guids``, base64 of 16 bytes each, or a list in ``ids``.
    """
    refs = [task.ref for task in tasks]
    operations = sorted({ref.operation for ref in refs})
    began = min(ref.submitted_epoch for ref in refs)
    return {
        "conn_id": refs[0].conn_id,
        "operations": operations,
        "submitted_at": began,
        "operation": _written(operations.index(ref.operation) for ref in refs),
        "after": _written(round(10 * (ref.submitted_epoch - began)) for ref in refs),
        "seen": _written(
            max(0, int(task.seen_running_at - task.ref.submitted_epoch)) if task.seen_running_at else 0
            for task in tasks
        ),
        **_packed_ids([ref.id for ref in refs]),
    }


def unpack(row: Any) -> list[RunningTask]:
    """
    Read cloud tasks from a trigger's row.

    :param row: What :func:`pack` returned.
    :return: The tasks in their order.
    :raises WaitError: if it is anything else; the message says what is wrong with it.
    """
    try:
        ids = _unpacked_ids(row)
        operations, began = row["operations"], float(row["submitted_at"])
        columns = [_read(row[name]) for name in ("operation", "after", "seen")]
        if not 0 < len(ids) <= MOST_TASKS:
            raise ValueError(f"it has {len(ids)} cloud tasks")
        return [
            _task(row["conn_id"], operations[operation], id, began + after / 10, seen)
            for id, operation, after, seen in zip(ids, *columns, strict=True)
        ]
    except InputError as error:
        raise _no_row(error.message) from None
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, OSError) as error:
        raise _no_row(f"{type(error).__name__}: {shown(error)}") from None


def fits_row(row: dict[str, Any]) -> bool:
    """
    Tell whether a trigger may be given this many cloud tasks; if not, the batch waits in its worker.

    :param row: What :func:`pack` returned.
    """
    return len(json.dumps(row)) <= LARGEST_ROW_BYTES


def digest_of(refs: Sequence[TaskRef]) -> str:
    """
    Fingerprint cloud tasks and their order, so that a trigger's event is not read against other ones.

    :param refs: The tasks.
    :return: 16 hex digits.
    """
    return hashlib.sha256("\n".join(ref.id for ref in refs).encode()).hexdigest()[:16]


def _written(numbers: Iterator[int]) -> str:
    return " ".join(map(str, numbers))


def _read(text: str) -> list[int]:
    return [int(number) for number in text.split(" ")]


def _packed_ids(ids: list[str]) -> dict[str, Any]:
    if not all(_GUID.fullmatch(id) for id in ids):
        return {"ids": ids}
    packed = b"".join(UUID(id).bytes for id in ids)
    return {"guids": base64.urlsafe_b64encode(packed).decode()}


def _unpacked_ids(row: Any) -> list[str]:
    if "ids" in row:
        return list(row["ids"])
    packed = base64.b64decode(row["guids"], altchars=b"-_", validate=True)
    return [str(UUID(bytes=packed[at : at + _GUID_BYTES])) for at in range(0, len(packed), _GUID_BYTES)]


def _task(conn_id: str, operation: str, id: str, submitted_at: float, seen_seconds: int) -> RunningTask:
    ref = parse_task_ref(
        {
            "conn_id": conn_id,
            "operation": operation,
            "id": id,
            "submitted_at": datetime.fromtimestamp(submitted_at, UTC),
        }
    )
    return RunningTask(ref, submitted_at + seen_seconds if seen_seconds else 0.0)


def _no_row(why: str) -> WaitError:
    return WaitError(f"The trigger's row of a batch cannot be read: {why}.")

"""
The control API of the emulator, under ``/_emulator/``.

Invariant: it answers only programs on this machine, and no answer contains a secret, a token, a header or a document.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_asposeocr.emulator.control.faults import AnyRule  # noqa: TC001 - FastAPI reads annotations
from airflow_provider_asposeocr.emulator.control.paths import path_matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.api.enums import TaskStatus
    from airflow_provider_asposeocr.emulator.cloud.tasks import Task
    from airflow_provider_asposeocr.emulator.control.journal import Entry
    from airflow_provider_asposeocr.emulator.emulation import Emulation

PREFIX = "/_emulator"
DESCRIPTION = (
    "With this API, tests read the requests that the emulated cloud has received, and change its answers. It answers only "
    "programs on this machine, needs no token, and refuses requests from web pages."
)


_N = "number of one request in the journal; by default all held requests"


class Advance(BaseModel):
    """Body of ``POST clock``."""

    model_config = ConfigDict(extra="forbid")
    advance_seconds: float = Field(ge=0, allow_inf_nan=False, description="seconds to add")


def is_loopback(host: str | None) -> bool:
    """Return whether a host name or address is a loopback one."""
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names_loopback(request: Request) -> bool:
    try:
        return is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname)
    except ValueError:
        return False


async def _local_only(request: Request) -> None:
    """Refuse other machines, and web pages on this machine, which send another ``Host`` or an ``Origin``."""
    client = request.client.host if request.client else None
    if not is_loopback(client) or not _names_loopback(request) or "origin" in request.headers:
        raise HTTPException(403, "The control API answers only programs on this machine.")


def _filter(method: str | None, path: str | None, answered: bool, held: bool) -> Callable[[Entry], bool]:
    """Make the filter of ``GET journal``; ``None`` means any value."""

    def wanted(entry: Entry) -> bool:
        if method is not None and entry.method != method.upper():
            return False
        if (answered and not entry.answered) or (held and not entry.held):
            return False
        return path is None or path_matches(entry.path, path)

    return wanted


def _task_as_json(task: Task, status: TaskStatus, now: float) -> dict[str, Any]:
    finished_at = task.finished_at
    return {
        "id": task.id,
        "operation": task.operation,
        "account": task.account,
        "input_sha256": task.digest,
        "status": status,
        "submitted_at": task.submitted_at,
        "finished_at": finished_at if finished_at is not None and finished_at <= now else None,
        "deleted": task.deleted,
        "id_sent": task.id_sent,
    }


def emulation_of(request: Request) -> Emulation:
    """Return the state of the emulator that has received a request."""
    emulation: Emulation = request.app.state.emulation
    return emulation


#: The routes. All emulators of a process share them, because FastAPI takes about 12 ms of CPU to make them.
ROUTER = APIRouter(prefix=PREFIX, dependencies=[Depends(_local_only)])


@ROUTER.get("/journal")
async def journal(
    request: Request,
    since: Annotated[int, Query(description="only entries after this number")] = 0,
    method: Annotated[str | None, Query(description="only this HTTP method")] = None,
    path: Annotated[str | None, Query(description="glob on the path after /v5.0/ocr")] = None,
    answered: Annotated[bool, Query(description="only requests that were answered")] = False,
    held: Annotated[bool, Query(description="only requests that a rule holds now")] = False,
    count: Annotated[int, Query(ge=1, description="number of requests to wait for")] = 1,
    wait_seconds: Annotated[float, Query(ge=0, le=600, description="longest wait, in seconds")] = 0,
) -> list[dict[str, Any]]:
    """Return the requests that the cloud's paths have received, or wait for further ones."""
    wanted = _filter(method, path, answered, held)
    entries = await emulation_of(request).journal.wait_for(since, wanted, count, wait_seconds)
    return [entry.as_json() for entry in entries]


@ROUTER.get("/billing")
async def billing(request: Request) -> dict[str, int]:
    """Return the accepted submits per operation, which is what the cloud would have billed."""
    return emulation_of(request).billing.as_json()


@ROUTER.get("/tasks")
async def tasks(request: Request) -> list[dict[str, Any]]:
    """Return every task younger than the retention."""
    emulation = emulation_of(request)
    now = emulation.clock.now()
    return [_task_as_json(task, emulation.tasks.status(task), now) for task in emulation.tasks]


@ROUTER.get("/clock")
async def clock(request: Request) -> dict[str, float]:
    """Return the emulator's time, and the seconds by which it is ahead of real time."""
    its = emulation_of(request).clock
    return {"now": its.now(), "advanced_seconds": its.advanced_seconds}


@ROUTER.post("/clock")
async def advance_clock(request: Request, body: Advance) -> dict[str, float]:
    """Move the clock forward. Retention, expiry of tokens, lock-outs and durations of tasks follow it."""
    emulation = emulation_of(request)
    emulation.clock.advance(body.advance_seconds)
    emulation.tasks.sweep()
    emulation.save_counters()
    return await clock(request)


@ROUTER.get("/faults")
async def faults(request: Request) -> list[dict[str, Any]]:
    """Return the active rules: how often each has applied, and whether its count is exhausted."""
    return emulation_of(request).faults.as_json()


@ROUTER.post("/faults")
async def add_faults(request: Request, rules: list[AnyRule]) -> list[dict[str, Any]]:
    """Add rules: all of them, or none if one is invalid (422). Return all active rules."""
    book = emulation_of(request).faults
    book.add(rules)
    return book.as_json()


@ROUTER.delete("/faults")
async def clear_faults(request: Request) -> dict[str, str]:
    """Remove all rules, and release the requests that they hold."""
    emulation = emulation_of(request)
    emulation.faults.clear()
    emulation.held_requests.release()
    return {}


@ROUTER.post("/release")
async def release(request: Request, n: Annotated[int | None, Query(description=_N)] = None) -> dict[str, int]:
    """Release held requests. Return their number."""
    return {"released": emulation_of(request).held_requests.release(n)}


@ROUTER.post("/reset")
async def reset(request: Request) -> dict[str, str]:
    """Delete tasks, journal, billing, rules, tokens and lock-outs, and set the clock to real time."""
    emulation_of(request).reset()
    return {}

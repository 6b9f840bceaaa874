"""
What is done to a batch in a case of the failure table.

Invariant: as of :mod:`.failure_cases`.
"""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from airflow_provider_asposeocr.batch.parts import PartName, parse_part
from tests.failures.failure_cases import STEP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.failures.failure_cases import Case

NO_MONEY = {"kind": "status", "status": 402, "method": "POST", "path": "*Image", "probability": 1}
#: A little more than the cloud keeps tasks.
DAY_SECONDS = 25 * 3600
#: The documents after the first :data:`QUICK` are slow, and the first :data:`SOON` of those not quite as slow. The last rule
#: that applies to a submit counts.
QUICK, SOON, SOONER_SECONDS = 5, 2, 50
QUICK_ONES = {"kind": "task_slow", "task_seconds": 0, "count": QUICK}
SOONER_ONES = {"kind": "task_slow", "task_seconds": SOONER_SECONDS, "count": QUICK + SOON}


def _folder(case: Case, name: str) -> Path:
    return Path(urlsplit(case.conf[name]).path)


def _journal(case: Case) -> Path:
    (folder,) = _folder(case, "state").glob("batches/*/*/")
    return folder


def _parts(case: Case) -> list[Path]:
    """Return the parts of the journal but the one that has its header, in their order."""
    return sorted(_journal(case).glob("*.jsonl"))


def kill_in_submit_of_one(case: Case) -> None:
    """SIGKILL while the cloud holds back the answer to one document, and the journal has the cloud tasks of all others."""
    case.cloud.wait_for_request("POST", "BinarizeImage", timeout_seconds=STEP_SECONDS, held=True)
    case.wait_until_it_waits()
    case.signal_process(case.submitter, signal.SIGKILL)
    case.cloud.clear_faults()
    case.finish()


def kill_and_delete_the_journal(case: Case) -> None:
    """SIGKILL, and the journal is gone before the retry looks for it."""
    case.wait_until_it_waits()
    case.signal_process(case.waiter, signal.SIGKILL)
    shutil.rmtree(_journal(case))
    case.wait_for_run()


def kill_and_cut_off_the_journal(case: Case) -> None:
    """SIGKILL, and a part in the middle of the journal is half as long before the retry reads it."""
    case.wait_until_it_waits()
    case.signal_process(case.waiter, signal.SIGKILL)
    first, *_ = _parts(case)
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    case.wait_for_run()


def kill_and_write_as_another_version(case: Case) -> None:
    """SIGKILL, and a later version of the provider has written a part of the journal."""
    case.wait_until_it_waits()
    case.signal_process(case.waiter, signal.SIGKILL)
    part = _parts(case)[-1]
    part.write_bytes(part.read_bytes().replace(b'"schema_version":1', b'"schema_version":999', 1))
    case.wait_for_run()


def kill_with_half_a_line(case: Case) -> None:
    """SIGKILL, and what the process wrote at that moment is half a line of the next part."""
    case.wait_until_it_waits()
    case.signal_process(case.waiter, signal.SIGKILL)
    last = _parts(case)[-1]
    epoch, sequence, writer = last.stem.split("-")
    following = last.with_name(f"{epoch}-{int(sequence) + 1:06}-{writer}.jsonl")
    following.write_bytes(last.read_bytes().partition(b"\n")[0][:100])
    case.wait_for_next_try("running")
    case.finish()


def store_refuses_the_journal(case: Case) -> None:
    """A file is where the journal was, until the first try has failed of that and a user has put the journal back."""
    case.wait_until_it_waits()
    journal = _journal(case)
    away = journal.with_name("away")
    journal.rename(away)
    journal.write_text("in the way")
    billed = case.cloud.billing()
    case.let_the_cloud_finish()
    case.wait_until(lambda: case.state == "up_for_retry", "the try has failed of its journal")
    assert case.cloud.billing() == billed, "It has submitted something that no journal has."
    journal.unlink()
    away.rename(journal)
    case.finish()


def a_day_passes(case: Case) -> None:
    """
    SIGKILL, and the retry comes a day later.

    The cloud's clock is moved. The worker's cannot be, so the journal says that all was submitted a day earlier.
    """
    case.wait_until_it_waits()
    # Suspended first: no process reads the journal while it is written anew.
    case.signal_process(case.waiter, signal.SIGSTOP)
    for path in _parts(case):
        name = PartName.parse(path.name)
        assert name is not None
        part = parse_part(name, path.read_bytes())
        path.write_bytes(replace(part, records=[_a_day_older(record) for record in part.records]).to_bytes())
    case.cloud.advance_clock(DAY_SECONDS)
    case.signal_process(case.waiter, signal.SIGKILL)
    case.finish()


def _a_day_older(record: Mapping[str, Any]) -> dict[str, Any]:
    if "submitted_at" not in record:
        return dict(record)
    return {**record, "submitted_at": record["submitted_at"] - DAY_SECONDS}


def suspend_until_a_retry_runs(case: Case) -> None:
    """SIGSTOP of the process and of its supervisor; when the retry goes on with the batch, the first process does, too."""
    case.wait_until_it_waits()
    pid = case.task_instance["pid"]
    suspended = [psutil.Process(pid).ppid(), pid]
    for each in suspended:
        os.kill(each, signal.SIGSTOP)
    try:
        case.wait_for_next_try("running")
        case.wait_until(
            lambda: len(list(_journal(case).glob("epochs/*.jsonl"))) > 1, "the retry has the journal"
        )
    finally:
        for each in suspended:
            os.kill(each, signal.SIGCONT)
    case.finish()


def _set_slots(case: Case, slots: int) -> None:
    """Change the slots of the pool that only this case has."""
    body = {"pool": case.variant, "slots": slots, "include_deferred": False}
    case.rest.request("PATCH", f"/pools/{case.variant}", params={"update_mask": "slots"}, json=body)


def _wait_until_woken_without_a_slot(case: Case) -> None:
    """Return when the trigger has fired and the worker cannot start, because a user has taken the slots of its pool."""
    case.rest.post("/pools", {"name": case.variant, "slots": 1})
    case.wait_until_it_waits()
    _set_slots(case, 0)
    case.cloud.advance_clock(SOONER_SECONDS)
    case.wait_until(lambda: case.state == "scheduled", "the trigger has fired")


def fail_it_between_event_and_worker(case: Case) -> None:
    """Mark the task failed when its trigger has fired and no worker has started."""
    _wait_until_woken_without_a_slot(case)
    case.rest.set_task_state(case.dag_id, case.run_id, case.waiter, "failed")
    case.wait_for_run()


def clear_between_event_and_worker(case: Case) -> None:
    """Clear the task when its trigger has fired and no worker has started; then there is a slot for the new attempt."""
    _wait_until_woken_without_a_slot(case)
    case.clear(case.waiter)
    _set_slots(case, 1)
    case.wait_for_cancels()
    case.finish()


def destination_refuses_once(case: Case) -> None:
    """A file is where the folder of the results was; when the first try has failed, a user puts the folder back."""
    case.wait_until_it_waits()
    outbox = _folder(case, "outbox")
    # The batch has written into it where its state folder is.
    aside = outbox.rename(outbox.with_name("aside"))
    outbox.write_text("in the way")

    def has_failed() -> bool:
        case.let_the_cloud_finish()
        return case.state == "up_for_retry"

    case.wait_until(has_failed, "the first try has failed")
    outbox.unlink()
    aside.rename(outbox)
    case.finish()


def quota_is_used_up(case: Case) -> None:
    """Every submit is refused for want of money from the moment on when the first documents run."""
    case.wait_until_it_waits()
    case.cloud.add_faults(NO_MONEY)
    case.finish()


def let_it_finish(case: Case) -> None:
    case.finish()

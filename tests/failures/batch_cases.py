"""
What is done to a batch in a case of the failure table.

Invariant: as of :mod:`.failure_cases`.
"""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.failures.failure_cases import LOOK_EVERY_SECONDS, STEP_SECONDS

if TYPE_CHECKING:
    from tests.failures.failure_cases import Case

NO_MONEY = {"kind": "status", "status": 402, "method": "POST", "path": "*Image", "probability": 1}


def _folder(case: Case, name: str) -> Path:
    return Path(urlsplit(case.conf[name]).path)


def _journal(case: Case) -> Path:
    (folder,) = _folder(case, "state").glob("batches/*/*/")
    return folder


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
    first, *_ = sorted(_journal(case).glob("*.jsonl"))
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    case.wait_for_run()


def destination_refuses_once(case: Case) -> None:
    """A file is where the folder of the results would be; when the first try has failed, a user removes it."""
    case.wait_until_it_waits()
    outbox = _folder(case, "outbox")
    outbox.parent.mkdir(exist_ok=True, parents=True)
    outbox.write_text("in the way")
    deadline = time.monotonic() + STEP_SECONDS
    while case.rest.task_instance(case.dag_id, case.run_id, case.waiter)["state"] != "up_for_retry":
        case.let_the_cloud_finish()
        if time.monotonic() > deadline:
            raise TimeoutError("The first try has not failed.")
        time.sleep(LOOK_EVERY_SECONDS)
    outbox.unlink()
    case.finish()


def quota_is_used_up(case: Case) -> None:
    """Every submit is refused for want of money from the moment on when the first documents run."""
    case.wait_until_it_waits()
    case.cloud.add_faults(NO_MONEY)
    case.finish()


def let_it_finish(case: Case) -> None:
    case.finish()

"""
The chain's steps with the vendor's SDK 24.11.0, as a user writes them into a ``@task``.

Invariant: the SDK sees the best case: it is imported into the task's own process, from its environment's folder behind
Airflow's packages, so that no second interpreter starts; and it polls at our shortest interval from begin to end, which is
more often than our operators poll in a worker.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_asposeocr.api.polling.plan import Cadence
from tests.benchmarks.measuring import CHECKOUT
from tests.contract.make_sdk_environments import interpreter, is_complete

RELEASE = "24.11.0"
#: Our default of ``poll_interval_seconds``; the module is loaded anyway, with the operators of the same DAG file. The
#: SDK's README shows no loop at all: its example asserts that the task is done.
POLL_SECONDS = Cadence.poll_interval_seconds
CLIENT = "emulator"


def packages() -> Path:
    """
    Find the packages of the SDK's environment.

    :raises RuntimeError: if there is none.
    """
    folder = Path(os.environ.get("ASPOSE_OCR_SDK_ENVIRONMENTS") or CHECKOUT / ".env-sdk")
    if not is_complete(folder, RELEASE):
        raise RuntimeError(
            f"There is no environment with aspose-ocr-cloud {RELEASE}: run `make contract` once."
        )
    return next(interpreter(folder, RELEASE).parents[1].glob("lib/python*/site-packages"))


def _driver() -> Any:
    sys.path.append(str(packages()))
    from tests.contract import sdk_driver

    return sdk_driver


def _downloaded(driver: Any, url: str, token: str, upstream: dict[str, str]) -> list[bytes]:
    method = getattr(
        driver.api(upstream["operation"], url, token), f"get_{driver.snake(upstream['operation'])}"
    )
    return [base64.b64decode(result.data) for result in method(id=upstream["id"]).results]


def step(url: str, operation: str, scan: str, upstream: dict[str, str] | None) -> dict[str, str]:
    """
    Submit and wait in the worker.

    :param url: The cloud.
    :param operation: Name of the operation.
    :param scan: File that the first step reads.
    :param upstream: What the step before returned, if there was one.
    :return: Operation and id of the cloud task.
    :raises RuntimeError: if it failed.
    """
    driver = _driver()
    token = driver.documented_token(url, CLIENT, CLIENT)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(scan)
        if upstream is not None:
            source = Path(folder, "upstream")
            source.write_bytes(_downloaded(driver, url, token, upstream)[0])
        id = str(driver.submit(url, token, operation, str(source), {}))
    utilities = driver.api("Utilities", url, token)
    while (status := str(utilities.get_task_status(id=id).task_status.value)) in ("Pending", "Processing"):
        time.sleep(POLL_SECONDS)
    if status != "Completed":
        raise RuntimeError(f"{operation} {id} is {status}")
    return {"operation": operation, "id": id}


def fetch(url: str, upstream: dict[str, str], outbox: str) -> str:
    """
    Write the results.

    :param url: The cloud.
    :param upstream: What the last step returned.
    :param outbox: URI of a folder on this machine.
    :return: The folder.
    """
    driver = _driver()
    token = driver.documented_token(url, CLIENT, CLIENT)
    folder = Path(urlsplit(outbox).path)
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(_downloaded(driver, url, token, upstream)):
        Path(folder, f"result-{number}.txt").write_bytes(content)
    return outbox

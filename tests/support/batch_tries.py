"""
Whole tries of a batch, in processes that die at a chosen step: the operator's own code, and a folder in place of Airflow.

A step is what changes something outside of the process: a file that appears, is replaced or goes, or a submit. The state
store, the XCom and the note of a success are files, so that they are steps, too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.batch.journal import delete_journal
from airflow_provider_asposeocr.batch.opening import BatchRequest
from airflow_provider_asposeocr.batch.register_policies import RegisterPolicies
from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.batch.tripwire import Tripwire
from airflow_provider_asposeocr.batch.woken import Woken
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.operators.batch_try import BatchEnd, BatchTry, TryEnvironment
from tests.support.batch_engine import CREDENTIALS, QUICKLY
from tests.support.cadences import with_cadence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_asposeocr.batch.steps import Step

MAX_TRIES = 1
#: The steps that were done, one a line: a function of ``os`` and its last argument, ``submit`` or ``answer``.
STEPS_DONE = "steps.txt"


def write_at_once(path: Path, content: str) -> None:
    """Write a file that is there as a whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.write_text(content)
    os.replace(temporary, path)


class FileStore:
    """
    A ``task_state_store`` that other processes see, too.

    :param path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        return self._all().get(key, default)

    def set(self, key: str, value: Any, **_: Any) -> None:
        self._write({**self._all(), key: value})

    def delete(self, key: str) -> None:
        self._write({name: value for name, value in self._all().items() if name != key})

    def _all(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._path.read_bytes()) if self._path.exists() else {}
        return found

    def _write(self, content: dict[str, Any]) -> None:
        write_at_once(self._path, json.dumps(content))


def request_in(folder: Path, base: str, steps: tuple[Step, ...]) -> BatchRequest:
    """Return what each try is asked for: documents in ``in`` of a local folder, results and state below a URI."""
    return BatchRequest(
        sources=f"{folder}/in/",
        steps=steps,
        destination=f"{base}/out/",
        names="path",
        base=None,
        state=f"{base}/state/",
        conn_id="ocr",
        account="0" * 32,
        key="0123456789abcdef",
        dag_id="dag",
        run_id="run",
        task_id="task",
        map_index=-1,
        max_tries=MAX_TRIES,
        day=date(2026, 3, 1),
    )


def has_succeeded(folder: Path) -> bool:
    """Tell whether Airflow has noted the task's success, so that it does not try again."""
    return (folder / "success").exists()


def steps_of(folder: Path) -> list[str]:
    """Return the steps that the last counted try in a folder has done."""
    return (folder / STEPS_DONE).read_text().splitlines()


def die_before(step: int, functions: Sequence[str], folder: Path) -> None:
    """
    Kill this process with SIGKILL before it does the step with this number.

    :param step: Counted from 1.
    :param functions: Functions of ``os`` whose calls are steps, beside the submits and their answers.
    :param folder: Existing folder, in which :data:`STEPS_DONE` has a line for each step.
    """
    lock, done = threading.Lock(), 0
    (folder / STEPS_DONE).write_text("")

    def count(what: str) -> None:
        nonlocal done
        with lock:
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()
            with (folder / STEPS_DONE).open("a") as file:
                file.write(f"{what}\n")

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            count(f"{original.__name__} {os.fspath(args[-1])}")
            return original(*args, **options)

        return call

    for name in functions:
        setattr(os, name, counted(getattr(os, name)))
    submit = AsyncCloudClient.submit

    async def counted_submit(*args: Any, **options: Any) -> Any:
        count("submit")
        submitted = await submit(*args, **options)
        count("answer")  # Accepted, and its answer is lost with the process.
        return submitted

    AsyncCloudClient.submit = counted_submit  # type: ignore[method-assign]  # this process is about to die


def run_try(
    url: str,
    folder: str,
    base: str,
    steps: tuple[Step, ...],
    try_number: int,
    dies_before: int | None,
    functions: Sequence[str] = ("link", "replace", "unlink"),
    environment: Mapping[str, str] | None = None,
) -> None:
    """
    Run a try from its beginning to the success callback.

    :param url: Of the emulator.
    :param folder: Local folder with the documents in ``in``.
    :param base: URI of the folder of results and state.
    :param steps: The cloud steps.
    :param try_number: Airflow's.
    :param dies_before: The step before which this process is killed; ``None`` = it is not.
    :param functions: Functions of ``os`` whose calls are steps.
    :param environment: Variables of the process, for example Airflow's connection to the store.
    """
    os.environ.update(environment or {})
    signal.alarm(120)
    logging.basicConfig(level=logging.WARNING)
    here = Path(folder)
    request, wire = request_in(here, base, steps), Tripwire(FileStore(here / "airflow.json"), MAX_TRIES)
    if dies_before is not None:
        die_before(dies_before, functions, here)
    attempt = BatchTry(request, _environment(url, here, request, wire, try_number), Woken(), resumes=False)
    if not isinstance(asyncio.run(attempt.run()), BatchEnd):
        raise TypeError("The batch wants to be deferred.")
    write_at_once(here / "success", "")
    # What the operator's success callback does.
    delete_journal(object_path(str(attempt.journal_uri)))
    wire.forget()


def _environment(
    url: str, folder: Path, request: BatchRequest, wire: Tripwire, try_number: int
) -> TryEnvironment:
    settings: dict[str, Any] = {**QUICKLY, "try_number": try_number}
    return TryEnvironment(
        account=Account(*CREDENTIALS, url),
        tripwire=wire,
        plan=wire.plan(request.journal_uri),
        make_settings=lambda _: BatchSettings(**with_cadence(settings)),
        push=lambda value: write_at_once(folder / "xcom.json", json.dumps(value)),
        sweep=lambda: None,
        policies=RegisterPolicies(),
        state_of=lambda _: None,
        is_retried=lambda _: False,
        polls_per_second=1e6,
        page="",
    )

"""
The folders of work lists: one for each try of a plan, removed once the batches of its run are over.

Invariant: a work list that a batch may still need is never removed. Airflow decides whether a run is over. A folder whose
run Airflow does not know, and one of another installation, stays for a week.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.atomic_create import read, replace
from airflow_provider_asposeocr.documents.file_systems import LOCAL, object_path
from airflow_provider_asposeocr.documents.folder_pages import folder_pages
from airflow_provider_asposeocr.documents.folders import path_part
from airflow_provider_asposeocr.ingestion.work_list import write_work_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_asposeocr.ingestion.work_list import WorkList

log = logging.getLogger(__name__)

PLANS = "plans/"
#: Names the run that a folder belongs to.
_RUN_FILE = "run.json"
#: A failed run may be cleared, and its batches need their work lists then.
_KEPT_SECONDS = 7 * 24 * 3600.0
#: If Airflow does not know a run that is younger than this, another installation has probably planned it.
_FOREIGN_SECONDS = 24 * 3600.0

#: Answer for a run that Airflow does not have.
UNKNOWN_RUN = "unknown"

Fate = Literal["keep", "remove", "foreign"]


@dataclass(frozen=True)
class PlannedRun:
    """
    The try of a plan that has written work lists.

    :param installation: Name of the Airflow installation.
    :param dag_id: The task instance, as the next three.
    :param written_at: When, in seconds since the epoch.
    :param map_index: Number of the mapped task instance, -1 = not mapped.
    """

    installation: str
    dag_id: str
    run_id: str
    task_id: str
    try_number: int
    written_at: float
    map_index: int = -1

    @property
    def folder(self) -> str:
        """Name of its folder, fit for every storage; a checksum keeps apart what the rest of it does not."""
        whole = [self.installation, self.dag_id, self.run_id, self.task_id, str(self.try_number)]
        if self.map_index >= 0:
            whole.append(str(self.map_index))
        parts = (*whole[1:4], hashlib.sha256("\0".join(whole).encode()).hexdigest()[:8])
        return "-".join(path_part(part) for part in parts)


@dataclass(frozen=True)
class SweptPlans:
    """
    What a sweep has found.

    :param removed: How many folders it has removed.
    :param foreign: Runs that another installation seems to have planned.
    """

    removed: int = 0
    foreign: tuple[PlannedRun, ...] = ()


def write_plan(register: str, run: PlannedRun, lists: Iterable[WorkList]) -> list[str]:
    """
    Write the work lists of a plan.

    :param register: URI of the register, with a slash at its end.
    :param run: The try that plans.
    :param lists: The work lists; they are asked for one after the other.
    :return: Their URIs.
    :raises OSError: if the storage refuses. Libraries raise errors of their own, too.
    """
    folder = f"{register}{PLANS}{run.folder}/"
    replace(object_path(folder + _RUN_FILE), json.dumps(asdict(run)).encode())
    uris: list[str] = []
    for number, work in enumerate(lists, 1):
        uris.append(f"{folder}{number:04d}.jsonl")
        write_work_list(uris[-1], work)
    return uris


def decide_fate(run: PlannedRun, installation: str, state: str | None, now: float) -> Fate:
    """
    Decide whether the work lists of a run may be removed. Pure.

    :param run: The run.
    :param installation: Name of this installation.
    :param state: Airflow's state of the run; :data:`UNKNOWN_RUN` = it has no such run; ``None`` = it did not answer.
    :param now: Seconds since the epoch.
    """
    age = now - run.written_at
    if run.installation != installation:
        return "foreign"
    if state == "success":
        return "remove"
    if state == UNKNOWN_RUN and age < _FOREIGN_SECONDS:
        return "foreign"
    return "remove" if state in ("failed", UNKNOWN_RUN) and age > _KEPT_SECONDS else "keep"


def sweep_plans(register: str, current: PlannedRun, state_of: Callable[[str, str], str | None]) -> SweptPlans:
    """
    Remove the work lists of runs that are over. Blocks; a failure is logged, since the next plan sweeps again.

    :param register: URI of the register, with a slash at its end.
    :param current: The run that plans now; its own folders stay.
    :param state_of: Asks Airflow for the state of a run by the ids of DAG and run, see :func:`decide_fate`.
    :return: What was found.
    """
    removed, foreign = 0, list[PlannedRun]()
    try:
        for folder, names in _folders(register).items():
            run = _read_run(f"{register}{PLANS}{folder}/{_RUN_FILE}") if _RUN_FILE in names else None
            if run is None or (run.dag_id, run.run_id) == (current.dag_id, current.run_id):
                continue
            is_ours = run.installation == current.installation
            state = state_of(run.dag_id, run.run_id) if is_ours else None
            fate = decide_fate(run, current.installation, state, current.written_at)
            if fate == "foreign":
                foreign.append(run)
            elif fate == "remove":
                _remove(f"{register}{PLANS}{folder}/", names)
                removed += 1
    except Exception as error:  # each storage library has its own root class
        log.warning("The work lists of earlier runs were not checked: %s", shown(error))
    return SweptPlans(removed, tuple(foreign))


def _folders(register: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        for page in folder_pages(object_path(register + PLANS)):
            for below, _ in page:
                folder, _, name = below.partition("/")
                if name:
                    found.setdefault(folder, []).append(name)
    except FileNotFoundError:
        return {}
    return found


def _read_run(uri: str) -> PlannedRun | None:
    content = read(object_path(uri))
    try:
        stored = json.loads(content or b"")
        fields: dict[str, Any] = {
            name: stored[name] for name in PlannedRun.__dataclass_fields__ if name in stored
        }
        run = PlannedRun(**fields)
        is_whole = all(isinstance(getattr(run, name), str) for name in ("installation", "dag_id", "run_id"))
        return run if is_whole and isinstance(run.written_at, int | float) else None
    except (ValueError, KeyError, TypeError):
        return None  # A user has changed the file: nothing is removed.


def _remove(folder: str, names: list[str]) -> None:
    # The file that names the run is deleted last, so that the next sweep finds a folder that was only half removed.
    for name in sorted(names, key=lambda name: name == _RUN_FILE):
        path: Any = object_path(folder + name)
        try:
            path.fs.rm_file(path.path)
        except FileNotFoundError:
            continue
    path = object_path(folder)
    if path.protocol in LOCAL:
        with suppress(OSError):  # A process has just written into it.
            os.rmdir(path.path)

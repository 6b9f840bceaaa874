"""
Open a batch: take over the journal of an earlier try, or decide what the batch does and begin a journal.

Invariant: a try that finds a journal does what the journal says. It does not list the sources again: the folder may have
other files by then, so that an index would mean another document.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import SourceUnreadableError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalMissingError
from airflow_provider_asposeocr.batch.existing import decide_existing
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.manifest_file import manifest_uri
from airflow_provider_asposeocr.batch.naming import check_outside
from airflow_provider_asposeocr.batch.parts import journal_folder_name
from airflow_provider_asposeocr.batch.plan import Batch, parse_header
from airflow_provider_asposeocr.batch.prepare import prepare
from airflow_provider_asposeocr.batch.state import replay
from airflow_provider_asposeocr.batch.state_folders import name_state_folder
from airflow_provider_asposeocr.documents.file_systems import object_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from airflow_provider_asposeocr.batch.journal import Opened
    from airflow_provider_asposeocr.batch.left import LeftBatch
    from airflow_provider_asposeocr.batch.plan import BatchDocument, Names, RegisterPlan
    from airflow_provider_asposeocr.batch.prepare import Prepared
    from airflow_provider_asposeocr.batch.state import BatchState
    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.batch.tripwire import JournalPlan
    from airflow_provider_asposeocr.documents.owners import IfExists

log = logging.getLogger(__name__)

#: Field of the header: when the first try began, in seconds since the epoch. The batch's deadline is counted from it.
BEGUN_AT = "begun_at"


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """
    What a try of a batch is asked for: its rendered parameters and its task instance.

    :param sources: The rendered parameter, see :func:`.sources.parse_sources`.
    :param steps: The steps.
    :param destination: URI of the folder of the results, with a slash at its end.
    :param names: How results are named.
    :param base: URI of the folder that names are relative to; ``None`` = what the sources say.
    :param state: URI of the state folder, with a slash at its end.
    :param conn_id: Airflow connection whose account is billed.
    :param account: Fingerprint of that account.
    :param key: Key of the batch, see :func:`.parts.batch_key`.
    :param dag_id: The task instance, as the next three.
    :param max_tries: Airflow's count: a Clear changes it.
    :param day: A day of the DAG run that does not change from try to try.
    :param register: The register that documents are claimed in; ``None``, the default, = none.
    :param archive: URI of the folder that sources are moved to; ``None``, the default, = they are not.
    :param if_exists: What to do about files that are in the destination already, see :func:`.existing.decide_existing`.
    """

    sources: Any
    steps: tuple[Step, ...]
    destination: str
    names: Names
    base: str | None
    state: str
    conn_id: str
    account: str
    key: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    max_tries: int
    day: date
    if_exists: IfExists = "overwrite"
    register: RegisterPlan | None = None
    archive: str | None = None

    @property
    def journal_uri(self) -> str:
        """URI of the journal's folder."""
        return f"{self.state}{journal_folder_name(self.key, self.max_tries)}/"


@dataclass(frozen=True)
class OpenBatch:
    """
    A batch whose journal this process owns.

    :param batch: What it does.
    :param journal: The journal.
    :param state: What the journal says so far.
    :param begun_at: When the first try began, in seconds since the epoch.
    :param is_new: Whether this try has begun it.
    """

    batch: Batch
    journal: Journal
    state: BatchState
    begun_at: float
    is_new: bool


def open_batch(
    request: BatchRequest, plan: JournalPlan, *, resumes: bool, superseded: Iterable[LeftBatch] = ()
) -> OpenBatch:
    """
    Take over the journal of an earlier try; where there is none, list the sources and begin one. Blocks.

    :param request: What this try is asked for.
    :param plan: Which journal it opens, see :func:`.tripwire.plan_journal`.
    :param resumes: Whether the same try goes on after a deferral.
    :param superseded: The batches of the tries before a Clear; by default none. Their results that no manifest names would
        otherwise count as those of another document.
    :return: The batch. Its journal is durable, and nothing was sent.
    :raises JournalError: if a journal is missing where one must be, or cannot be read.
    :raises JournalUnreachableError: if the storage does not answer or refuses; a retry may help.
    :raises InputError: if sources, names or steps make no sense; :class:`SourceError` if sources cannot be listed.
    :raises StorageError: if the destination cannot be listed.
    """
    folder = object_path(plan.uri)
    is_new = False
    try:
        opened = Journal.take_over(folder, resumes=resumes, at_least=plan.at_least)
    except JournalMissingError:
        # After a deferral there must be a journal. Airflow 3.1 and 3.2 have no tripwire that says so: without this check, a
        # deleted journal would count as "nothing was submitted", and all would be billed again.
        if plan.must_exist or resumes:
            raise
        is_new = True
        header = _header(request, superseded)
        name_state_folder(request.destination, request.state)
        opened = Journal.create(folder, header)
    return _read(opened, is_new)


def _read(opened: Opened, is_new: bool) -> OpenBatch:
    begun_at = opened.header.get(BEGUN_AT)
    state = replay(opened.records, opened.journal.epoch)
    return OpenBatch(
        batch=parse_header(opened.header, state.replanned),
        journal=opened.journal,
        state=state,
        begun_at=float(begun_at) if isinstance(begun_at, int | float) else time.time(),
        is_new=is_new,
    )


def _header(request: BatchRequest, superseded: Iterable[LeftBatch]) -> Mapping[str, Any]:
    """Decide what the batch does, for all of its tries."""
    prepared = prepare(request.sources, request.steps, request.destination, request.names, request.base)
    if prepared.is_work_list and request.register is None:
        # Its first line could not be read at first. Without the register, documents that were read would be billed again.
        raise SourceUnreadableError(
            "The storage has not returned the work list when the batch began, and has returned it since."
        )
    if prepared.listed is not None:
        check_outside(request.archive, "archive", prepared.listed)
        check_outside(None if request.register is None else request.register.uri, "register", prepared.listed)
    documents = decide_existing(
        prepared.documents,
        request.steps[-1],
        request.destination,
        request.if_exists,
        request.state,
        chain.from_iterable(left.rows() for left in superseded),
        keeps=request.register is not None,
    )
    if prepared.continues is not None:
        _tell_what_is_billed_again(prepared, documents, request.steps)
    batch = Batch(
        key=request.key,
        conn_id=request.conn_id,
        destination=request.destination,
        steps=request.steps,
        documents=documents,
        account=request.account,
        manifest=manifest_uri(
            request.state,
            request.day,
            dag_id=request.dag_id,
            run_id=request.run_id,
            task_id=request.task_id,
            map_index=request.map_index,
            key=request.key,
        ),
        base=prepared.base,
        names=request.names,
        continues=prepared.continues,
        register=request.register,
        dag_id=request.dag_id,
        run_id=request.run_id,
        task_id=request.task_id,
        map_index=request.map_index,
    )
    return {**batch.to_header(), BEGUN_AT: time.time()}


def _tell_what_is_billed_again(
    prepared: Prepared, documents: Sequence[BatchDocument], steps: Sequence[Step]
) -> None:
    """Log, before anything is sent, which documents of an earlier batch are billed for the same steps again."""
    names = {name: step.operation for step in steps for name in (step.operation, step.row.trial) if name}
    again: Counter[str] = Counter()
    affected = 0
    for document in documents:
        submitted = prepared.submitted.get(document.index, ()) if document.decided is None else ()
        found = [names[name] for name in submitted if name in names]
        again.update(found)
        affected += bool(found)
    if affected:
        log.warning(
            "%d of the %d documents have been through some of these steps in the batch of %s. All steps are submitted "
            "again: %s are billed again.",
            affected,
            len(documents),
            shown(prepared.continues, 300),
            ", ".join(f"{count} {operation}" for operation, count in again.items()),
        )

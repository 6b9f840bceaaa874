"""
The operator that reads many documents in one Airflow task.

It asks Airflow and passes parameters on. What a batch does is in :mod:`airflow_provider_asposeocr.batch`, and one try of
it in :mod:`.batch_try`.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.configuration import conf
from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.polling.deadlines import BACKSTOP_SECONDS
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.ending import Deferral
from airflow_provider_asposeocr.batch.errors import BatchFailedError
from airflow_provider_asposeocr.batch.steps import with_plain_operations
from airflow_provider_asposeocr.batch.woken import Woken, read_event
from airflow_provider_asposeocr.failing import fail_with
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.kills import decide_for_batch
from airflow_provider_asposeocr.lifecycle.worker_kill import state_of
from airflow_provider_asposeocr.links import AsposeOcrResultLink
from airflow_provider_asposeocr.operators.batch_deferral import trigger_of
from airflow_provider_asposeocr.operators.batch_end import end_batch, forget_batch
from airflow_provider_asposeocr.operators.batch_parameters import (
    check_batch,
    check_partial,
)
from airflow_provider_asposeocr.operators.waiting import has_retry_left
from airflow_provider_asposeocr.parameters import add_success_callback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_provider_asposeocr.api.results.policies import OnLowQuality
    from airflow_provider_asposeocr.batch.plan import Names
    from airflow_provider_asposeocr.documents.owners import IfExists
    from airflow_provider_asposeocr.ingestion.register import OnDone, OnDuplicate, OnMissingResult
    from airflow_provider_asposeocr.lifecycle.policies import (
        CancelOnKill,
        OnExpired,
        OnIncomplete,
        OnUnknownSubmit,
    )
    from airflow_provider_asposeocr.operators.batch_try import BatchEnd, BatchTry


class AsposeOcrBatchOperator(BaseOperator):
    """
    Process many documents with one or several cloud operations, and write their results to object storage.

    Each document is billed once per step, also if the worker dies: a journal beside the results says what was sent. A
    document that fails stops no other one. The manifest has a row for each.

    :param sources: The documents: a list of absolute paths and URIs; the URI of a folder, with a slash at its end; a glob;
        the URI of a ``.jsonl`` file that lists them; or ``{"manifest": uri, "outcome": "failed"}``, the documents of an
        earlier batch with that outcome. At most 10,000. The first try lists them, for all tries.
    :param steps: The cloud's operations, one after the other: names, or ``{"operation": name, "settings": {…}}``. Each must
        read what the one before makes.
    :param destination: URI of the folder of the results, with a slash at its end.
    :param base: URI of the folder that names of results are relative to; by default what the sources have in common.
    :param names: ``path``, the default: a result has the path of its source below ``base`` (``2026/page.png.txt``).
        ``stem``: the name of its source without suffix (``page.txt``).
    :param state: URI of the folder of journals and manifests, with a slash at its end; by default ``.aspose-ocr/`` below the
        destination. It may lie in another bucket.
    :param register: URI of the folder of a register, with a slash at its end: a document that any batch with this register
        has read with the same steps is not sent again. ``state`` is then this folder by default. By default there is none,
        unless ``sources`` is a work list, which names its own.
    :param on_duplicate: What becomes of a document whose content was read before: ``reference``, the default: its row names
        the results that are there; or ``copy`` them to its own name.
    :param on_missing_result: What becomes of one whose results are not there any more: ``fail``, the default; or ``again``,
        read it again, which is billed again.
    :param max_attempts: How often a document may fail in all batches with this register; 3 by default.
    :param claim_seconds: If a batch of another Airflow has claimed a document: age of the claim from which this batch takes
        the document over; 90,000 by default.
    :param busy_wait_seconds: How long to wait, after the batch's own documents, for documents that other batches are
        reading; 600 by default.
    :param on_done: What to do with the source of a document that is done, if it was not changed since: ``leave`` it, the
        default; ``move`` it to ``archive``; or ``delete`` it. Only with a register.
    :param archive: URI of the folder that sources are moved to, with a slash at its end.
    :param aspose_ocr_conn_id: Airflow connection of the type ``aspose_ocr``.
    :param strict_settings: Whether a setting that this version does not know for its operation is an error.
    :param max_in_flight: Most documents under way at once; 100 by default, which is what can be cancelled within the three
        seconds that a killed worker has; at most 1,000.
    :param max_unanswered_submits: Most documents that a killed worker can leave unknown, which may be billed twice; 16 by
        default.
    :param max_submits: The budget: most cloud tasks of all tries, those sent again included. A document is begun only if
        the rest of it covers all of its steps, and is ``not_started`` otherwise. By default there is none.
    :param max_bytes: Size of the largest document that is sent, in bytes: a larger one fails before it is sent, and is not
        billed. By default any.
    :param max_failures: How many documents may fail before the Airflow task fails: a number, or a share of all documents
        below 1. 0 by default.
    :param stop_after_failures: Submit nothing more after this number of failed documents; by default never.
    :param retry_failed: Whether Airflow's retry submits failed documents again where that may help, which is billed. Yes by
        default. A retry goes on with a cloud task whose result could not be stored in any case: it is not billed again.
    :param if_exists: What to do about results that are there already: ``overwrite``, the default, those that the same source
        made; ``overwrite_any``; ``fail``; or ``skip``, leave them and send nothing for that document.
    :param on_incomplete: What to do when the cloud lost some results of a document: ``fail``, or ``keep`` what is there.
    :param quality: What a result has to reach: ``min_mean_confidence``, ``min_characters``, ``must_match``,
        ``language_share``; see docs/results.md. By default nothing.
    :param on_low_quality: What becomes of a document that does not reach it; its outcome is ``low_quality`` in any case.
        ``fail``, the default: it counts as a failure for ``max_failures``. ``skip``: its results are not written. ``mark``:
        they are. ``review``: as ``mark``, and its row asks for a person.
    :param extract: Fields of the results that the row of each document carries, by the name that each gets: for example
        ``{"total": "invoice.total_amount"}``; see docs/results.md. By default none. A field that is absent or cannot be read
        is ``None``; a warning in the row says what cannot be read.
    :param on_absent: Only ``none``, the default: a field that is absent is ``None``. ``fail`` of the fetch operator is an
        error here, because a failed document would be sent and billed again; see docs/results.md.
    :param extract_bytes: Largest value of a field as JSON, in bytes, because journal and manifest have a row for each
        document. A longer text or list is cut, and a warning in the row says so. The default is 1,024.
    :param previews: Whether to store pictures of the pages of each document beside the results before it is sent, for the
        page of results in Airflow's UI; by default ``[aspose_ocr] previews`` (no). Workers need the extra ``preview``.
    :param keep_steps: Whether to store the results of the steps before the last one, too, so that the page of results shows
        what each step has done; by default ``False``. They are below ``.aspose-ocr/steps/`` of the destination.
    :param on_unknown_submit: What to do when a document was sent and no answer came: ``resubmit``, the default, once per
        document and step, which may bill it twice; or ``fail``.
    :param on_expired: What to do when the cloud no longer keeps a result that was not fetched: ``fail``, or ``resubmit``.
    :param cancel_on_kill: Whether the end of the worker process cancels the running cloud tasks, as with
        :class:`.AsposeOcrSubmitOperator`.
    :param deferrable: Whether to wait in the triggerer while nothing can be moved; by default
        ``[operators] default_deferrable``.
    :param defer_idle_seconds: Shortest time without work that is worth a deferral; by default
        ``[aspose_ocr] defer_idle_seconds`` (20).
    :param poll_interval_seconds: Shortest time between two polls of one cloud task; by default that of ``[aspose_ocr]``.
    :param max_poll_interval_seconds: Longest time between two polls of one cloud task; by default that of ``[aspose_ocr]``.
    :param timeout_seconds: How long one cloud task may take; by default that of ``[aspose_ocr]`` (3600).
    :param batch_timeout_seconds: How long the whole batch may take, all tries and deferrals included; 82,800 by default,
        below the 24 hours for which the cloud keeps results. ``execution_timeout`` is observed too.
    :return: The summary, plain JSON below 4 KB: ``manifest``, ``documents``, a count per outcome, ``submits``,
        ``maybe_billed_twice``, ``errors`` and ten ``examples``.
    :raises InputError: at parse time, if steps do not fit together or a field cannot be meant; after rendering, where it is
        a template. Nothing was sent then.
    :raises ValueError: at parse time, if a number or a policy makes no sense.
    :raises BatchFailedError: if more documents failed than ``max_failures`` allows, or not all were submitted.
    """

    template_fields: Sequence[str] = (
        "sources",
        "steps",
        "extract",
        "destination",
        "base",
        "state",
        "register",
        "archive",
        "aspose_ocr_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"sources": "json", "steps": "json"}
    operator_extra_links = (AsposeOcrResultLink(),)
    ui_color = "#e3edf7"

    _killed = False
    _try: BatchTry | None = None
    _end: BatchEnd | None = None
    _ti: Any = None

    def __init__(
        self,
        *,
        sources: Any,
        steps: Any,
        destination: str,
        base: str | None = None,
        names: Names = "path",
        state: str | None = None,
        register: str | None = None,
        on_duplicate: OnDuplicate = "reference",
        on_missing_result: OnMissingResult = "fail",
        max_attempts: int = 3,
        claim_seconds: float = 90_000.0,
        busy_wait_seconds: float = 600.0,
        on_done: OnDone = "leave",
        archive: str | None = None,
        aspose_ocr_conn_id: str = AsposeOcrHook.default_conn_name,
        strict_settings: bool = True,
        max_in_flight: int = 100,
        max_unanswered_submits: int = 16,
        max_submits: int | None = None,
        max_bytes: int | None = None,
        max_failures: float = 0,
        stop_after_failures: int | None = None,
        retry_failed: bool = True,
        if_exists: IfExists = "overwrite",
        on_incomplete: OnIncomplete = "fail",
        quality: Mapping[str, Any] | None = None,
        on_low_quality: OnLowQuality = "fail",
        extract: Mapping[str, str] | None = None,
        on_absent: Literal["none"] = "none",
        extract_bytes: int = 1024,
        previews: bool | None = None,
        keep_steps: bool = False,
        on_unknown_submit: OnUnknownSubmit = "resubmit",
        on_expired: OnExpired = "fail",
        cancel_on_kill: CancelOnKill = "last_try",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        defer_idle_seconds: float | None = None,
        poll_interval_seconds: float | None = None,
        max_poll_interval_seconds: float | None = None,
        timeout_seconds: float | None = None,
        batch_timeout_seconds: float = 82_800.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.steps = with_plain_operations(steps)
        self.destination = destination
        self.base = base
        self.names = names
        self.state = state
        self.register = register
        self.on_duplicate = on_duplicate
        self.on_missing_result = on_missing_result
        self.max_attempts = max_attempts
        self.claim_seconds = claim_seconds
        self.busy_wait_seconds = busy_wait_seconds
        self.on_done = on_done
        self.archive = archive
        self.aspose_ocr_conn_id = aspose_ocr_conn_id
        self.strict_settings = strict_settings
        self.max_in_flight = max_in_flight
        self.max_unanswered_submits = max_unanswered_submits
        self.max_submits = max_submits
        self.max_bytes = max_bytes
        self.max_failures = max_failures
        self.stop_after_failures = stop_after_failures
        self.retry_failed = retry_failed
        self.if_exists = if_exists
        self.on_incomplete = on_incomplete
        self.quality = quality
        self.on_low_quality = on_low_quality
        self.extract = extract
        self.on_absent = on_absent
        self.extract_bytes = extract_bytes
        self.previews = previews
        self.keep_steps = keep_steps
        self.on_unknown_submit = on_unknown_submit
        self.on_expired = on_expired
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable
        self.defer_idle_seconds = defer_idle_seconds
        self.poll_interval_seconds = poll_interval_seconds
        self.max_poll_interval_seconds = max_poll_interval_seconds
        self.timeout_seconds = timeout_seconds
        self.batch_timeout_seconds = batch_timeout_seconds
        check_batch(self)
        add_success_callback(self, forget_batch)

    @classmethod
    def partial(cls, **given: Any) -> OperatorPartial:
        """
        Begin to map the operator. What is passed here is checked when the DAG is parsed.

        :param given: Parameters that are the same for each task instance.
        """
        check_partial(given)
        return super().partial(**given)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Begin the batch, or go on with what an earlier try has left.

        :param context: Airflow's context.
        :return: The summary.
        """
        return self._run(context, Woken(), resumes=False)

    def execute_complete(
        self, context: Context, event: Any = None, max_tries: int | None = None
    ) -> dict[str, Any]:
        """
        Go on after the trigger has fired.

        :param context: Airflow's context.
        :param event: The trigger's event.
        :param max_tries: Airflow's count at the deferral; ``None`` = an earlier version has deferred the batch.
        :return: The summary.
        """
        if max_tries not in (None, context["ti"].max_tries):
            # A user has cleared the task while it ran after a deferral: Airflow passes the method and the event of that
            # deferral again.
            return self.execute(context)
        woken = read_event(event)
        if woken.error is not None:
            self.log.warning("The trigger of the batch has stopped waiting: %s", woken.error.message)
        # A deferral that has failed may fail at once again, for example where the triggerer lacks the connection.
        return self._run(context, woken, resumes=True, holds=woken.because in (None, "error"))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Go on after a deferral. If the trigger has failed, or Airflow has given up on it, do not defer again.

        :param next_method: As Airflow passes it.
        :param next_kwargs: As Airflow passes it.
        :param context: Airflow's context.
        """
        if next_method == TRIGGER_FAIL_REPR:
            why = shown((next_kwargs or {}).get("error"), 200)
            self.log.warning(
                "The trigger of the batch has ended without an event (%s). The worker waits on.", why
            )
            return self._run(context, Woken(), resumes=True, holds=True)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """
        Cancel the running cloud tasks if no try comes back to them; runs in a signal handler.

        The event loop that the signal has interrupted does it, within the time that Airflow leaves to the process.
        """
        self._killed = True
        if self._try is not None:
            self._try.kill(self._is_over)

    def _run(self, context: Context, woken: Woken, *, resumes: bool, holds: bool = False) -> dict[str, Any]:
        # What they import is for workers: parsing a DAG should not load it.
        from airflow_provider_asposeocr.operators.batch_request import request_of
        from airflow_provider_asposeocr.operators.batch_try import BatchTry

        self._ti = context["ti"]
        try:
            while True:
                request, env = request_of(self, context, holds=holds)
                if env.plan.superseded is not None:  # The task was cleared, although Airflow resumes it.
                    woken, resumes = Woken(), False
                self._try = BatchTry(request, env, woken, resumes=resumes)
                if self._killed:  # while the connection or the tripwire was read
                    self._try.kill(self._is_over)
                with asyncio.Runner() as runner:
                    outcome = runner.run(self._try.run())
                if self._killed and (isinstance(outcome, Deferral) or outcome.ended.stopped is not None):
                    raise BatchFailedError(
                        "The worker process was told to end while the batch was under way."
                    )
                if not isinstance(outcome, Deferral):
                    self._end = outcome
                    return end_batch(self, outcome, context)
                self._defer(outcome)
                # The row of the trigger would be too large: the ids are longer than those of the cloud today.
                woken, resumes, holds = Woken(), True, True
        except AsposeOcrError as error:
            fail_with(self.log, error)

    def _defer(self, deferral: Deferral) -> None:
        """Wait in the triggerer; return where the trigger's row would be too large."""
        now = time.time()
        trigger = trigger_of(self, deferral, now)
        if trigger is None:
            return
        backstop = timedelta(seconds=max(0.0, deferral.deadline_at - now) + BACKSTOP_SECONDS)
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"max_tries": self._ti.max_tries},
            timeout=backstop,
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Tell OpenLineage what was read and written; its provider calls this, also after a failure.

        :param task_instance: Airflow's.
        :return: OpenLineage's ``OperatorLineage``; ``None`` without its library.
        """
        from airflow_provider_asposeocr.lineage import lineage_of_batch

        end = self._end
        if end is None:
            return lineage_of_batch(self, (), "", 0, 0, "")
        batch, tally = end.batch, end.manifest.tally
        sources = [document.source for document in batch.documents]
        written = tally.results, tally.result_bytes
        return lineage_of_batch(self, sources, batch.destination, *written, end.manifest.uri)

    def _is_over(self) -> bool:
        """Tell whether the running cloud tasks of a process that is being ended are to be cancelled; asks Airflow."""
        if self.cancel_on_kill != "last_try":
            return self.cancel_on_kill == "always"
        if not has_retry_left(self._ti):
            return True
        try:
            return decide_for_batch(state_of(self._ti, self._ti), in_triggerer=False) == "cancel"
        except Exception as error:  # any error: the supervisor is ending this process
            self.log.warning(
                "Airflow does not return the task's state, so no cloud task is cancelled: %s", shown(error)
            )
            return False

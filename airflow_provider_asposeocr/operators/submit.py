"""
Operators that submit a document to the cloud.

Invariant: a task instance submits a document once, also if its worker dies; the exceptions are parameters. It returns a
task reference, never a document. The work is in one base class; :mod:`.operations` has a small class per operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.configuration import conf
from airflow.sdk import BaseOperator

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    SettingsError,
    TaskPendingError,
    TaskUnknownError,
)
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.responses import parse_task_ref
from airflow_provider_asposeocr.api.settings import validate_settings
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.policies import ON_EXPIRED, ON_UNKNOWN_SUBMIT, REUSE, SubmitPolicies
from airflow_provider_asposeocr.lifecycle.store import StoredRecord, forget_on_success
from airflow_provider_asposeocr.lifecycle.submit import TaskSubmit
from airflow_provider_asposeocr.links import AsposeOcrResultLink
from airflow_provider_asposeocr.operators.map_index import name_map_index
from airflow_provider_asposeocr.operators.start_from_trigger import set_start_trigger_args
from airflow_provider_asposeocr.operators.submit_inputs import identity_of, name_of, upstream_of, upstreams_of
from airflow_provider_asposeocr.operators.task_log import submit_begins, submit_ends
from airflow_provider_asposeocr.operators.waiting import WaitsForTask, check_waiting
from airflow_provider_asposeocr.parameters import (
    add_success_callback,
    check_choice,
    check_one_document,
    constructing,
    rendered,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.lifecycle.policies import CancelOnKill, OnExpired, OnUnknownSubmit, Reuse
    from airflow_provider_asposeocr.lifecycle.worker_kill import WaitRole

#: XCom key of the task reference while the task that submitted it still waits.
TASK_KEY = "aspose_ocr_task"

#: Everything else, text and Airflow's lazy values, is known after rendering.
KNOWN_AT_PARSE_TIME = (Mapping, list, tuple, set, int, float)


class AsposeOcrSubmitOperator(WaitsForTask, BaseOperator):
    """
    Start a cloud task of any operation. The classes in :mod:`.operations` fix the operation.

    :param operation: Name of the operation, for example ``RecognizeReceipt``. An operation that this version does not know
        is declared: ``Operation("RecognizeHandwriting", settings=frozenset({"language"}))``, or the same as a mapping.
    :param source: The input: an absolute path or a URI in any object storage that Airflow knows (``conn@`` names its
        connection), or the task reference of an upstream task, whose result is then the input.
    :param settings: Settings of the operation in the server's spelling or in snake case. Only what is set is sent,
        because the vendor's sources disagree on several defaults.
    :param strict_settings: Whether a setting that this version does not know for the operation is an error. ``False``
        sends unknown settings unchecked; known ones are still validated.
    :param aspose_ocr_conn_id: Airflow connection of the type ``aspose_ocr``.
    :param wait_for_completion: ``True``, the default: the Airflow task ends when its cloud task ends, and fails when that
        failed. ``False``: the pipelined mode; the Airflow task ends after the submit, and a consumer waits.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    :param start_from_trigger: Whether the wait for the upstream cloud task begins in the triggerer, without a worker
        before it (Airflow 3.3, ``deferrable=True``, a task reference as the source); by default it does not.
    :param inline_wait_seconds: How long to wait in the worker before deferring; 0 defers at once. By default
        ``[aspose_ocr] inline_wait_seconds`` (5), because a deferral costs a second worker process.
    :param poll_interval_seconds: Shortest time between two polls; by default ``[aspose_ocr] poll_interval_seconds`` (0.8).
    :param max_poll_interval_seconds: Longest time between two polls, which grows with the age of the task; by default
        ``[aspose_ocr] max_poll_interval_seconds`` (600).
    :param timeout_seconds: How long to wait before the cloud task is cancelled; by default
        ``[aspose_ocr] timeout_seconds`` (3600). ``execution_timeout`` is observed too.
    :param reuse: Whether a later try continues with the cloud task of an earlier one instead of submitting (Airflow
        3.3). ``retry``, the default: Airflow's retries do, and a task that a user has cleared submits again.
        ``always``: a cleared task continues too, as long as the cloud keeps the result. ``never``: each try submits.
    :param cancel_on_kill: Whether the end of the worker process cancels the cloud task. ``last_try``, the default: it
        does if a user has killed the task or no retry is left; otherwise the retry continues with the cloud task.
        ``always``: it always does. ``never``: it never does, not even after a user's kill.
    :param on_unknown_submit: What to do when a document was sent and no answer came, so that it is unknown whether the
        cloud accepted and billed it (the cloud has no idempotency key). ``resubmit``, the default: submit again, once
        per task instance, which may bill the document twice. ``fail``: fail without a retry, so that a user decides.
    :param on_expired: What a later try does when the cloud no longer keeps the result of the earlier one. ``fail``, the
        default, because another submit is billed again; or ``resubmit``.
    :return: The task reference: JSON with ``operation``, ``id``, ``submitted_at``, ``conn_id`` and where it came from.
        It is pushed to the XCom key ``aspose_ocr_task`` as soon as the cloud has accepted the task.
    :raises InputError: at parse time, if there is no such operation.
    :raises SettingsError: at parse time, if a setting does not apply; after rendering, where it is a template.
    :raises ValueError: at parse time, if a number or a policy makes no sense, or the triggerer has nothing to wait for.
    """

    operation: str
    #: The parameters that may be the result of an upstream cloud task.
    input_fields: ClassVar[tuple[str, ...]] = ("source",)

    _stored: StoredRecord | None = None

    template_fields: Sequence[str] = ("source", "settings", "aspose_ocr_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"settings": "json"}
    operator_extra_links = (AsposeOcrResultLink(),)
    ui_color = "#e3edf7"

    def __init__(
        self,
        *,
        operation: str | Operation | Mapping[str, Any],
        source: Any,
        settings: Mapping[str, Any] | None = None,
        strict_settings: bool = True,
        aspose_ocr_conn_id: str = AsposeOcrHook.default_conn_name,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        inline_wait_seconds: float | None = None,
        poll_interval_seconds: float | None = None,
        max_poll_interval_seconds: float | None = None,
        timeout_seconds: float | None = None,
        reuse: Reuse = "retry",
        cancel_on_kill: CancelOnKill = "last_try",
        on_unknown_submit: OnUnknownSubmit = "resubmit",
        on_expired: OnExpired = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with constructing(self):
            row = find_operation(operation)
        self.operation = row.name
        self._declared = None if isinstance(operation, str) else row
        self.source = source
        self.settings = settings
        self.strict_settings = strict_settings
        self.aspose_ocr_conn_id = aspose_ocr_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.inline_wait_seconds = inline_wait_seconds
        self.poll_interval_seconds = poll_interval_seconds
        self.max_poll_interval_seconds = max_poll_interval_seconds
        self.timeout_seconds = timeout_seconds
        self.reuse = reuse
        self.cancel_on_kill = cancel_on_kill
        self.on_unknown_submit = on_unknown_submit
        self.on_expired = on_expired
        check_one_document(self, source=source)
        check_waiting(self)
        check_choice("reuse", reuse, REUSE)
        check_choice("on_unknown_submit", on_unknown_submit, ON_UNKNOWN_SUBMIT)
        check_choice("on_expired", on_expired, ON_EXPIRED)
        # In the pipelined mode the cloud task continues after the success; a cleared task must find it, to cancel it.
        if reuse != "always" and wait_for_completion:
            add_success_callback(self, forget_on_success)
        with constructing(self):
            if settings is None or isinstance(settings, KNOWN_AT_PARSE_TIME):
                validate_settings(row, settings, strict=strict_settings, rendered=False)
        set_start_trigger_args(self, start_from_trigger, *self._field_to_wait_for(), "execute_after_upstream")

    def _field_to_wait_for(self) -> tuple[str, Any]:
        """Return the parameter whose cloud task the triggerer waits for, and what was given for it."""
        return "source", self.source

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Submit, then wait as asked.

        :param context: Airflow's context.
        :return: The task reference.
        """
        if not _stored_record(self, context).has_store:
            self.log.info(
                "Crash recovery is off: a retry submits again (task_state_store is new in Airflow 3.3)."
            )
        source = rendered(self.source)
        self.log.info("%s", submit_begins(self.operation, source, self.aspose_ocr_conn_id, context["ti"]))
        return self._submit_and_wait(context)

    def execute_after_upstream(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the trigger has fired for the upstream cloud task whose result is the source.

        :param context: Airflow's context.
        :param event: The trigger's event.
        :return: The task reference.
        """
        try:
            self._resumed(event, context)
        except AsposeOcrError as error:
            self._fail(error, upstream_of(self, error))
        return self._submit_and_wait(context)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the trigger has fired.

        :param context: Airflow's context.
        :param event: The trigger's event.
        :return: The task reference.
        """
        try:
            return _ended(self, self._resumed(event, context).ref, context)
        except AsposeOcrError as error:
            if not _stored_record(self, context).forget_vanished(error):
                self._fail(error)
        return self._submit_and_wait(context)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Tell OpenLineage what was read; its provider calls this, also after a failure.

        :param task_instance: Airflow's.
        :return: OpenLineage's ``OperatorLineage``; ``None`` without its library.
        """
        from airflow_provider_asposeocr.lineage import lineage_of_submit

        return lineage_of_submit(self, self._wait.ref if self._wait else None)

    def _submit_and_wait(self, context: Context) -> dict[str, Any]:
        try:
            while True:
                try:
                    ref = self._submit_or_reattach(context)
                    if self.wait_for_completion:
                        self._wait_for(ref, context)
                    return _ended(self, ref, context)
                except TaskPendingError as error:
                    upstream = upstream_of(self, error)
                    if upstream is None:
                        raise
                    # Handed on in the pipelined mode: its result must be there before it can be sent.
                    self._wait_for(upstream, context, "execute_after_upstream")
                except TaskUnknownError as error:
                    if not _stored_record(self, context).forget_vanished(error):
                        raise
        except AsposeOcrError as error:
            self._fail(error, upstream_of(self, error))

    def _submit_or_reattach(self, context: Context) -> TaskRef:
        """Return this task instance's cloud task: that of an earlier try, or a new one."""
        hook = AsposeOcrHook(self.aspose_ocr_conn_id)
        source = rendered(self.source)
        name_map_index(context, name_of(source))
        policies = SubmitPolicies(self.reuse, self.on_unknown_submit, self.on_expired)
        submit = TaskSubmit(
            hook.client_of,
            _stored_record(self, context),
            identity_of(self, hook, source),
            policies,
        )
        ref, is_fresh = submit.find(), False
        if ref is None:
            settings, strict = self._settings(), self.strict_settings
            operation = self._declared or self.operation
            with hook.prepared(operation, source, settings=settings, strict_settings=strict) as send:
                ref = submit.send(send, lambda: self._kill.killed)
            is_fresh = True
        # From here on a kill finds something to cancel. Airflow is not asked for the connection again: if it does not
        # answer, an accepted task would be lost.
        wait = self._watch(ref, context, hook.client_of(ref.conn_id))
        wait.is_fresh = is_fresh
        try:
            if self._kill.killed:
                self.on_kill()
            self._kill.stop_if_killed(ref)
            name_map_index(context, ref.source_name)
            context["ti"].xcom_push(key=TASK_KEY, value=ref.to_dict())
        except Exception:
            if not self._kill.killed and not wait.role.has_retry_left:
                wait.cancel("the Airflow task could not go on with it")
            raise
        return ref

    def _requested_settings(self) -> Any:
        """Return what is asked for beside the source, without reading anything."""
        return rendered(self.settings)

    def _settings(self) -> Mapping[str, Any] | None:
        settings = rendered(self.settings)
        if settings is None or isinstance(settings, Mapping):
            return settings
        raise SettingsError(f"settings must be a mapping, not {type(settings).__name__}.")

    def _role(self, context: Context, ref: TaskRef | None = None) -> WaitRole:
        role = super()._role(context, ref)
        if ref is not None and any(upstream.id == ref.id for upstream in upstreams_of(self)):
            return role
        stored = _stored_record(self, context)
        finds_it = role.has_retry_left and stored.outlives_try and self.reuse != "never"
        return replace(role, submitted_it=True, has_retry_left=finds_it, forget=stored.forget)

    def _find_lost_task(self, context: Context) -> TaskRef | None:
        record = _stored_record(self, context).readable
        if record is not None and record.task is not None:
            return record.task
        ti = context["ti"]
        known = ti.xcom_pull(task_ids=self.task_id, key=TASK_KEY, map_indexes=ti.map_index)
        return parse_task_ref(known) if known else None


def _stored_record(operator: AsposeOcrSubmitOperator, context: Context) -> StoredRecord:
    if operator._stored is None:
        operator._stored = StoredRecord.of(context)
    return operator._stored


def _ended(operator: AsposeOcrSubmitOperator, ref: TaskRef, context: Context) -> dict[str, Any]:
    """Say in the log what was done, and return the reference."""
    operator.log.info("%s", submit_ends(ref, context["ti"], is_completed=operator.wait_for_completion))
    return ref.to_dict()

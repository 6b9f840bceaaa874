"""
Operators that start a cloud task.

Invariant: an operator submits once per execution and hands a task reference on, never a document. The work is in one
base class; :mod:`.operations` has a small class per operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.configuration import conf
from airflow.sdk import BaseOperator

from airflow_provider_asposeocr.api.client import find_operation
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    SettingsError,
    SubmitUnknownError,
    TaskError,
    TaskPendingError,
    WaitError,
)
from airflow_provider_asposeocr.api.responses import TaskRef, is_task_ref, parse_task_ref
from airflow_provider_asposeocr.api.settings import validate_settings
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.fields import check_choice, rendered
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.waiting import CancelOnKill, WaitsForTask, name_map_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

#: XCom key of the bare task id, for logs and for people.
TASK_ID_KEY = "aspose_ocr_task_id"

OnUnknownSubmit = Literal["resubmit", "fail"]
ON_UNKNOWN_SUBMIT: tuple[OnUnknownSubmit, ...] = ("resubmit", "fail")


#: Everything else, text and Airflow's lazy values, is known after rendering.
KNOWN_AT_PARSE_TIME = (Mapping, list, tuple, set, int, float)


class AsposeOcrSubmitOperator(WaitsForTask, BaseOperator):
    """
    Start a task of any of the cloud's operations; the classes below fix the operation.

    :param operation: Name of the operation, for example ``RecognizeReceipt``.
    :param source: The input: an absolute path or a URI in any object storage that Airflow knows (``conn@`` names its
        connection), or the task reference of an upstream task, whose result is then the input.
    :param settings: Settings of the operation in the server's spelling or in snake case. Only what is set is sent,
        because the vendor's sources disagree on several defaults.
    :param strict_settings: Whether settings that this version does not know for the operation are an error.
    :param aspose_ocr_conn_id: Airflow connection of the type ``aspose_ocr``.
    :param wait_for_completion: ``True``: the task ends when its cloud task does, and is red when that failed. ``False``:
        the pipelined mode, submit and hand on; a consumer waits.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    :param inline_wait_seconds: How long to wait in the worker before deferring, 0 = not at all; by default
        ``[aspose_ocr] inline_wait_seconds`` (5), because a deferral costs a second worker process.
    :param poll_interval_seconds: Shortest time between two polls; by default ``[aspose_ocr] poll_interval_seconds`` (2).
    :param max_poll_interval_seconds: Longest time between two polls, which grows with the age of the task; by default
        ``[aspose_ocr] max_poll_interval_seconds`` (30).
    :param timeout_seconds: How long to wait before the cloud task is cancelled; by default
        ``[aspose_ocr] timeout_seconds`` (3600). ``execution_timeout`` is observed too.
    :param cancel_on_kill: ``always`` or ``never``: whether killing the task cancels its cloud task.
    :param on_unknown_submit: What to do when a document was sent and no answer came, so that nobody knows whether the
        cloud accepted and billed it (it has no idempotency key): ``resubmit``, the default, once more and at most once
        per try, which may bill the document twice; or ``fail`` without a retry, for a human to decide.
    :return: The task reference: JSON with ``operation``, ``id``, ``submitted_at``, ``conn_id`` and where it came from.
        The bare id is under the XCom key ``aspose_ocr_task_id``.
    :raises SettingsError: at parse time, if a setting does not apply; after rendering, where it is a template.
    :raises ValueError: at parse time, if a number or a policy makes no sense.
    """

    owns_task = True
    operation: str

    template_fields: Sequence[str] = ("source", "settings", "aspose_ocr_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"settings": "json"}
    ui_color = "#e3edf7"

    def __init__(
        self,
        *,
        operation: str,
        source: Any,
        settings: Mapping[str, Any] | None = None,
        strict_settings: bool = True,
        aspose_ocr_conn_id: str = AsposeOcrHook.default_conn_name,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float | None = None,
        poll_interval_seconds: float | None = None,
        max_poll_interval_seconds: float | None = None,
        timeout_seconds: float | None = None,
        cancel_on_kill: CancelOnKill = "always",
        on_unknown_submit: OnUnknownSubmit = "resubmit",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.operation = operation
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
        self.cancel_on_kill = cancel_on_kill
        self.on_unknown_submit = on_unknown_submit
        self._check_waiting()
        check_choice("on_unknown_submit", on_unknown_submit, ON_UNKNOWN_SUBMIT)
        row = find_operation(operation)
        if settings is None or isinstance(settings, KNOWN_AT_PARSE_TIME):
            validate_settings(row, settings, strict=strict_settings, rendered=False)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Submit, then wait as asked.

        :param context: Airflow's context.
        :return: The task reference.
        """
        try:
            return self._submit_and_wait(context)
        except AsposeOcrError as error:
            self._fail(error, self._concerned(error))

    def execute_after_upstream(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the trigger has fired for the upstream cloud task whose result is the source.

        :param context: Airflow's context.
        :param event: The trigger's event.
        :return: The task reference.
        """
        try:
            self._resumed(event, context)
            return self._submit_and_wait(context)
        except AsposeOcrError as error:
            self._fail(error, self._concerned(error))

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the trigger has fired.

        :param context: Airflow's context.
        :param event: The trigger's event.
        :return: The task reference.
        """
        try:
            return self._resumed(event, context).to_dict()
        except AsposeOcrError as error:
            self._fail(error)

    def _submit_and_wait(self, context: Context) -> dict[str, Any]:
        while True:
            try:
                ref = self._submit(context)
                break
            except TaskPendingError as error:
                upstream = self._concerned(error)
                if upstream is None:
                    raise
                # Handed on in the pipelined mode: its result must be there before it can be sent.
                self._wait_for(upstream, context, "execute_after_upstream")
        if self.wait_for_completion:
            self._wait_for(ref, context)
        return ref.to_dict()

    def _inputs(self) -> list[Any]:
        """Return what goes in and may be a cloud task's result."""
        return [self._input()]

    def _upstreams(self) -> list[TaskRef]:
        """Return the cloud tasks whose results go in."""
        return [parse_task_ref(each) for each in self._inputs() if is_task_ref(each)]

    def _owns(self, ref: TaskRef) -> bool:
        return all(upstream.id != ref.id for upstream in self._upstreams())

    def _concerned(self, error: AsposeOcrError) -> TaskRef | None:
        """Return the upstream cloud task if the error is about it, because then it is the one to clear."""
        if not isinstance(error, TaskError):
            return None
        return next((upstream for upstream in self._upstreams() if upstream.id == error.task_id), None)

    def _submit(self, context: Context) -> TaskRef:
        hook = AsposeOcrHook(self.aspose_ocr_conn_id)
        source, settings = self._input(), self._settings()

        def submit() -> TaskRef:
            task = hook.submit(
                self.operation, source, settings=settings, strict_settings=self.strict_settings
            )
            return TaskRef.model_validate(task)

        try:
            ref = submit()
        except SubmitUnknownError as error:
            self._take_unknown(error)
            ref = submit()
        # From here on a kill finds something to cancel.
        self._client, self._running = hook.client, ref
        try:
            if self._killed:
                raise WaitError("The task was killed while it submitted.").about(ref.operation, ref.id)
            name_map_index(context, ref.source_name)
            context["ti"].xcom_push(key=TASK_ID_KEY, value=ref.id)
        except Exception:
            if self.cancel_on_kill == "always" or not self._killed:
                self._cancel("the Airflow task could not go on with it")
            raise
        return ref

    def _take_unknown(self, error: SubmitUnknownError) -> None:
        """Return if the document may be submitted once more."""
        if self._killed:
            raise error
        if self.on_unknown_submit == "fail":
            raise AirflowFailException(
                f"{error.message} It may have been billed. on_unknown_submit is 'fail': look into the vendor's "
                "dashboard; clearing this task submits again."
            ) from error
        self.log.warning(
            "%s Submitting once more; if the cloud had accepted it, %s is billed twice.",
            error.message,
            self.operation,
        )

    def _input(self) -> Any:
        return rendered(self.source)

    def _settings(self) -> Mapping[str, Any] | None:
        settings = rendered(self.settings)
        if settings is None or isinstance(settings, Mapping):
            return settings
        raise SettingsError(f"settings must be a mapping, not {type(settings).__name__}.")

    def _lost(self, context: Context) -> tuple[str, str, str] | None:
        ti = context["ti"]
        id = ti.xcom_pull(task_ids=self.task_id, key=TASK_ID_KEY, map_indexes=ti.map_index)
        if not id:
            return None
        trial = AsposeOcrHook(self.aspose_ocr_conn_id).account.trial
        return self.aspose_ocr_conn_id, find_operation(self.operation, trial).name, str(id)

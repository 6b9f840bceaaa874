"""
Submit a document once per task instance, also if the process of a try dies.

Invariant: the record is written before the document is sent, and again after the answer. The next try reads the record
first.
:mod:`.record` decides; this module asks the cloud, writes the log and sends.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    SubmitUnknownError,
    UnknownStatusError,
    WaitError,
)
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.tasks import gone_error
from airflow_provider_asposeocr.failing import fail_task
from airflow_provider_asposeocr.lifecycle.cancel import cancel_if_running
from airflow_provider_asposeocr.lifecycle.record import (
    LookUp,
    Submit,
    Unknown,
    decide_found,
    decide_start,
    may_resubmit,
)
from airflow_provider_asposeocr.metrics import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.enums import TaskStatus
    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.lifecycle.identity import Identity
    from airflow_provider_asposeocr.lifecycle.policies import SubmitPolicies
    from airflow_provider_asposeocr.lifecycle.store import StoredRecord

log = logging.getLogger(__name__)


class TaskSubmit:
    """
    A submit of one Airflow task.

    :param client_of: Returns the client of an Airflow connection, by its id. An earlier try may have used
        another connection than this one.
    :param stored: The record of what this task instance has submitted before.
    :param identity: What is to be submitted.
    :param policies: What the user decides.
    """

    def __init__(
        self,
        client_of: Callable[[str], CloudClient],
        stored: StoredRecord,
        identity: Identity,
        policies: SubmitPolicies,
    ) -> None:
        self._client_of = client_of
        self._stored = stored
        self._identity = identity
        self._policies = policies
        self._again = False

    def find(self) -> TaskRef | None:
        """
        Take up the cloud task of an earlier try.

        :return: The task; ``None`` where a submit is due.
        :raises TaskExpiredError: if its result is older than the cloud keeps it.
        :raises AirflowFailException: if an earlier try died while it submitted and may not submit again.
        """
        stored, reuse = self._stored, self._policies.reuse
        decision = decide_start(stored.content, self._identity, stored.max_tries, reuse, stored.key)
        match decision:
            case LookUp(task):
                return self._look_up(task)
            case Unknown(because):
                reason = because or "an earlier try ended while it submitted, without an answer of the cloud"
                self._take_unknown(f"It is unknown whether {self._what} was accepted before: {reason}.")
            case Submit(superseded, because):
                if because:
                    log.warning("Submitting %s anew: %s.", self._what, because)
                if superseded is not None:
                    self._drop(superseded)
        return None

    def send(self, send: Callable[[], TaskRef], killed: Callable[[], bool]) -> TaskRef:
        """
        Send the document and write down what comes of it.

        :param send: Sends it once.
        :param killed: Whether the Airflow task has been killed meanwhile.
        :return: The accepted task.
        :raises SubmitUnknownError: if the task was killed and it is unknown whether the document was accepted.
        :raises AirflowFailException: if that is unknown and the document may not be sent again.
        :raises AsposeOcrError: if it certainly was not accepted.
        """
        while True:
            if killed():
                raise WaitError("The task was killed before it submitted.", billed="no")
            self._stored.write_intent(self._identity, again=self._again)
            try:
                task = send()
            except SubmitUnknownError as error:
                if killed():
                    raise
                self._take_unknown(error.message)
            except AsposeOcrError:
                self._stored.forget()
                raise
            else:
                self._write_down(task)
                return task

    @property
    def _what(self) -> str:
        return f"{self._identity.operation} of {shown(self._identity.source, 300)!r}"

    def _write_down(self, task: TaskRef) -> None:
        try:
            self._stored.write_task(task)
        except Exception as error:  # Airflow's API is away; the accepted task is worth more than the record
            log.error(
                "%s %s could not be written down (%s); if this process dies, the next try does not find it.",
                task.operation,
                task.id,
                shown(error),
            )

    def _look_up(self, task: TaskRef) -> TaskRef | None:
        status = self._status(task)
        outcome = decide_found(task, status, time.time(), self._policies.on_expired)
        if outcome == "expired":
            self._stored.forget()  # Or every Clear, which the error advises, would come here again.
            raise gone_error(task, time.time())
        if outcome == "submit":
            log.warning(
                "%s %s of an earlier try is %s in the cloud; submitting again, which is billed again.",
                task.operation,
                task.id,
                status and status.value,
            )
            return None
        self._stored.write_task(task, inherited=True)
        log.info(
            "%s %s of an earlier try is %s: re-attached, nothing billed again.",
            task.operation,
            task.id,
            status.value if status else "not known yet",
        )
        count("reattached", operation=task.operation)
        return task

    def _status(self, task: TaskRef) -> TaskStatus | None:
        try:
            return self._client_of(task.conn_id).status(task.operation, task.id).status
        except UnknownStatusError:
            return None
        except AsposeOcrError as error:
            if not error.retryable:
                raise
            log.warning("%s", error.message)
            return None

    def _drop(self, task: TaskRef) -> None:
        try:
            cancel_if_running(self._client_of(task.conn_id), task, "a new submit replaces it")
        except Exception as error:  # the connection of an earlier try may be gone, too
            log.warning("Could not cancel %s %s: %s", task.operation, task.id, shown(error))

    def _take_unknown(self, message: str) -> None:
        """Return if the document may be sent again."""
        policy = self._policies.on_unknown_submit
        if may_resubmit(policy, self._stored.resubmits + self._again):
            log.warning("%s Submitting once more: %s may be billed twice.", message, self._what)
            count("resubmits", operation=self._identity.operation)
            self._again = True
            return
        why = (
            "on_unknown_submit is 'fail'"
            if policy == "fail"
            else "it has been submitted again once already, so that it may have been billed more than once"
        )
        self._stored.write_doubt(self._identity)
        count("failures", operation=self._identity.operation)
        fail_task(
            log,
            f"{message} {self._what} may have been billed; {why}. Look into the vendor's dashboard; clearing this "
            "task submits again.",
        )

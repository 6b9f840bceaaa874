"""
From an Airflow connection to the cloud.

Invariant: the client secret, and each token, is known to Airflow's masker before anything can log it.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    InputError,
    InvalidConnectionError,
    SourceUnreadableError,
    shown_at,
)
from airflow_provider_asposeocr.api.files.work_folder import work_folder
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.polling.progress import document_text, duration_text, task_text
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState, parse_task_ref
from airflow_provider_asposeocr.api.results.download import download_results
from airflow_provider_asposeocr.api.results.reasons import state_with_reasons
from airflow_provider_asposeocr.api.settings import validate_settings
from airflow_provider_asposeocr.clients import client_for
from airflow_provider_asposeocr.compat import AirflowNotFoundException
from airflow_provider_asposeocr.connection import account_of, mask_token, unknown_extras
from airflow_provider_asposeocr.documents import destinations, sources
from airflow_provider_asposeocr.lifecycle.wait import TaskWait
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.metrics import count
from airflow_provider_asposeocr.parameters import native_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow.sdk import Connection

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.api.results.download import Result
    from airflow_provider_asposeocr.documents.owners import Made

log = logging.getLogger(__name__)

#: Task id for "Test connection". The task does not exist, so that the answer is NotExist and nothing is billed.
_UNKNOWN_TASK = "00000000-0000-0000-0000-000000000000"


class AsposeOcrHook(BaseHook):
    """
    Use Aspose.OCR Cloud from Python code, for example from a ``@task``.

    :param aspose_ocr_conn_id: Airflow connection of the type ``aspose_ocr``.
    """

    conn_name_attr: ClassVar[str] = "aspose_ocr_conn_id"
    default_conn_name: ClassVar[str] = "aspose_ocr_default"
    conn_type: ClassVar[str] = "aspose_ocr"
    hook_name: ClassVar[str] = "Aspose.OCR Cloud"

    def __init__(self, aspose_ocr_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(aspose_ocr_conn_id, str):
            raise InputError(
                f"aspose_ocr_conn_id is the id of a connection, not {shown(repr(aspose_ocr_conn_id), 80)}."
                f"{native_hint(aspose_ocr_conn_id)}"
            )
        self.aspose_ocr_conn_id = aspose_ocr_conn_id

    @cached_property
    def account(self) -> Account:
        """
        The account of the connection.

        :raises InvalidConnectionError: if there is no such connection, or if its fields or extras make no sense.
        """
        return account_of(self._connection())

    def _connection(self) -> Connection:
        # Not kept: it holds the secret, and a hook may be shown.
        try:
            return self.get_connection(self.aspose_ocr_conn_id)
        except AirflowNotFoundException:
            raise InvalidConnectionError(
                f"Airflow finds no connection {shown(self.aspose_ocr_conn_id, 200)!r}, neither in the environment and "
                "the secrets backends nor in its database."
            ) from None

    @property
    def client(self) -> CloudClient:
        """The client of the account, shared by the whole process."""
        return client_for(self.account, mask_token)

    def get_conn(self) -> CloudClient:
        """Return the client, under the name that Airflow's hooks have for it."""
        return self.client

    def submit(
        self,
        operation: str | Operation | Mapping[str, Any],
        source: Any,
        *,
        settings: Mapping[str, Any] | None = None,
        strict_settings: bool = True,
    ) -> dict[str, Any]:
        """
        Start a cloud task, which is what the cloud bills.

        :param operation: Name of the operation, for example ``RecognizeImage``; or an ``Operation`` that this version does
            not know, as :class:`AsposeOcrSubmitOperator` takes it.
        :param source: A path or URI in any object storage that Airflow knows, or a task reference whose result is the
            input.
        :param settings: Settings of the operation; only what is set is sent.
        :param strict_settings: Whether settings that are not known for the operation are an error.
        :return: The task reference: JSON with ``operation``, ``id``, ``submitted_at``, ``conn_id`` and where it came
            from.
        :raises InputError: if the source or the settings cannot be used; nothing was sent.
        :raises SubmitUnknownError: if it is unknown whether the cloud accepted it.
        """
        with self.prepared(operation, source, settings=settings, strict_settings=strict_settings) as send:
            return send().to_dict()

    @contextmanager
    def prepared(
        self,
        operation: str | Operation | Mapping[str, Any],
        source: Any,
        *,
        settings: Mapping[str, Any] | None = None,
        strict_settings: bool = True,
    ) -> Iterator[Callable[[], TaskRef]]:
        """
        Bring a source to local disk, so that only the cloud can fail from then on.

        :param operation: As in :meth:`submit`, like the other parameters.
        :param source: A path, a URI or a task reference.
        :param settings: Settings of the operation.
        :param strict_settings: Whether settings that are not known for the operation are an error.
        :return: A context that yields what sends the document and returns the task reference.
        """
        row = find_operation(operation, self.account.trial)
        checked = validate_settings(row, settings, strict=strict_settings)
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(work_folder())
            except OSError as error:
                raise SourceUnreadableError(
                    f"The source cannot be brought to the local temporary folder {gettempdir()!r}: {error}. "
                    "Make room there, or set TMPDIR to another folder."
                ) from error
            document = sources.spool(sources.parse_source(source), row, folder, self.client_of, time.time())
            yield partial(self._send, row, document, checked)

    def _send(self, operation: Operation, document: sources.Document, settings: Mapping[str, Any]) -> TaskRef:
        called = document_text(document.name, document.size_bytes)
        self.log.info("Submitting %s to %s as %s", called, operation.name, self.aspose_ocr_conn_id)
        began = time.monotonic()
        submitted = self.client.submit(operation, document.content, settings)
        count("submits", operation=submitted.operation)
        ref = TaskRef(
            operation=submitted.operation,
            id=submitted.id,
            submitted_at=submitted.submitted_at,
            conn_id=self.aspose_ocr_conn_id,
            source_name=document.name,
            source_bytes=document.size_bytes,
            source_uri=document.source_uri,
            source_qualifier=document.source_qualifier,
            source_sha256=document.source_sha256,
            input_sha256=document.sha256,
            **_origin(),
        )
        self.log.info(
            "Submitted %s in %s: accepted, which is billed; %d bytes, SHA-256 %s",
            task_text(ref),
            duration_text(time.monotonic() - began),
            document.size_bytes,
            document.sha256,
        )
        return ref

    def status(self, task: Any) -> TaskState:
        """
        Read the status of a cloud task.

        :param task: The task reference.
        :return: The state, see its ``status``, ``messages`` and ``warnings``. Of a task that has failed it has the
            cloud's reasons.
        """
        ref = parse_task_ref(task)
        client = self.client_of(ref.conn_id)
        state = client.status(ref.operation, ref.id)
        if state.taskStatus == TaskStatus.ERROR:
            return state_with_reasons(client, ref) or state
        return state

    def wait(
        self,
        task: Any,
        *,
        timeout_seconds: float | None = None,
        poll_interval_seconds: float | None = None,
        max_poll_interval_seconds: float | None = None,
    ) -> None:
        """
        Block until a cloud task is completed. Operators wait without a worker slot; this does not.

        :param task: The task reference.
        :param timeout_seconds: How long; by default ``[aspose_ocr] timeout_seconds``. The task is cancelled then.
        :param poll_interval_seconds: Shortest time between two polls; by default the option of the same name, as below.
        :param max_poll_interval_seconds: Longest time between two polls.
        :raises TaskError: if it did not end well or not in time.
        """
        ref = parse_task_ref(task)
        parameters = WaitParameters(poll_interval_seconds, max_poll_interval_seconds, timeout_seconds)
        TaskWait(ref, self.client_of(ref.conn_id)).run(parameters.plan(time.time()))

    def fetch(self, task: Any) -> list[Result]:
        """
        Fetch the results of a completed task into memory. Large ones are better fetched to storage.

        :param task: The task reference.
        :return: One entry per result, in the cloud's order, with ``type``, ``data``, ``text``,
            ``size_bytes`` and ``sha256``.
        :raises TaskError: if the task is not completed.
        :raises ResultError: if its results are missing or broken.
        """
        ref = parse_task_ref(task)
        with download_results(self.client_of(ref.conn_id), ref, time.time()) as done:
            return [result.in_memory() for result in done.results]

    def fetch_to(self, task: Any, destination: str, **options: Any) -> dict[str, Any]:
        """
        Fetch the results of a completed task into object storage.

        :param task: The task reference.
        :param destination: A URI; with a slash at its end it is a folder.
        :param options: ``file_stem``, ``if_exists`` and ``inline_text_bytes`` as in
            :func:`~airflow_provider_asposeocr.documents.destinations.store`.
        :return: The manifest as plain JSON, see :class:`.Manifest`; :func:`.parse_manifest` makes it that class again.
        """
        ref = parse_task_ref(task)
        checked = destinations.parse_destination(destination)
        with download_results(self.client_of(ref.conn_id), ref, time.time()) as done:
            return destinations.store(ref, done, checked, find_maker=find_maker, **options).to_dict()

    def cancel(self, task: Any) -> None:
        """
        Remove a task from the cloud's queue.

        :param task: The task reference.
        """
        ref = parse_task_ref(task)
        self.client_of(ref.conn_id).cancel(ref.operation, ref.id)

    def test_connection(self) -> tuple[bool, str]:
        """
        Check the connection without billing anything.

        :return: Whether it works, and in words what works or what is wrong.
        """
        try:
            with shown_at("form"):
                works, said = True, self._tested()
        except AsposeOcrError as error:
            works, said = False, str(error)
        except (OSError, ValueError) as error:
            works, said = False, f"The connection cannot be used: {shown(error)}"
        try:
            return works, f"{said} {unknown_extras(self._connection())}".rstrip()
        except InvalidConnectionError:
            return works, said

    def _tested(self) -> str:
        client = self.client
        account = client.account
        if not account.trial:
            client.obtain_token(ONCE)  # A user waits in front of the form, and can press the button again.
        client.status("RecognizeImageTrial" if account.trial else "RecognizeImage", _UNKNOWN_TASK, ONCE)
        if account.trial:
            return f"{account.base_url} answers in evaluation mode; a tenth of the words is masked."
        return f"{account.base_url} accepts the client id and secret."

    def client_of(self, conn_id: str) -> CloudClient:
        """
        Return the client of a connection; an upstream task may be of another account.

        :param conn_id: Airflow connection.
        """
        if conn_id == self.aspose_ocr_conn_id:
            return self.client
        return type(self)(conn_id).client


def _origin() -> dict[str, Any]:
    """Which Airflow task runs this, if one does."""
    try:
        from airflow.sdk import get_current_context

        ti = get_current_context()["ti"]
    except (ImportError, RuntimeError, KeyError):
        return {}
    return {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}


def find_maker(uri: str) -> Made | None:
    """
    Find out from the manifests of batches which source made a file that has no owner record.

    :param uri: The file.
    """
    # Most fetches find no file, or one with a record, and need no code of batches.
    from airflow_provider_asposeocr.batch.makers import maker_of

    return maker_of(uri)

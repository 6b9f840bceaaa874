"""
The operator that writes results to object storage.

Invariant: a result is written whole or not at all, and only its description, the manifest, goes into XCom.
"""

from __future__ import annotations

import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator, ObjectStoragePath

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import parse_task_ref
from airflow_provider_asposeocr.api.results.download import download_results
from airflow_provider_asposeocr.api.results.policies import ON_ABSENT, ON_LOW_QUALITY
from airflow_provider_asposeocr.api.tasks import refuse_expired
from airflow_provider_asposeocr.api.templates import has_template
from airflow_provider_asposeocr.assets import add_extra, extra_of_fetch
from airflow_provider_asposeocr.config import default_flag
from airflow_provider_asposeocr.documents import destinations
from airflow_provider_asposeocr.documents.manifest import make_manifest
from airflow_provider_asposeocr.documents.owners import IF_EXISTS, IfExists
from airflow_provider_asposeocr.hooks.aspose_ocr import find_maker
from airflow_provider_asposeocr.lifecycle.policies import ON_INCOMPLETE
from airflow_provider_asposeocr.links import AsposeOcrResultLink
from airflow_provider_asposeocr.operators.result_checks import (
    check_result_parameters,
    described,
    end_low_quality,
    judge_results,
    push_fields,
)
from airflow_provider_asposeocr.operators.start_from_trigger import set_start_trigger_args
from airflow_provider_asposeocr.operators.task_log import fetch_begins, fetch_ends
from airflow_provider_asposeocr.operators.waiting import WaitsForTask, check_waiting
from airflow_provider_asposeocr.parameters import (
    check_choice,
    check_counts,
    check_one_document,
    constructing,
    is_mapped,
    one_document,
    parse_bool,
    rendered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.api.results.download import Download
    from airflow_provider_asposeocr.api.results.policies import OnAbsent, OnLowQuality
    from airflow_provider_asposeocr.documents.manifest import Manifest
    from airflow_provider_asposeocr.lifecycle.policies import CancelOnKill, OnIncomplete
    from airflow_provider_asposeocr.lifecycle.wait import TaskWait


#: XCom lives in the metadata database.
MOST_EXTRACT_BYTES = 1_000_000


def _is_final(value: Any) -> bool:
    return isinstance(value, str) and not has_template(value)


class AsposeOcrFetchResultOperator(WaitsForTask, BaseOperator):
    """
    Wait for a cloud task and write its decoded results to object storage.

    :param task: The task reference, for example ``recognize.output``.
    :param destination: Where to: an absolute path or a URI in any object storage that Airflow knows. With a slash at its
        end it is a folder, and names are made from the source's name and the result's type; with a suffix it is the
        file. Anything else could be meant as either and is refused.
    :param file_stem: Name without suffix of files in a folder; by default that of the source, else operation and task id.
    :param if_exists: What to do about files that already exist. ``overwrite``, the default: overwrite files that the same
        source document made, so that a retry does no harm, and fail without a retry if another document made one.
        ``overwrite_any``: overwrite any file. ``fail``: fail before anything is written. ``skip``: keep the files and
        describe them in the manifest, and fail if a record names another document.
    :param on_incomplete: What to do when the cloud completed the task but lost some of its results: ``fail``, or ``keep``
        what is there.
    :param inline_text_bytes: Largest text result in bytes that is put into the manifest too; 0, the default, = none,
        because XCom lives in the metadata database.
    :param extract: Fields of the results that become XComs and are in the manifest, by the name that each gets: for example
        ``{"total": "invoice.total_amount", "text": "text"}``; see docs/results.md. By default none.
    :param on_absent: What to do where the results do not have such a field: ``none``, the default: its value is ``None``;
        ``fail``: fail without a retry. The files are written in both cases.
    :param extract_bytes: Largest value of a field as JSON, in bytes, because XCom lives in the metadata database. A longer
        text or list is cut, and a warning says so. The default is 8,192.
    :param quality: What a result has to reach: ``min_mean_confidence``, ``min_characters``, ``must_match``,
        ``language_share``; see docs/results.md. By default nothing.
    :param on_low_quality: What to do where it does not. ``fail``, the default: write the files and fail without a retry.
        ``skip``: write nothing and skip the task. ``mark``: write the files; the manifest's outcome is ``low_quality``.
        ``review``: as ``mark``, and push an XCom for a person.
    :param previews: Whether to store pictures of the pages of the source document beside the results, for the page of
        results in Airflow's UI; by default ``[aspose_ocr] previews`` (no). The worker reads the source again, and needs the
        extra ``preview``.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``.
    :param start_from_trigger: Whether the wait begins in the triggerer, without a worker before it (Airflow 3.3,
        ``deferrable=True``); by default it does not, because that takes longer where the result is there already.
    :param inline_wait_seconds: How long to wait in the worker before deferring; this parameter and the ones below have
        the defaults of :class:`.AsposeOcrSubmitOperator`.
    :param poll_interval_seconds: Shortest time between two polls.
    :param max_poll_interval_seconds: Longest time between two polls.
    :param timeout_seconds: How long to wait before the cloud task is cancelled.
    :param cancel_on_kill: Whether killing the task cancels the cloud task, if that still runs.
    :return: The manifest as plain JSON: the fields of :class:`.Manifest`.
    :raises ValueError: at parse time, if a number or a policy makes no sense, or the triggerer could not find ``task``.
    :raises DestinationError: at parse time, if the destination or the stem makes no sense and is no template.
    :raises InputError: at parse time, if a gate is unknown, or a path of ``extract`` leads nowhere and is no template.
    """

    template_fields: Sequence[str] = ("task", "destination", "file_stem", "extract")
    operator_extra_links = (AsposeOcrResultLink(),)
    _manifest: Manifest | None = None
    ui_color = "#e7f4e4"

    def __init__(
        self,
        *,
        task: Any,
        destination: str,
        file_stem: str | None = None,
        if_exists: IfExists = "overwrite",
        on_incomplete: OnIncomplete = "fail",
        inline_text_bytes: int = 0,
        extract: Mapping[str, str] | None = None,
        on_absent: OnAbsent = "none",
        extract_bytes: int = 8192,
        quality: Mapping[str, Any] | None = None,
        on_low_quality: OnLowQuality = "fail",
        previews: bool | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        inline_wait_seconds: float | None = None,
        poll_interval_seconds: float | None = None,
        max_poll_interval_seconds: float | None = None,
        timeout_seconds: float | None = None,
        cancel_on_kill: CancelOnKill = "last_try",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.task = task
        self.destination = destination
        self.file_stem = file_stem
        self.if_exists = if_exists
        self.on_incomplete = on_incomplete
        self.inline_text_bytes = inline_text_bytes
        self.extract = extract
        self.on_absent = on_absent
        self.extract_bytes = extract_bytes
        self.quality = quality
        self.on_low_quality = on_low_quality
        self.previews = previews
        self.deferrable = deferrable
        self.inline_wait_seconds = inline_wait_seconds
        self.poll_interval_seconds = poll_interval_seconds
        self.max_poll_interval_seconds = max_poll_interval_seconds
        self.timeout_seconds = timeout_seconds
        self.cancel_on_kill = cancel_on_kill
        check_one_document(self, task=task)
        check_waiting(self)
        check_choice("if_exists", if_exists, IF_EXISTS)
        check_choice("on_incomplete", on_incomplete, ON_INCOMPLETE)
        check_choice("on_absent", on_absent, ON_ABSENT)
        check_choice("on_low_quality", on_low_quality, ON_LOW_QUALITY)
        check_counts(extract_bytes=(extract_bytes, MOST_EXTRACT_BYTES))
        if previews is not None:
            parse_bool(previews, "previews")
        if (
            isinstance(inline_text_bytes, bool)
            or not isinstance(inline_text_bytes, int)
            or inline_text_bytes < 0
        ):
            raise ValueError(f"inline_text_bytes must be a number of bytes, not {inline_text_bytes!r}")
        self._check_what_is_no_template()
        set_start_trigger_args(self, start_from_trigger, "task", task)

    def _check_what_is_no_template(self) -> None:
        """Refuse at parse time what would be refused after the submit has been billed."""
        if is_mapped(self):
            return  # Airflow makes a mapped operator when it runs; execute() refuses without a retry.
        with constructing(self):
            check_result_parameters(self, is_rendered=False)
            if isinstance(self.destination, PurePath | ObjectStoragePath) or _is_final(self.destination):
                destinations.parse_destination(self.destination)
            if _is_final(self.file_stem):
                destinations.check_file_stem(self.file_stem)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Wait, fetch, write.

        :param context: Airflow's context.
        :return: The manifest.
        """
        ref = None
        try:
            # Errors in the parameters are raised before the wait, not after it.
            destinations.parse_destination(self.destination)
            destinations.check_file_stem(self.file_stem)
            check_result_parameters(self, is_rendered=True)
            ref = parse_task_ref(one_document(self, "task", rendered(self.task)))
            refuse_expired(ref, time.time())
            self.log.info("%s", fetch_begins(ref, self.destination, context["ti"]))
            return self._fetch(self._wait_for(ref, context), context)
        except AsposeOcrError as error:
            self._fail(error, ref)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the trigger has fired.

        :param context: Airflow's context.
        :param event: The trigger's event.
        :return: The manifest.
        """
        try:
            return self._fetch(self._resumed(event, context), context)
        except AsposeOcrError as error:
            self._fail(error, self._wait.ref if self._wait else None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Tell OpenLineage what was read and written; its provider calls this, also after a failure.

        :param task_instance: Airflow's.
        :return: OpenLineage's ``OperatorLineage``; ``None`` without its library.
        """
        from airflow_provider_asposeocr.lineage import lineage_of_fetch

        return lineage_of_fetch(self, self._manifest)

    def _fetch(self, wait: TaskWait, context: Context) -> dict[str, Any]:
        # With the client of the wait: reading the connection again asks Airflow, and there perhaps a vault.
        ref = wait.ref
        with download_results(
            wait.client, ref, time.time(), keep_incomplete=self.on_incomplete == "keep"
        ) as done:
            measured, verdict = judge_results(self, ref, done)
            manifest = self._store(ref, done) if verdict.stores else make_manifest(ref, done, [])
            manifest = described(self, manifest, done, measured, verdict)
        said = len(done.state.warnings)
        for notice in manifest.messages + manifest.warnings[:said]:
            self.log.warning("The cloud says: %s", notice)
        for warning in manifest.warnings[said:]:
            self.log.warning("%s", warning)
        for result in manifest.results:
            verb = "Left" if result.skipped else "Wrote"
            where, what = shown(result.uri, 300), shown(result.type, 40)
            self.log.info("%s %s (%s, %d bytes)", verb, where, what, result.bytes)
        manifest = self._manifest = self._with_previews(manifest) if verdict.stores else manifest
        push_fields(manifest, context)
        if verdict.is_low:
            end_low_quality(self, manifest, verdict, context)
        add_extra(context, self.outlets, extra_of_fetch(manifest))
        self.log.info("%s", fetch_ends(manifest, self.destination, context["ti"]))
        return manifest.to_dict()

    def _store(self, ref: TaskRef, done: Download) -> Manifest:
        return destinations.store(
            ref,
            done,
            destinations.parse_destination(self.destination),
            file_stem=self.file_stem,
            if_exists=self.if_exists,
            inline_text_bytes=self.inline_text_bytes,
            find_maker=find_maker,
        )

    def _with_previews(self, manifest: Manifest) -> Manifest:
        if not (default_flag("previews") if self.previews is None else self.previews):
            return manifest
        # What it imports is for workers: parsing a DAG should not load it.
        from airflow_provider_asposeocr.previews.storing import with_previews

        made = with_previews(manifest, destinations.parse_destination(self.destination))
        for warning in made.warnings[len(manifest.warnings) :]:
            self.log.warning("%s", warning)
        return made

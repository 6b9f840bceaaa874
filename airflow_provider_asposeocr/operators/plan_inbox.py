"""
The operator that finds the new files of an inbox.

Invariant: it sends nothing to the cloud, and its only state is the files below the register. Each run lists the inbox and
compares it with the index of files that were read. So no event, watermark or earlier run can hide a file.
"""

from __future__ import annotations

import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.templates import differs_by_run, has_template
from airflow_provider_asposeocr.compat import AirflowSkipException
from airflow_provider_asposeocr.documents.folders import STATE_FOLDER, parse_folder
from airflow_provider_asposeocr.documents.uris import same_place
from airflow_provider_asposeocr.failing import fail_with
from airflow_provider_asposeocr.ingestion.inbox import AsposeOcrInbox
from airflow_provider_asposeocr.metrics import gauge
from airflow_provider_asposeocr.parameters import check_counts, constructing, parse_bool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_asposeocr.ingestion.plan_folders import PlannedRun
    from airflow_provider_asposeocr.ingestion.planning import InboxPlan

#: XCom key of what was found.
PLAN_KEY = "aspose_ocr_plan"
#: Airflow's default of ``[core] max_map_length``: the most batches that one plan can be expanded to.
MOST_BATCHES = 1024
_MOST_BATCH_DOCUMENTS = 10_000


class AsposeOcrPlanInboxOperator(BaseOperator):
    """
    Find the new files of an inbox, and divide them among batches.

    The oldest files come first. If there is nothing new, the task is skipped, and with it the batches.

    :param inbox: The inbox. A template in its folder is rendered.
    :param destination: URI of the folder of the results, with a slash at its end. It must not lie in the inbox.
    :param register: URI of the folder of the register, with a slash at its end; by default ``.aspose-ocr/``
        below the destination. It must not lie in the inbox.
    :param pipeline: Name under which files count as read; by default the destination. Two DAGs that read one inbox in
        different ways need different ones.
    :param max_documents: The budget: most files of one run, 10,000 by default. The rest is left to the next runs.
    :param batch_documents: Most files of one batch, 500 by default. A run has at most 1,024 batches (Airflow's
        ``[core] max_map_length``); what does not fit is left, too.
    :param include_failed: Whether files are read again that have failed permanently. No by default. Template.
    :param reprocess: Whether all files count as new. No by default. Template. Content that the register knows is not billed
        again even then.
    :param dry_run: Whether only to say in the log what would be read, and to skip the batches. No by default. Template.
    :return: URIs of the work lists, one for each batch, for ``AsposeOcrBatchOperator.partial(…).expand(sources=…)``. The
        XCom ``aspose_ocr_plan`` says how many files there are, were chosen, and are left.
    :raises InputError: at parse time, if a folder cannot be meant, or results would be written into the inbox; after
        rendering, where it is a template.
    :raises ValueError: at parse time, if a number makes no sense.
    :raises SourceError: if the inbox cannot be listed.
    """

    template_fields: Sequence[str] = (
        "folder",
        "destination",
        "register",
        "pipeline",
        "include_failed",
        "reprocess",
        "is_dry_run",
    )
    ui_color = "#e3edf7"

    def __init__(
        self,
        *,
        inbox: AsposeOcrInbox,
        destination: str,
        register: str | None = None,
        pipeline: str | None = None,
        max_documents: int = 10_000,
        batch_documents: int = 500,
        include_failed: bool | str = False,
        reprocess: bool | str = False,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.inbox = inbox
        self.folder = getattr(inbox, "folder", None)
        self.destination = destination
        self.register = register
        self.pipeline = pipeline
        self.max_documents = max_documents
        self.batch_documents = batch_documents
        self.include_failed = include_failed
        self.reprocess = reprocess
        self.is_dry_run = dry_run  # Not ``dry_run``, which is a method of Airflow's operators.
        with constructing(self):
            self._check()

    def _check(self) -> None:
        if not isinstance(self.inbox, AsposeOcrInbox):
            raise InputError(f"inbox is an AsposeOcrInbox, not {shown(repr(self.inbox), 120)}.")
        check_counts(
            max_documents=(self.max_documents, None),
            batch_documents=(self.batch_documents, _MOST_BATCH_DOCUMENTS),
        )
        words = {
            "include_failed": self.include_failed,
            "reprocess": self.reprocess,
            "dry_run": self.is_dry_run,
        }
        for name, value in words.items():
            if not has_template(value):
                parse_bool(value, name)
        for name in ("destination", "register"):
            value = getattr(self, name)
            if isinstance(value, PurePath) or (value is not None and not has_template(value)):
                parse_folder(value, name)
                self.inbox.check_no_loop(**{name: str(value)})
        self._check_same_in_each_run()

    def _check_same_in_each_run(self) -> None:
        """Refuse a register or a pipeline that differs from run to run: it would not know what earlier runs have read."""
        if differs_by_run(self.folder):
            return
        for name, value, costs in (
            ("register", self.register, "read and billed"),
            ("pipeline", self.pipeline, "looked at"),
        ):
            written = self.destination if value is None else value
            if differs_by_run(written):
                raise InputError(
                    f"The {name} is another one in each run, {shown(written, 200)!r}, and the inbox is always the same, so "
                    f"that each run's files would all be {costs} again by the next one. Set register and pipeline to texts "
                    "without a date or a run."
                )

    def execute(self, context: Context) -> list[str]:
        """
        List the inbox, and write the work lists.

        :param context: Airflow's context.
        :return: Their URIs.
        """
        try:
            return self._plan(context)
        except AsposeOcrError as error:
            fail_with(self.log, error)

    def _plan(self, context: Context) -> list[str]:
        # What they import is for workers: parsing a DAG should not load it.
        from airflow_provider_asposeocr.ingestion.plan_folders import sweep_plans, write_plan
        from airflow_provider_asposeocr.ingestion.planning import plan_inbox, work_lists
        from airflow_provider_asposeocr.ingestion.seen import SeenKeys
        from airflow_provider_asposeocr.ingestion.seen_files import SeenFiles
        from airflow_provider_asposeocr.operators.plan_runs import planned_run, run_states, storage_errors

        inbox, register, pipeline = self._rendered()
        index = SeenFiles(register)
        with storage_errors(register, "read"):
            seen = SeenKeys() if parse_bool(self.reprocess, "reprocess") else index.load()
        self.log.info("Listing the inbox %s; %d files were read before", shown(inbox.folder, 300), len(seen))
        most = min(self.max_documents, self.batch_documents * _most_batches())
        include_failed = parse_bool(self.include_failed, "include_failed")
        plan = plan_inbox(inbox, pipeline, seen, most=most, include_failed=include_failed)
        lists = work_lists(
            plan.files, self.batch_documents, register=register, base=inbox.folder, pipeline=pipeline
        )
        run = planned_run(context, time.time())
        is_dry = parse_bool(self.is_dry_run, "dry_run")
        uris: list[str] = []
        if plan.files and not is_dry:
            with storage_errors(register, "written"):
                uris = write_plan(register, run, lists)
        self._tell(context, plan, len(uris), is_dry=is_dry)
        if not uris:
            raise AirflowSkipException(
                "A dry run: nothing was planned." if is_dry else "There is nothing new."
            )
        index.compact()
        self._warn_of_others(sweep_plans(register, run, run_states(context["ti"])).foreign)
        return uris

    def _rendered(self) -> tuple[AsposeOcrInbox, str, str]:
        inbox = self.inbox if self.folder == self.inbox.folder else self.inbox.at(str(self.folder))
        destination = parse_folder(self.destination, "destination")
        register = parse_folder(
            f"{destination}{STATE_FOLDER}" if self.register is None else self.register, "register"
        )
        inbox.check_no_loop(destination=destination, register=register)
        pipeline = same_place(destination) if self.pipeline is None else self.pipeline
        if not isinstance(pipeline, str) or not pipeline.strip():
            raise InputError(f"pipeline is a name, not {shown(repr(pipeline), 120)}.")
        return inbox, register, pipeline

    def _tell(self, context: Context, plan: InboxPlan, batches: int, *, is_dry: bool) -> None:
        counts = {
            "listed": plan.listed,
            "new": plan.new,
            "planned": len(plan.files),
            "left": plan.left,
            "growing": plan.growing,
            "refused": plan.refused,
            "failed": plan.failed,
            "bytes": plan.size_bytes,
            "batches": batches,
            "dry_run": is_dry,
        }
        context["ti"].xcom_push(PLAN_KEY, counts)
        # The storage's clock may be ahead of this one.
        gauge("oldest_unsettled_seconds", max(0.0, time.time() - plan.oldest_at) if plan.oldest_at else 0.0)
        self.log.info(
            "%d of %d documents are new. %s %d of them, the oldest, with %d bytes, %s; %d are left to later runs.",
            plan.new,
            plan.listed,
            "Would plan" if is_dry else "Planned",
            len(plan.files),
            plan.size_bytes,
            f"which may cost {len(plan.files)} cloud tasks per step" if is_dry else f"in {batches} batches",
            plan.left,
        )
        if plan.others and not plan.listed:
            self.log.warning(
                "The inbox has %d files, and by its pattern %r none of them is a document. Correct the pattern, if they are "
                "to be read.",
                plan.others,
                shown(self.inbox.pattern, 120),
            )
        if plan.failed:
            self.log.info(
                "%d documents are left out because they have failed permanently; the manifests say why. If the cause is "
                "gone, for example wrong steps, run once with include_failed=True.",
                plan.failed,
            )
        if plan.growing:
            self.log.info(
                "%d files were still changing; a later run takes them. A file counts as whole after %g seconds without "
                "change.",
                plan.growing,
                self.inbox.quiet,
            )
        for file in plan.files[:10] if is_dry else ():
            self.log.info("Would read %s", shown(file.uri, 300))

    def _warn_of_others(self, foreign: tuple[PlannedRun, ...]) -> None:
        if foreign:
            self.log.warning(
                "The register has work lists of runs that this Airflow does not have, for example the run %s of %s%s. If "
                "another Airflow uses the register, give each its own [aspose_ocr] installation: otherwise their batches "
                "may take each other's journals for their own.",
                shown(foreign[0].run_id, 100),
                shown(foreign[0].dag_id, 100),
                f" in the installation {shown(foreign[0].installation, 60)!r}"
                if foreign[0].installation
                else "",
            )


def _most_batches() -> int:
    return min(MOST_BATCHES, conf.getint("core", "max_map_length", fallback=MOST_BATCHES))

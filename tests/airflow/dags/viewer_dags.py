"""A run with something to see for each kind of task, for the tests of the viewer."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_asposeocr.compat import AirflowSkipException
from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrBinarizeImageOperator,
    AsposeOcrDeskewImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

WITH_BOXES = {"language": "English", "resultType": "TextAndPdfAndHocr"}

with DAG("viewer", params={"scan": "", "inbox": "", "outbox": ""}):
    recognize = AsposeOcrRecognizeImageOperator(
        task_id="recognize", source="{{ params.scan }}", settings=WITH_BOXES
    )
    AsposeOcrFetchResultOperator(task_id="fetch", task=recognize.output, destination="{{ params.outbox }}")
    binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source="{{ params.scan }}")
    AsposeOcrFetchResultOperator(
        task_id="fetch_binarized", task=binarize.output, destination="{{ params.outbox }}binarized/"
    )
    AsposeOcrBatchOperator(
        task_id="batch",
        sources="{{ params.inbox }}",
        steps=[{"operation": "RecognizeImage", "settings": {"resultType": "TextAndHocr"}}],
        destination="{{ params.outbox }}batch/",
        max_failures=0.9,
    )

    @task
    def other() -> int:
        """Return what is no document."""
        return 42

    other()

with DAG("viewer_documents", params={"inbox": "", "steps_inbox": "", "outbox": ""}):
    AsposeOcrBatchOperator(
        task_id="documents",
        sources="{{ params.inbox }}",
        steps=[{"operation": "RecognizeImage", "settings": {"resultType": "TextAndHocr"}}],
        destination="{{ params.outbox }}documents/",
        previews=True,
    )
    AsposeOcrBatchOperator(
        task_id="steps",
        sources="{{ params.steps_inbox }}",
        steps=["BinarizeImage", {"operation": "RecognizeImage", "settings": {"resultType": "TextAndHocr"}}],
        destination="{{ params.outbox }}steps/",
        previews=True,
        keep_steps=True,
    )

with DAG("viewer_mapped", params={"scans": [], "outbox": ""}):

    @task
    def scans() -> list[str]:
        """Return the paths of the documents."""
        return list(get_current_context()["params"]["scans"])

    mapped = AsposeOcrRecognizeImageOperator.partial(task_id="recognize", settings=WITH_BOXES).expand(
        source=scans()
    )
    AsposeOcrFetchResultOperator.partial(task_id="fetch", destination="{{ params.outbox }}").expand(
        task=mapped.output
    )

with DAG("viewer_running", params={"inbox": "", "outbox": ""}):
    AsposeOcrBatchOperator(
        task_id="read",
        sources="{{ params.inbox }}",
        steps=["RecognizeImage"],
        destination="{{ params.outbox }}",
        poll_interval_seconds=0.5,
        max_poll_interval_seconds=2,
    )

#: A task for each reason to show nothing. The tests make the cloud fail or delay some of them, by their operations.
with DAG("viewer_states", params={"scan": "", "outbox": ""}):
    failing = AsposeOcrRecognizeImageOperator(task_id="failing", source="/no/such/scan.png")
    AsposeOcrFetchResultOperator(
        task_id="after_failing", task=failing.output, destination="{{ params.outbox }}"
    )
    AsposeOcrBinarizeImageOperator(
        task_id="trying_again", source="{{ params.scan }}", retries=1, retry_delay=timedelta(days=1)
    )
    AsposeOcrDeskewImageOperator(task_id="running", source="{{ params.scan }}", deferrable=False)
    deferred = AsposeOcrUpscaleImageOperator(
        task_id="deferred", source="{{ params.scan }}", deferrable=True, inline_wait_seconds=0
    )
    AsposeOcrFetchResultOperator(
        task_id="after_deferred", task=deferred.output, destination="{{ params.outbox }}"
    )
    submitted = AsposeOcrRecognizeImageOperator(
        task_id="submitted", source="{{ params.scan }}", wait_for_completion=False
    )
    AsposeOcrFetchResultOperator(
        task_id="silent", task=submitted.output, destination="{{ params.outbox }}", do_xcom_push=False
    )

    @task
    def skips() -> None:
        """Let the next task be skipped."""
        raise AirflowSkipException

    skipped = AsposeOcrRecognizeImageOperator(task_id="skipped", source="{{ params.scan }}")
    skips() >> skipped

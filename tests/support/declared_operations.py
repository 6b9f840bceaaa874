"""Operations that this version does not know, and a DAG that declares them."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_asposeocr import Operation
from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator, AsposeOcrSubmitOperator

HANDWRITING = Operation(
    "RecognizeHandwriting",
    settings=frozenset({"language", "resultType", "strokes"}),
    result_types=("Text", "Pdf", "Docx"),
    input_types=frozenset({"png", "pdf"}),
    body_field="page",
)
#: Its name has two parts, as the paths of the vendor's older API have.
CLEAN = Operation("ImageProcessing/CleanImage", result_types=("ImagePNG",), has_settings=False)


def dag_with_declared_operations() -> DAG:
    """Return a DAG with tasks and batches, mapped ones too, of declared operations."""
    with DAG("declared", schedule=None) as dag:
        AsposeOcrSubmitOperator(task_id="one", source="/a.png", operation=HANDWRITING)
        AsposeOcrSubmitOperator.partial(task_id="mapped", operation=HANDWRITING).expand(source=["/a.png"])
        AsposeOcrBatchOperator(
            task_id="batch",
            sources="/in/",
            steps=[{"operation": HANDWRITING, "settings": {"resultType": "{{ params.type }}"}}],
            destination="/out/",
        )
        AsposeOcrBatchOperator.partial(task_id="batches", steps=[CLEAN], destination="/out/").expand(
            sources=["/a/", "/b/"]
        )
    return dag

"""
Operators for Aspose.OCR Cloud.

Invariant: a DAG can import every operator from here, and the import makes no connection.
"""

from __future__ import annotations

from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
from airflow_provider_asposeocr.operators.cancel import AsposeOcrCancelTasksOperator
from airflow_provider_asposeocr.operators.fetch import AsposeOcrFetchResultOperator
from airflow_provider_asposeocr.operators.operations import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrDeskewImageOperator,
    AsposeOcrDetectRegionsOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrRecognizePdfOperator,
    AsposeOcrRecognizeRegionsOperator,
    AsposeOcrUpscaleImageOperator,
)
from airflow_provider_asposeocr.operators.submit import AsposeOcrSubmitOperator

__all__ = [
    "AsposeOcrBatchOperator",
    "AsposeOcrBinarizeImageOperator",
    "AsposeOcrCancelTasksOperator",
    "AsposeOcrDeskewImageOperator",
    "AsposeOcrDetectRegionsOperator",
    "AsposeOcrFetchResultOperator",
    "AsposeOcrRecognizeImageOperator",
    "AsposeOcrRecognizePdfOperator",
    "AsposeOcrRecognizeRegionsOperator",
    "AsposeOcrSubmitOperator",
    "AsposeOcrUpscaleImageOperator",
]

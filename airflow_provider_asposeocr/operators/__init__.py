"""
Operators for Aspose.OCR Cloud.

Invariant: a DAG can import every operator from here, and the import makes no connection. An operator is loaded when it is
first used, because only batches need the modules of the batch operator, and the sensor imports modules of this package, too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
    from airflow_provider_asposeocr.operators.cancel import AsposeOcrCancelTasksOperator
    from airflow_provider_asposeocr.operators.fetch import AsposeOcrFetchResultOperator
    from airflow_provider_asposeocr.operators.operations import (
        AsposeOcrBinarizeImageOperator,
        AsposeOcrConvertTextToSpeechOperator,
        AsposeOcrDeskewImageOperator,
        AsposeOcrDetectRegionsOperator,
        AsposeOcrDewarpImageOperator,
        AsposeOcrDjVuToPdfOperator,
        AsposeOcrIdentifyFontOperator,
        AsposeOcrRecognizeAndParseInvoiceOperator,
        AsposeOcrRecognizeImageOperator,
        AsposeOcrRecognizeLabelOperator,
        AsposeOcrRecognizePdfOperator,
        AsposeOcrRecognizeReceiptOperator,
        AsposeOcrRecognizeRegionsOperator,
        AsposeOcrRecognizeTableOperator,
        AsposeOcrUpscaleImageOperator,
    )
    from airflow_provider_asposeocr.operators.plan_inbox import AsposeOcrPlanInboxOperator
    from airflow_provider_asposeocr.operators.submit import AsposeOcrSubmitOperator

__all__ = [
    "AsposeOcrBatchOperator",
    "AsposeOcrBinarizeImageOperator",
    "AsposeOcrCancelTasksOperator",
    "AsposeOcrConvertTextToSpeechOperator",
    "AsposeOcrDeskewImageOperator",
    "AsposeOcrDetectRegionsOperator",
    "AsposeOcrDewarpImageOperator",
    "AsposeOcrDjVuToPdfOperator",
    "AsposeOcrFetchResultOperator",
    "AsposeOcrIdentifyFontOperator",
    "AsposeOcrPlanInboxOperator",
    "AsposeOcrRecognizeAndParseInvoiceOperator",
    "AsposeOcrRecognizeImageOperator",
    "AsposeOcrRecognizeLabelOperator",
    "AsposeOcrRecognizePdfOperator",
    "AsposeOcrRecognizeReceiptOperator",
    "AsposeOcrRecognizeRegionsOperator",
    "AsposeOcrRecognizeTableOperator",
    "AsposeOcrSubmitOperator",
    "AsposeOcrUpscaleImageOperator",
]

#: The modules of operators that have one of their own; all others are in :mod:`.operations`.
_MODULES = {
    "AsposeOcrBatchOperator": "batch",
    "AsposeOcrCancelTasksOperator": "cancel",
    "AsposeOcrFetchResultOperator": "fetch",
    "AsposeOcrPlanInboxOperator": "plan_inbox",
    "AsposeOcrSubmitOperator": "submit",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'operations')}"), name)

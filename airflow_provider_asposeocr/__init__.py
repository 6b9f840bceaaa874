"""
Apache Airflow provider for Aspose.OCR Cloud v5.

Invariant: importing the package imports no other module, because Airflow loads the package in every component and with every
command. A name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "AsposeOcrBatchOperator": "operators",
    "AsposeOcrBinarizeImageOperator": "operators",
    "AsposeOcrCancelTasksOperator": "operators",
    "AsposeOcrConvertTextToSpeechOperator": "operators",
    "AsposeOcrDeskewImageOperator": "operators",
    "AsposeOcrDetectRegionsOperator": "operators",
    "AsposeOcrDewarpImageOperator": "operators",
    "AsposeOcrDjVuToPdfOperator": "operators",
    "AsposeOcrFetchResultOperator": "operators",
    "AsposeOcrHook": "hooks.aspose_ocr",
    "AsposeOcrIdentifyFontOperator": "operators",
    "AsposeOcrInbox": "ingestion.inbox",
    "AsposeOcrPlanInboxOperator": "operators",
    "AsposeOcrRecognizeAndParseInvoiceOperator": "operators",
    "AsposeOcrRecognizeImageOperator": "operators",
    "AsposeOcrRecognizeLabelOperator": "operators",
    "AsposeOcrRecognizePdfOperator": "operators",
    "AsposeOcrRecognizeReceiptOperator": "operators",
    "AsposeOcrRecognizeRegionsOperator": "operators",
    "AsposeOcrRecognizeTableOperator": "operators",
    "AsposeOcrRetryPolicy": "retry_policy",
    "AsposeOcrSubmitOperator": "operators",
    "AsposeOcrTaskSensor": "sensors.aspose_ocr",
    "AsposeOcrTaskTrigger": "triggers.task",
    "AsposeOcrUpscaleImageOperator": "operators",
    "Operation": "api.operations",
    "read_manifest": "batch.manifest_file",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)

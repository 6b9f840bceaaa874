"""Inputs and settings for each operation, the same for the SDK and for our client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_asposeocr.api.operations import OPERATIONS

SCAN = Path(__file__).resolve().parents[2] / "demo" / "scans" / "01-75dpi.png"
_PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
_DJVU = b"AT&TFORM\x00\x00\x00\x04DJVU"

REGIONS = [
    {"order": 0, "rect": {"topLeftX": 0, "topLeftY": 8, "bottomRightX": 697, "bottomRightY": 200}},
    {"order": 1, "rect": {"topLeftX": 0, "topLeftY": 210, "bottomRightX": 697, "bottomRightY": 441}},
]
_SPEECH = {"language": "English", "resultType": "Wav"}

#: Settings as a user would choose them; operations that are missing get none.
SETTINGS: dict[str, dict[str, Any]] = {
    "RecognizeImage": {
        "language": "German",
        "makeSkewCorrect": False,
        "Rotate": 90,
        "makeBinarization": True,
        "makeContrastCorrection": True,
        "makeUpsampling": True,
        "makeSpellCheck": True,
        "dsrMode": "TextDetector",
        "dsrConfidence": "High",
        "resultType": "TextAndPdf",
    },
    "RecognizeImageTrial": {"language": "English", "resultType": "Text"},
    "RecognizePdf": {"language": "English", "resultType": "Text"},
    "RecognizeReceipt": {"language": "English", "resultType": "Text"},
    "RecognizeTable": {"language": "English", "resultTypeTable": "CsvAndExcel"},
    "RecognizeRegions": {"language": "English", "resultType": "Text", "regions": REGIONS},
    "RecognizeLabel": {"language": "English", "resultType": "Text"},
    "RecognizeAndParseInvoice": {"language": "English", "makeUpsampling": True},
    "DetectRegions": {"language": "English", "makeContrastCorrection": True},
    "IdentifyFont": {"language": "English", "resultType": "Text"},
    "DjVu2PDF": {"language": "English", "resultType": "Pdf"},
    "ConvertTextToSpeech": _SPEECH,
    "ConvertTextToSpeechTrial": _SPEECH,
}


def settings_of(operation: str) -> dict[str, Any]:
    """Return the settings for an operation."""
    return SETTINGS.get(operation, {})


def write_document(operation: str, folder: Path) -> Path:
    """
    Write a document that an operation reads.

    :param operation: Name of the operation.
    :param folder: Where to.
    :return: The file.
    """
    kinds = OPERATIONS[operation].input_types
    contents = {"text": b"Read this aloud.", "djvu": _DJVU, "png": SCAN.read_bytes(), "pdf": _PDF}
    kind = next(kind for kind in contents if kind in kinds)
    file = folder / f"document.{kind}"
    file.write_bytes(contents[kind])
    return file

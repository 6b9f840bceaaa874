"""
The operations of Aspose.OCR Cloud v5.0 as one table.

Invariant: only this table contains the differences between operations, so that a new operation is a new row. Paths are
spelled as in the vendor's OpenAPI document (24.11.0); the cloud itself ignores their case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

DEFAULT_BASE_URL = "https://api.aspose.cloud"
API_PREFIX = "/v5.0/ocr"
#: Not under the API prefix (vendor's OpenAPI document, securityScheme ``JWT``).
TOKEN_PATH = "/connect/token"  # noqa: S105 - a path, not a secret
#: The status of a task of any operation, without its results.
STATUS_PATH = f"{API_PREFIX}/Utilities/GetTaskStatus"

#: The cloud keeps results for 24 hours, counted from the submit (vendor's docs, "Recognition workflow").
RETENTION_SECONDS = 24 * 60 * 60

_FILTERS = frozenset(
    {
        "language",
        "makeSkewCorrect",
        "Rotate",
        "makeBinarization",
        "makeContrastCorrection",
        "makeUpsampling",
        "makeSpellCheck",
        "dsrMode",
        "dsrConfidence",
    }
)
_COMMON = _FILTERS | {"resultType"}

_RECOGNITION_RESULTS = (
    "Text",
    "Pdf",
    "TextAndPdf",
    "Hocr",
    "TextAndHocr",
    "PdfAndHocr",
    "TextAndPdfAndHocr",
    "JSON",
)

IMAGES = frozenset({"bmp", "gif", "jpeg", "png", "svg", "tiff"})


@dataclass(frozen=True)
class Operation:
    """
    One row of the table; or an operation that the table does not have, as a user declares it.

    :param name: The operation's name, which is its path below ``/v5.0/ocr/``, too: one part, as of all operations of the
        table, or several with slashes between them, as ``ImageProcessing/RemoveStains``.
    :param settings: Names of the settings that the vendor documents for the operation, in the server's spelling.
    :param result_types: Values of ``resultType`` that apply to the operation. Without that setting: the types of its
        results, as far as they are known.
    :param input_types: Kinds of file that the operation reads (see :mod:`.files.filetypes`).
    :param body_field: Name of the JSON field that carries the input: a text if ``input_types`` is ``text`` alone, otherwise
        base64.
    :param has_settings: Whether the request body has a ``settings`` object at all.
    :param required_settings: Settings without which the cloud refuses the request.
    :param trial: Name of the operation that does the same without an account, if there is one.
    :param needs_token: ``False`` for the trial operations, which are called without ``Authorization``.
    :param result_suffix: Suffix for results whose type does not describe their content (``Other``, ``Text`` that is JSON).
    """

    name: str
    settings: frozenset[str] = frozenset()
    result_types: tuple[str, ...] = ()
    input_types: frozenset[str] = IMAGES
    body_field: str = "image"
    has_settings: bool = True
    required_settings: frozenset[str] = frozenset()
    trial: str | None = None
    needs_token: bool = True
    result_suffix: str | None = None

    @property
    def path(self) -> str:
        """Path of the operation: POST submits, GET fetches, DELETE cancels."""
        return f"{API_PREFIX}/{self.name}"

    @property
    def sends_text(self) -> bool:
        """Whether the input is sent as a text, and not as base64."""
        return self.input_types == frozenset({"text"})

    def __repr__(self) -> str:
        # Airflow serializes what it does not know as this text, and makes a new version of the DAG where it changes.
        return f"Operation({self.to_dict()})"

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON, without what has its default. Equal rows give the same text in every process."""
        found = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: _plain(value) for name, (value, default) in found.items() if value != default}


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)  # A set of texts has another order in each process.
    return list(value) if isinstance(value, tuple) else value


def _image_to_image(name: str) -> Operation:
    return Operation(name, result_types=("ImagePNG",), has_settings=False)


_TABLE = (
    # "pdf", because the Go SDK's own test submits a PDF to RecognizeImage.
    Operation("RecognizeImage", _COMMON, _RECOGNITION_RESULTS, IMAGES | {"pdf"}, trial="RecognizeImageTrial"),
    Operation("RecognizeImageTrial", _COMMON, _RECOGNITION_RESULTS, IMAGES | {"pdf"}, needs_token=False),
    # The field is called "image" here too; the "pdf" of the docs' snippets exists in no SDK.
    Operation("RecognizePdf", _COMMON, _RECOGNITION_RESULTS, frozenset({"pdf"})),
    Operation("RecognizeReceipt", _COMMON, _RECOGNITION_RESULTS),
    # According to the docs, resultType selects tables as JSON, and resultTypeTable all other formats.
    Operation("RecognizeTable", _COMMON | {"resultTypeTable"}, ("JSON",)),
    Operation("RecognizeRegions", _COMMON | {"regions"}, _RECOGNITION_RESULTS),
    Operation(
        "RecognizeLabel",
        frozenset({"language", "makeSkewCorrect", "makeUpsampling", "resultType"}),
        _RECOGNITION_RESULTS,
    ),
    Operation(
        "RecognizeAndParseInvoice",
        frozenset(
            {"language", "makeSkewCorrect", "Rotate", "makeBinarization", "makeUpsampling", "makeSpellCheck"}
        ),
        result_suffix=".json",
    ),
    Operation("DetectRegions", _FILTERS - {"makeSpellCheck"}, result_suffix=".json"),
    Operation(
        "IdentifyFont",
        frozenset(
            {
                "language",
                "makeSkewCorrect",
                "Rotate",
                "makeBinarization",
                "makeContrastCorrection",
                "makeUpsampling",
                "resultType",
            }
        ),
        ("Text",),
    ),
    Operation("DjVu2PDF", frozenset({"language", "resultType"}), ("Pdf",), frozenset({"djvu"})),
    _image_to_image("BinarizeImage"),
    _image_to_image("DeskewImage"),
    _image_to_image("DewarpImage"),
    _image_to_image("UpscaleImage"),
    Operation(
        "ConvertTextToSpeech",
        frozenset({"language", "resultType"}),
        ("Wav",),
        frozenset({"text"}),
        body_field="text",
        required_settings=frozenset({"language", "resultType"}),
        trial="ConvertTextToSpeechTrial",
    ),
    Operation(
        "ConvertTextToSpeechTrial",
        frozenset({"language", "resultType"}),
        ("Wav",),
        frozenset({"text"}),
        body_field="text",
        required_settings=frozenset({"language", "resultType"}),
        needs_token=False,
    ),
)

#: The table, by the operation's name.
OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _TABLE}

#: A valid name of an operation. It becomes a part of a path, and therefore contains only letters and digits of ASCII, and
#: slashes between them. The longest known name has 24 of them.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}(?:/[A-Za-z][A-Za-z0-9]{0,63}){0,3}")
#: Suffix of the names of trial operations.
TRIAL_SUFFIX = "Trial"


def operation_named(name: str) -> Operation:
    """
    Return the operation of a cloud task that already exists.

    :param name: Name of the operation, for example from a task reference.
    :return: Its row of the table. For an operation that is not in the table, a row with what all operations have in common:
        the path, and whether a token is sent. This is sufficient to wait for its task, to fetch it and to cancel it.
    :raises ValueError: if the text cannot be the name of an operation.
    """
    if name in OPERATIONS:
        return OPERATIONS[name]
    if not _NAME.fullmatch(name):
        raise ValueError(
            "not a name of an operation: up to 64 letters and digits, or up to four such parts with a slash between them"
        )
    if f"{API_PREFIX}/{name}".lower() == STATUS_PATH.lower():
        raise ValueError("not a name of an operation: its path tells the status of tasks")
    return Operation(name, needs_token=not name.endswith(TRIAL_SUFFIX))

"""What the page of each operation says beside the table of operations."""

from __future__ import annotations

from dataclasses import dataclass

_RECOGNIZED = (
    "One result for each part of `resultType`: `TextAndPdf` makes a text and a PDF. Text is UTF-8 with line feeds. The PDF"
    " shows the prepared page with invisible text over it. hOCR is HTML with a box for each word. JSON is a list of blocks"
    " with corners and text."
)
_BLOCK_KEYS = "The names of the keys in JSON blocks."
_CONFIDENCES = "Whether the words of hOCR have confidences (`x_wconf`)."
_ORDER = "The order of several results: choose them by their type."


@dataclass(frozen=True)
class About:
    """
    What the table of operations does not say.

    :param does: What it is for, one or two sentences.
    :param makes: What comes out.
    :param settings: Settings of the example.
    :param more: More arguments of the operator in the example.
    :param unknown: What the vendor does not document.
    """

    does: str
    makes: str
    settings: str = ""
    more: str = ""
    unknown: tuple[str, ...] = ()


_TEXT_SETTINGS = '{"language": "English", "resultType": "Text"}'
_FILTERED = "One PNG image, under the type `ImagePNG`. It is the source of the next step, or a file."

ABOUT: dict[str, About] = {
    "RecognizeImage": About(
        "Recognizes the text of an image.",
        _RECOGNIZED,
        _TEXT_SETTINGS,
        unknown=(
            "Whether it reads a PDF: a test of the vendor's Go SDK submits one.",
            _BLOCK_KEYS,
            _CONFIDENCES,
            _ORDER,
        ),
    ),
    "RecognizePdf": About(
        "Recognizes the text of all pages of a PDF with one request.",
        _RECOGNIZED,
        _TEXT_SETTINGS,
        unknown=(
            "Whether the text of several pages is one result or one for each page, and what stands between pages.",
            _BLOCK_KEYS,
            _CONFIDENCES,
            _ORDER,
        ),
    ),
    "RecognizeReceipt": About(
        "Recognizes the text of a receipt. The results are those of a recognition; there are no structured fields.",
        _RECOGNIZED,
        _TEXT_SETTINGS,
        unknown=(_BLOCK_KEYS, _CONFIDENCES, _ORDER),
    ),
    "RecognizeTable": About(
        "Recognizes the table on an image, cell by cell.",
        "What `resultTypeTable` asks for: a text, CSV, a workbook (Office 2007 and later), or CSV and"
        " a workbook. CSV begins with a row of"
        " column numbers (`0,1,2`)."
        ' `{"resultType": "JSON"}` makes blocks with corners and text instead.',
        '{"language": "English", "resultTypeTable": "Csv"}',
        unknown=("The type of a workbook's result.", _BLOCK_KEYS, _ORDER),
    ),
    "RecognizeRegions": About(
        "Recognizes the text within given regions of an image.",
        "One result for each region and part of `resultType`, in the order of the regions.",
        _TEXT_SETTINGS,
        "regions=[[0, 0, 600, 200], [0, 200, 600, 400]],",
        unknown=(_BLOCK_KEYS, _CONFIDENCES, "The order of the results of a combined type."),
    ),
    "RecognizeLabel": About(
        "Recognizes the text of a label, for example on a product or a parcel. The vendor's docs say: English only.",
        _RECOGNIZED,
        _TEXT_SETTINGS,
        unknown=(_BLOCK_KEYS, _CONFIDENCES, _ORDER),
    ),
    "RecognizeAndParseInvoice": About(
        "Recognizes an invoice, and finds its fields.",
        "One JSON object, under the type `Text`: dates, parties, currency, amounts, bank. Texts are in lower case."
        " A text that was not"
        " found is empty, an amount -1, and any key may be missing.",
        '{"language": "English"}',
        unknown=("Whether there are more keys than those of the vendor's sample.",),
    ),
    "DetectRegions": About(
        "Finds the regions of an image that hold text.",
        "One JSON list of rectangles `[x1, y1, x2, y2]` in pixels, under the type `Other`."
        " RecognizeRegions takes another form; its operator converts it.",
        '{"language": "English", "dsrMode": "Regions"}',
        unknown=("The order of the rectangles.",),
    ),
    "IdentifyFont": About(
        "Tells which of 21 typefaces the text of an image is set in.",
        "One text, under the type `Text`: a literal of Python with the style and the names of typefaces. It is not JSON.",
        '{"language": "English"}',
        unknown=("The keys: the vendor shows a sample.",),
    ),
    "DjVu2PDF": About(
        "Converts a DjVu file to a PDF, which RecognizePdf can read.",
        "One PDF, under the type `Pdf`.",
        unknown=("Whether the settings have any effect.",),
    ),
    "BinarizeImage": About("Turns an image into black and white.", _FILTERED),
    "UpscaleImage": About("Enlarges an image.", _FILTERED, unknown=("The factor, and the method.",)),
    "DeskewImage": About(
        "Straightens an image that was scanned askew, up to 15 degrees as the vendor says.", _FILTERED
    ),
    "DewarpImage": About("Flattens an image that was taken of a bent page.", _FILTERED),
    "ConvertTextToSpeech": About(
        "Reads a text aloud.",
        "One WAV file, under the type `WavFile`; the vendor's sample is PCM with 24 bits, mono, 22050 samples a second.",
        '{"language": "English", "resultType": "Wav"}',
        unknown=("The longest text; the provider sends at most 1 MiB.",),
    ),
}

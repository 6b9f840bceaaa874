"""
The cloud's closed vocabularies, in the server's own spelling.

Invariant: each value is spelled exactly as the server spells it, also if that is wrong (``Ukrainan``, ``Kazah``). The module
:mod:`.settings` decides which other spellings users may write. Source: the vendor's OpenAPI document 24.11.0; the list of
languages is the same in the vendor's docs.
"""

from __future__ import annotations

from enum import StrEnum


class TaskStatus(StrEnum):
    """State of a cloud task (``OCRTaskStatus``); decides polling."""

    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    ERROR = "Error"
    #: Unknown id, or a result that is older than the retention.
    NOT_EXIST = "NotExist"

    @property
    def is_terminal(self) -> bool:
        """Whether the task has ended, so that its status does not change any more by itself."""
        return self not in (TaskStatus.PENDING, TaskStatus.PROCESSING)


class ResponseStatusCode(StrEnum):
    """``responseStatusCode``; the vendor documents the names only."""

    OK = "Ok"
    PARTIALLY_NOT_FOUND = "PartiallyNotFound"
    NO_ANY_RESULT_DATA = "NoAnyResultData"
    RESULT_DATA_LOST = "ResultDataLost"
    TASK_NOT_FOUND = "TaskNotFound"
    NOT_READY = "NotReady"
    ERROR = "Error"


RESULT_TYPES = (
    "Text",
    "Pdf",
    "TextAndPdf",
    "Hocr",
    "TextAndHocr",
    "PdfAndHocr",
    "TextAndPdfAndHocr",
    "ImagePNG",
    "JSON",
)
RESULT_TYPES_TABLE = ("Text", "Excel", "Csv", "CsvAndExcel")
RESULT_TYPES_TTS = ("Wav",)
LANGUAGES_TTS = ("English",)
#: The docs' ``CraftPoly`` is spelled ``PolygonalTextDetector`` by the server; ``LineDetector`` is in the spec only.
DSR_MODES = (
    "Regions",
    "DsrNoFilter",
    "DsrAndFilter",
    "NoDsrNoFilter",
    "TextDetector",
    "DsrPlusDetector",
    "PolygonalTextDetector",
    "LineDetector",
)
DSR_CONFIDENCES = ("Default", "Low", "LowMid", "Mid", "MidHigh", "High", "Ultra", "All")

LANGUAGES: tuple[str, ...] = tuple(
    """
    English, German, French, Italian, Spanish, Portuguese, Polish, Slovene, Slovak, Netherlands, Lithuanian,
    Latvian, Danish, Norwegian, Finnish, Serbian, Croatian, Czech, Swedish, Estonian, Romanian, Chinese, Russian,
    Arabic, Hindi, Ukrainan, Bengali, Tibetan, Thai, Urdu, Turkish, Korean, Indonesian, Hebrew, Javanese, Greek,
    Japanese, Persian, Albanian, Latin, Vietnamese, Uzbek, Georgian, Bulgarian, Azerbaijani, Kazah, Macedonian,
    Belorussian, Malay, Hausa, Sundanese, Swahili, Tagalog, Yoruba, Oromo, Cebuano, Dutch, Kurdish,
    Serbo_Croatian, Malagasy, Zhuang, Turkmen, Somali, Hungarian, Chichewa, Rwanda, Min_Bei, Zulu, Ilocano,
    Min_Dong, Quechua, Hiligaynon, Hmong, Shona, Xhosa, Betawi, Catalan, Afrikaans, Minangkabau, Sotho_Southern,
    Bikol, Makua, Kanuri, Tswana, Kikongo, Luo, Sukuma, Tsonga, Bosnian, Bemba, Nandi, Palembang, Umbundu,
    Sotho_Northern, Waray_Waray, Lamani, Low_German, Gilaki, Musi, HWT_ENG, Pu_Xian, Kapampangan, Bouyei,
    Galician, Ndebele, Yao, Sasak, Swati, Gusii, Meru, Wolaytta, Dong, Pangasinan, Dimli, Makassar, Tumbuka,
    Serer_Sine, Occitan, Tonga, Muong, Kiche, Luguru, Wu, Cantonese, Min_Nan, Xiang, Hakka, Gan, Chechen,
    Kabardian, Marathi, Bhojpuri, Maithili, Awadhi, Nepali, Marwari, Magahi, Haryanvi, Chattisgarhi, Dhundari,
    Konkani, Kanauji, Mewati, Rajbanshi, Garhwali, Kumauni, Wagdi, Malvi, Mewari, Uyghur, Telugu, Kannada, Tamil,
    Devanagari
    """.replace(",", " ").split()
)

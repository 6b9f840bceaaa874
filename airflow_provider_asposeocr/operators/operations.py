"""
One small class per operation of the cloud.

Invariant: a class says which operation it is and what is special about its input; the work is in
:class:`~airflow_provider_asposeocr.operators.submit.AsposeOcrSubmitOperator`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_asposeocr.api.errors import SettingsError
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.responses import is_task_ref, parse_task_ref
from airflow_provider_asposeocr.api.settings import validate_settings
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators.start_from_trigger import may_be_reference
from airflow_provider_asposeocr.operators.submit import KNOWN_AT_PARSE_TIME, AsposeOcrSubmitOperator
from airflow_provider_asposeocr.parameters import check_one_document, constructing, one_document, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence


class AsposeOcrRecognizeImageOperator(AsposeOcrSubmitOperator):
    """
    Recognize the text of an image.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`. ``settings={"resultType": "TextAndPdf"}`` makes two results.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="RecognizeImage", **kwargs)


class AsposeOcrRecognizePdfOperator(AsposeOcrSubmitOperator):
    """
    Recognize the text of all pages of a PDF document.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="RecognizePdf", **kwargs)


class AsposeOcrRecognizeReceiptOperator(AsposeOcrSubmitOperator):
    """
    Recognize the text of a receipt. The cloud makes no structured fields of it.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`. Settings and results are those of ``RecognizeImage``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="RecognizeReceipt", **kwargs)


class AsposeOcrRecognizeTableOperator(AsposeOcrSubmitOperator):
    """
    Recognize the tables of an image.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`. ``settings={"resultTypeTable": "CsvAndExcel"}`` makes two
        results; tables as JSON are ``{"resultType": "JSON"}``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="RecognizeTable", **kwargs)


class AsposeOcrRecognizeLabelOperator(AsposeOcrSubmitOperator):
    """
    Recognize the text of a label, for example of a product or a parcel.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`. The vendor's docs say: English only.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="RecognizeLabel", **kwargs)


class AsposeOcrRecognizeAndParseInvoiceOperator(AsposeOcrSubmitOperator):
    """
    Recognize an invoice. The result is a JSON object with its dates, parties and amounts.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`. There is no ``resultType``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="RecognizeAndParseInvoice", **kwargs)


def _listed(regions: Any) -> Any:
    return list(regions) if isinstance(regions, tuple) else regions


def _check_given(operator: AsposeOcrRecognizeRegionsOperator, regions: Any) -> None:
    # Rectangles are a list, too.
    if not isinstance(regions, list | tuple) or any(is_task_ref(each) for each in regions):
        check_one_document(operator, regions=regions)
    if isinstance(regions, KNOWN_AT_PARSE_TIME) and not is_task_ref(regions):
        validate_settings(find_operation(operator.operation), {"regions": _listed(regions)}, rendered=False)
    if regions is None and (operator.settings is None or isinstance(operator.settings, Mapping)):
        _check_regions(operator.settings)


def _check_regions(settings: Mapping[str, Any] | None) -> None:
    """Refuse an empty list: the cloud would bill the task and read nothing."""
    if "regions" not in (settings or {}):
        raise SettingsError("RecognizeRegions needs regions, as a parameter or in settings.")


def _detected(task: Any) -> Any:
    ref = parse_task_ref(task)
    result = AsposeOcrHook(ref.conn_id).fetch(ref)[0]
    try:
        found = json.loads(result.text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise SettingsError(
            "The result of the task given as regions is not the list of DetectRegions."
        ).about(ref.operation, ref.id)
    if not found:
        raise SettingsError("DetectRegions has found no regions.").about(ref.operation, ref.id)
    return found


class AsposeOcrRecognizeRegionsOperator(AsposeOcrSubmitOperator):
    """
    Recognize the text within given regions of an image; one result per region.

    :param regions: Where the text is: rectangles ``[x1, y1, x2, y2]`` in pixels, regions in the form of the vendor's
        docs, or the task reference of an :class:`AsposeOcrDetectRegionsOperator`, whose result is read.
    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`. Regions can be given as ``settings["regions"]``, too.
    """

    template_fields: Sequence[str] = (*AsposeOcrSubmitOperator.template_fields, "regions")
    input_fields: ClassVar[tuple[str, ...]] = ("source", "regions")

    def __init__(self, *, regions: Any = None, **kwargs: Any) -> None:
        self.regions = regions  # first, because what the triggerer waits for may be here
        super().__init__(operation="RecognizeRegions", **kwargs)
        with constructing(self):
            _check_given(self, regions)

    def _field_to_wait_for(self) -> tuple[str, Any]:
        # A template in ``source`` may be a path; a value that is no text is certainly the output of an upstream task.
        if may_be_reference(self.regions) and isinstance(self.source, str):
            if not may_be_reference(self.source) or not isinstance(self.regions, str):
                return "regions", self.regions
        return super()._field_to_wait_for()

    def _settings(self) -> Mapping[str, Any] | None:
        settings, regions = super()._settings(), rendered(self.regions)
        if regions is None:
            _check_regions(settings)
            return settings
        if is_task_ref(regions):
            regions = _detected(regions)
        elif not isinstance(regions, list | tuple | Mapping) or any(map(is_task_ref, regions)):
            one_document(self, "regions", regions)
        # Rectangles become regions where settings are validated.
        return {**(settings or {}), "regions": _listed(regions)}

    def _requested_settings(self) -> Any:
        regions = rendered(self.regions)
        if is_task_ref(regions):
            regions = parse_task_ref(regions).id
        return [super()._requested_settings(), regions]


class AsposeOcrDetectRegionsOperator(AsposeOcrSubmitOperator):
    """
    Find the regions of an image that hold text.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="DetectRegions", **kwargs)


class AsposeOcrIdentifyFontOperator(AsposeOcrSubmitOperator):
    """
    Tell which typeface the text of an image is set in.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`. The result is a text: names of typefaces and the style.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="IdentifyFont", **kwargs)


class AsposeOcrBinarizeImageOperator(AsposeOcrSubmitOperator):
    """
    Turn an image into black and white.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`; there are no settings.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="BinarizeImage", **kwargs)


class AsposeOcrUpscaleImageOperator(AsposeOcrSubmitOperator):
    """
    Enlarge an image.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`; there are no settings.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="UpscaleImage", **kwargs)


class AsposeOcrDeskewImageOperator(AsposeOcrSubmitOperator):
    """
    Straighten an image that was scanned askew, up to 15 degrees as the vendor says.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`; there are no settings.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="DeskewImage", **kwargs)


class AsposeOcrDewarpImageOperator(AsposeOcrSubmitOperator):
    """
    Flatten an image that was taken of a bent page.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`; there are no settings.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="DewarpImage", **kwargs)


class AsposeOcrDjVuToPdfOperator(AsposeOcrSubmitOperator):
    """
    Convert a DjVu file to a PDF, which other operations can read.

    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(operation="DjVu2PDF", **kwargs)


class AsposeOcrConvertTextToSpeechOperator(AsposeOcrSubmitOperator):
    """
    Read a text aloud. The source is a text file in UTF-8 of at most 1 MiB, the result a WAV file.

    :param settings: By default ``{"language": "English", "resultType": "Wav"}``. The cloud requires both settings, and has
        one value of each.
    :param kwargs: Those of :class:`AsposeOcrSubmitOperator`.
    """

    def __init__(self, *, settings: Any = None, **kwargs: Any) -> None:
        spoken = {"language": "English", "resultType": "Wav"} if settings is None else settings
        super().__init__(operation="ConvertTextToSpeech", settings=spoken, **kwargs)

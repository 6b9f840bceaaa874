"""
The worker that does jobs with an OCR engine.

Invariant: one page at a time is in memory, and results are files. If a job cannot be done, it ends with a
:class:`~airflow_provider_asposeocr.emulator.work.jobs.JobError` that says what to do instead.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import cv2

from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.emulator.work.imaging import filters
from airflow_provider_asposeocr.emulator.work.imaging.decode import check_kind, read_image, read_pages
from airflow_provider_asposeocr.emulator.work.imaging.dewarp import dewarp
from airflow_provider_asposeocr.emulator.work.imaging.layout import reading_order
from airflow_provider_asposeocr.emulator.work.imaging.outputs import Output, outputs_of
from airflow_provider_asposeocr.emulator.work.imaging.pages import PreparedPage, RecognizedPage
from airflow_provider_asposeocr.emulator.work.imaging.preparation import Preparation, preparation, prepare
from airflow_provider_asposeocr.emulator.work.imaging.regions import regions_of
from airflow_provider_asposeocr.emulator.work.imaging.resolution import Resolution, png_with_resolution
from airflow_provider_asposeocr.emulator.work.imaging.rulings import without_rulings
from airflow_provider_asposeocr.emulator.work.jobs import Job, JobError, JobOutcome, JobResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.engines.base import Engine, Image, Line
    from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits

_RECOGNITIONS = frozenset(
    {
        "RecognizeImage",
        "RecognizeImageTrial",
        "RecognizePdf",
        "RecognizeReceipt",
        "RecognizeLabel",
        "RecognizeTable",
        "RecognizeAndParseInvoice",
    }
)
_FILTERS = frozenset({"BinarizeImage", "UpscaleImage", "DeskewImage", "DewarpImage"})

#: White margin around a region, in pixels, because engines do not find letters that touch the edge.
_MARGIN = 16


class ImagingWorker:
    """
    A :class:`~airflow_provider_asposeocr.emulator.work.jobs.Worker` around one engine.

    :param engine: Engine that reads the pages.
    :param limits: Limits of a single job.
    :param with_confidences: Whether hOCR says how sure the engine is of each word.
    """

    #: What it does.
    operations = frozenset({*_RECOGNITIONS, *_FILTERS, "RecognizeRegions", "DetectRegions"})

    def __init__(self, engine: Engine, limits: Limits, *, with_confidences: bool = True) -> None:
        self.name = engine.name
        self._engine = engine
        self._limits = limits
        self._with_confidences = with_confidences

    def __call__(self, job: Job) -> JobOutcome:
        """
        Do one job.

        :raises JobError: if the input cannot be worked on, or this worker does not do the operation.
        """
        if job.operation in _RECOGNITIONS:
            return self._recognize(job)
        if job.operation == "RecognizeRegions":
            return self._recognize_regions(job)
        if job.operation == "DetectRegions":
            return self._detect_regions(job)
        if job.operation in _FILTERS:
            return self._filter(job)
        raise JobError(f"The emulator's OCR engines do not support {job.operation}.")

    def _recognize(self, job: Job) -> JobOutcome:
        wanted, kind = self._accept(job), self._kind(job)
        warnings = self._warnings(wanted)
        with ExitStack() as stack:
            outputs = self._outputs(job, kind, stack)
            for page, notes in self._prepared(job, kind, wanted):
                warnings += notes
                recognized = RecognizedPage(
                    page, self._read(page, wanted, ruled=job.operation == "RecognizeTable")
                )
                for output in outputs:
                    output.add(recognized)
            return _outcome(outputs, warnings)

    def _recognize_regions(self, job: Job) -> JobOutcome:
        wanted, kind = self._accept(job), self._kind(job)
        regions = regions_of(job.settings)
        warnings = self._warnings(wanted)
        finished: list[Output] = []
        with ExitStack() as stack:
            for page, notes in self._prepared(job, kind, wanted):
                warnings += notes
                for number, region in enumerate(regions):
                    part = page.cropped(region)
                    if part is None:
                        raise JobError(
                            f"Region {number + 1} of {len(regions)}, {tuple(map(int, region))}, is outside of the "
                            f"image, which has {page.source_size[0]} x {page.source_size[1]} pixels."
                        )
                    recognized = RecognizedPage(part, self._read(part, wanted, margin=_MARGIN))
                    outputs = self._outputs(job, kind, stack, f"region-{number + 1}-")
                    for output in outputs:
                        output.add(recognized)
                    finished += outputs
            return _outcome(finished, warnings)

    def _detect_regions(self, job: Job) -> JobOutcome:
        # No language is refused here, because finding text does not depend on the language.
        wanted, kind = preparation(job.operation, job.settings), self._kind(job)
        warnings = list(wanted.warnings)
        boxes: list[list[int]] = []
        for page, notes in self._prepared(job, kind, wanted):
            warnings += notes
            lines = self._engine.find_lines(page.image)
            blocks = reading_order(lines, columns=wanted.columns, right_to_left=wanted.right_to_left)
            found = (
                [line.box for block in blocks for row in block.rows for line in row.lines]
                if wanted.by_line
                else [block.box for block in blocks]
            )
            boxes += [[int(edge) for edge in page.source_box(box)] for box in found]
        path = job.result_dir / "regions.json"
        path.write_text(json.dumps(boxes), encoding="utf-8")
        return JobOutcome((JobResult("Other", path),), warnings=tuple(warnings))

    def _filter(self, job: Job) -> JobOutcome:
        page = read_image(job.payload, self._kind(job), self._limits)
        path = job.result_dir / "image.png"
        image, resolution = page.image, page.resolution
        if job.operation == "BinarizeImage":
            _write_png(path, filters.binarize(image), resolution, bilevel=True)
        elif job.operation == "UpscaleImage":
            _write_png(path, filters.upscale(image, self._limits), resolution.scaled(filters.UPSCALE_FACTOR))
        else:
            # If pixels are not square, turning the page by an angle would distort the letters.
            square, _, dpi = filters.square_pixels(image, resolution, self._limits)
            is_bent = job.operation == "DewarpImage"
            flat = dewarp(square) if is_bent else filters.deskew(square, self._limits)[0]
            _write_png(path, flat, Resolution(dpi, dpi))
        return JobOutcome((JobResult("ImagePNG", path),), warnings=page.warnings)

    def _accept(self, job: Job) -> Preparation:
        """Read the settings, and check that the engine can read the language."""
        wanted = preparation(job.operation, job.settings)
        if not self._engine.supports(wanted.language):
            raise JobError(self._engine.refusal(wanted.language))
        return wanted

    def _kind(self, job: Job) -> str:
        return check_kind(job.payload, OPERATIONS[job.operation].input_types, job.operation)

    def _warnings(self, wanted: Preparation) -> list[str]:
        note = self._engine.note(wanted.language)
        return [*wanted.warnings, *([note] if note else [])]

    def _prepared(
        self, job: Job, kind: str, wanted: Preparation
    ) -> Iterator[tuple[PreparedPage, tuple[str, ...]]]:
        """Yield the prepared pages of the job one by one, with their warnings."""
        for page in read_pages(job.payload, kind, self._limits):
            yield prepare(page, wanted, self._limits), page.warnings

    def _read(
        self, page: PreparedPage, wanted: Preparation, *, margin: int = 0, ruled: bool = False
    ) -> tuple[Any, ...]:
        image = without_rulings(page.image) if ruled else page.image
        image = filters.padded(image, rows=margin, columns=margin) if margin else image
        lines = self._engine.read(image, wanted.language)
        moved: list[Line] = [line.moved(-margin, -margin) for line in lines]
        if not self._with_confidences:
            moved = [line.without_confidences() for line in moved]
        return tuple(reading_order(moved, columns=wanted.columns, right_to_left=wanted.right_to_left))

    def _outputs(self, job: Job, kind: str, stack: ExitStack, prefix: str = "") -> list[Output]:
        with_pages = kind == "pdf"
        outputs = outputs_of(job.operation, job.settings, job.result_dir, prefix, with_pages=with_pages)
        for output in outputs:
            stack.callback(output.close)
        return outputs


def _outcome(outputs: list[Output], warnings: list[str]) -> JobOutcome:
    for output in outputs:
        output.finish()
    results = tuple(JobResult(output.type, output.path) for output in outputs)
    return JobOutcome(results, warnings=tuple(warnings))


def _write_png(path: Path, image: Image, resolution: Resolution, *, bilevel: bool = False) -> None:
    """Write ``image`` as PNG, with 1 bit per pixel if ``bilevel``. The resolution preserves the size of the paper."""
    options = [cv2.IMWRITE_PNG_BILEVEL, 1] if bilevel else []
    done, png = cv2.imencode(".png", image, options)
    if not done:
        raise JobError("The resulting image could not be written as PNG.")
    path.write_bytes(png_with_resolution(png.tobytes(), resolution))

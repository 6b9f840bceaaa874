"""
Make the worker of an engine, and find out which engines are installed.

Invariant: this module can be imported without the extra ``[emulator]``. Errors name the missing packages and the command
that installs them.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.imaging.worker import ImagingWorker

_INSTALL = "Install it with: pip install 'airflow-provider-asposeocr[emulator]'"
#: Modules that every engine needs, and the other modules of each engine.
_COMMON_MODULES = ("numpy", "cv2", "PIL", "pypdfium2")
_ENGINE_MODULES = {"rapidocr": ("rapidocr", "onnxruntime"), "tesseract": ("tesserocr",)}


def available_engines() -> dict[str, str | None]:
    """
    Find out which engines are installed, without loading them.

    :return: By the engine's name: ``None`` if it can run, otherwise a sentence that says what to install.
    """
    return {engine: _why_unavailable(engine) for engine in _ENGINE_MODULES}


def make_worker(
    engine: str, *, max_pages: int = 50, max_pixels: int = 100_000_000, hocr_confidences: bool = True
) -> ImagingWorker:
    """
    Return a worker that recognizes and filters with an OCR engine.

    :param engine: ``rapidocr`` or ``tesseract``.
    :param max_pages: Most pages of one document; the cloud publishes no limit, 50 keeps a job in minutes.
    :param max_pixels: Most pixels of one image or rendered page; the default is an A4 page at 1000 dpi.
    :param hocr_confidences: Whether hOCR says how sure the engine is of each word; the cloud's is not documented.
    :return: A worker that may be called from several threads at once.
    :raises ValueError: if there is no such engine.
    :raises RuntimeError: if the engine cannot run; the message says what to install.
    """
    if engine not in _ENGINE_MODULES:
        raise ValueError(f"There is no engine {engine!r}; there are {', '.join(_ENGINE_MODULES)}.")
    if why := _why_unavailable(engine):
        raise RuntimeError(why)
    try:
        for module in (*_COMMON_MODULES, *_ENGINE_MODULES[engine]):
            importlib.import_module(module)
    except ImportError as error:
        raise RuntimeError(f"The engine {engine} is installed but cannot be loaded: {error}") from error
    from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits
    from airflow_provider_asposeocr.emulator.work.imaging.worker import ImagingWorker

    limits = Limits(max_pages=max_pages, max_pixels=max_pixels)
    if engine == "tesseract":
        from airflow_provider_asposeocr.emulator.work.engines.tesseract import TesseractEngine

        return ImagingWorker(TesseractEngine(), limits, with_confidences=hocr_confidences)
    from airflow_provider_asposeocr.emulator.work.engines.rapid import shared_engine

    return ImagingWorker(shared_engine(), limits, with_confidences=hocr_confidences)


def _why_unavailable(engine: str) -> str | None:
    missing = [name for name in (*_COMMON_MODULES, *_ENGINE_MODULES[engine]) if find_spec(name) is None]
    if missing:
        return f"The engine {engine} needs {', '.join(missing)}, which is not installed. {_INSTALL}"
    if engine == "tesseract":
        from airflow_provider_asposeocr.emulator.work.engines import tesseract

        return None if tesseract.find_data_dir() else tesseract.NO_DATA
    return None

"""
The door to the emulator's working side.

Invariant: this module can be imported without the extra ``[emulator]``; what is missing is told by name, with the
command that installs it.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.jobs import Worker

_INSTALL = "Install it with: pip install 'airflow-provider-asposeocr[emulator]'"
#: What every engine needs, and what each needs besides.
_COMMON_MODULES = ("numpy", "cv2", "PIL", "pypdfium2")
_ENGINE_MODULES = {"rapidocr": ("rapidocr", "onnxruntime"), "tesseract": ("tesserocr",)}


def available_engines() -> dict[str, str | None]:
    """
    Look which engines can work here, without loading them.

    :return: By the engine's name: ``None`` if it can work, or else a sentence that says why not and what to install.
    """
    return {engine: _why_unavailable(engine) for engine in _ENGINE_MODULES}


def make_worker(engine: str, *, max_pages: int = 50, max_pixels: int = 100_000_000) -> Worker:
    """
    Return a worker that really recognizes and filters.

    :param engine: ``rapidocr`` or ``tesseract``.
    :param max_pages: Most pages of one document; the cloud publishes no limit, 50 keeps a job in minutes.
    :param max_pixels: Most pixels of one image or rendered page; the default is an A4 page at 1000 dpi.
    :return: A worker that may be called from several threads at once.
    :raises ValueError: if there is no such engine.
    :raises RuntimeError: if the engine cannot work here; the message says what to install.
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
    from airflow_provider_asposeocr.emulator.work.imaging.decode import Limits
    from airflow_provider_asposeocr.emulator.work.imaging.worker import ImagingWorker

    limits = Limits(max_pages=max_pages, max_pixels=max_pixels)
    if engine == "tesseract":
        from airflow_provider_asposeocr.emulator.work.engines.tesseract import TesseractEngine

        return ImagingWorker(TesseractEngine(), limits)
    from airflow_provider_asposeocr.emulator.work.engines.rapid import shared_engine

    return ImagingWorker(shared_engine(), limits)


def _why_unavailable(engine: str) -> str | None:
    missing = [name for name in (*_COMMON_MODULES, *_ENGINE_MODULES[engine]) if find_spec(name) is None]
    if missing:
        return f"The engine {engine} needs {', '.join(missing)}, not installed here. {_INSTALL}"
    if engine == "tesseract":
        from airflow_provider_asposeocr.emulator.work.engines import tesseract

        return None if tesseract.find_data_dir() else tesseract.NO_DATA
    return None

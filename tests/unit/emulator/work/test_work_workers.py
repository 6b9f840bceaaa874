"""The available engines, and the messages about those that are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_asposeocr.emulator.work import workers
from airflow_provider_asposeocr.emulator.work.engines import tesseract
from airflow_provider_asposeocr.emulator.work.engines.rapid import RapidEngine
from tests.support.patience import PATIENCE_SECONDS

WITHOUT_EXTRA = """
import sys
sys.path.append(sys.argv[1])
from airflow_provider_asposeocr.emulator.work import workers
try:
    workers.make_worker("rapidocr")
except RuntimeError as error:
    print(error)
"""


@pytest.mark.process
def test_door_opens_without_the_extra_and_says_what_to_install() -> None:
    project = Path(workers.__file__).parents[3]
    # -S: no site-packages, so nothing but the standard library and the project.
    command = [sys.executable, "-I", "-S", "-c", WITHOUT_EXTRA, str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)
    assert "needs numpy, cv2, PIL, pypdfium2, rapidocr, onnxruntime" in done.stdout
    assert "pip install 'airflow-provider-asposeocr[emulator]'" in done.stdout


def test_default_engine_is_available_here() -> None:
    assert workers.available_engines()["rapidocr"] is None


def test_unknown_engine_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="rapidocr, tesseract"):
        workers.make_worker("magic")


def test_tesseract_without_language_data_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "find_data_dir", lambda: None)
    assert "apt-get install" in (workers.available_engines()["tesseract"] or "")
    with pytest.raises(RuntimeError, match="tesseract-ocr-eng"):
        workers.make_worker("tesseract")


def test_language_data_is_taken_from_the_folder_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(tesseract.DATA_VARIABLE, str(tmp_path))
    (tmp_path / "osd.traineddata").touch()
    assert tesseract.find_data_dir() != tmp_path  # osd reads no text
    (tmp_path / "pol.traineddata").touch()
    assert tesseract.find_data_dir() == tmp_path


def test_tesseract_supports_exactly_what_is_installed(tmp_path: Path) -> None:
    for code in ("pol", "srp_latn"):
        (tmp_path / f"{code}.traineddata").touch()
    engine = tesseract.TesseractEngine(tmp_path)
    assert engine.supports("Polish")
    assert not engine.supports("English")
    assert "apt-get install tesseract-ocr-eng" in engine.refusal("English")
    assert not engine.supports("Serbian")  # needs both scripts
    assert engine.refusal("Serbian").endswith("tesseract-ocr-srp")
    assert "no data for Betawi" in engine.refusal("Betawi")


@pytest.mark.parametrize(
    "language", ["Russian", "Arabic", "Korean", "Greek", "Hindi", "Devanagari", "HWT_ENG", "Nonsense"]
)
def test_rapidocr_refuses_scripts_that_its_model_lacks(language: str) -> None:
    assert not RapidEngine().supports(language)


@pytest.mark.parametrize("language", ["English", "German", "Chinese", "Japanese", "Turkish"])
def test_rapidocr_supports_what_its_model_has(language: str) -> None:
    assert RapidEngine().supports(language)

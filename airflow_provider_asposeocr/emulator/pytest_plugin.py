"""
Pytest fixtures that start the emulator.

Invariant: importing this module imports only pytest, because pytest imports it in every run of every project in whose
environment the package is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.server import Emulator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option that chooses the engine."""
    parser.addini(
        "aspose_ocr_emulator_engine",
        "Engine of the fixture aspose_ocr_emulator: canned, rapidocr or tesseract",
        default="canned",
    )


@pytest.fixture(scope="session")
def aspose_ocr_emulator_options(pytestconfig: pytest.Config) -> dict[str, Any]:
    """
    Choose the emulator's options; override this fixture to choose others.

    :return: Fields of :class:`~airflow_provider_asposeocr.emulator.options.Options`.
    """
    return {"engine": pytestconfig.getini("aspose_ocr_emulator_engine")}


@pytest.fixture(scope="session")
def aspose_ocr_emulator_server(aspose_ocr_emulator_options: dict[str, Any]) -> Iterator[Emulator]:
    """Run one emulator for the whole session."""
    from airflow_provider_asposeocr.emulator.options import Options
    from airflow_provider_asposeocr.emulator.server import Emulator

    with Emulator(Options(**aspose_ocr_emulator_options)) as emulator:
        yield emulator


@pytest.fixture
def aspose_ocr_emulator(aspose_ocr_emulator_server: Emulator) -> Emulator:
    """
    Reset the session's emulator for a test.

    :return: The emulator, with ``url``, ``client_id``, ``client_secret`` and ``control``. It has no tasks, faults or bills.
    """
    aspose_ocr_emulator_server.control.reset()
    return aspose_ocr_emulator_server

"""
The releases of the SDK, and documents to send.

Invariant: each test runs the release itself, unchanged, in an environment of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.make_sdk_environments import REQUIREMENTS
from tests.contract.samples import write_document
from tests.contract.sdk import Sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator


@pytest.fixture(scope="session", params=sorted(REQUIREMENTS))
def sdk(request: pytest.FixtureRequest) -> Iterator[Sdk]:
    """Each release in turn."""
    with Sdk(request.param) as running:
        yield running


@pytest.fixture(scope="session")
def latest_sdk() -> Iterator[Sdk]:
    with Sdk("24.11.0") as running:
        yield running


@pytest.fixture
def document(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a document which an operation reads."""
    return lambda operation: write_document(operation, tmp_path)


@pytest.fixture
def token(sdk: Sdk, aspose_ocr_emulator: Emulator) -> str:
    """Return a token that was issued as the vendor's docs say."""
    emulator = aspose_ocr_emulator
    value = sdk.call(
        "documented_token",
        host=emulator.url,
        client_id=emulator.client_id,
        client_secret=emulator.client_secret,
    )
    assert isinstance(value, str)
    return value

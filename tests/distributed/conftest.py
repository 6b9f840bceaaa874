"""
One distributed Airflow for all tests of this folder.

Invariant: each test begins with a cloud that knows nothing. The logs of everything stay in ``.distributed/`` of the
checkout until the next run, because a failure here can seldom be repeated at will.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.distributed.installation import Installation, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("DISTRIBUTED_FOLDER", CHECKOUT / ".distributed"))


@pytest.fixture(scope="session")
def session_installation() -> Iterator[Installation]:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with installed(FOLDER) as running:
        yield running


@pytest.fixture
def installation(session_installation: Installation) -> Installation:
    session_installation.cloud.reset()
    return session_installation

"""
One distributed Airflow for all tests of this folder.

Invariant: each test begins with a reset emulator. The logs of everything stay in ``.distributed/`` of the
checkout until the next run, because a failure here can seldom be repeated at will.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.distributed.installation import FOLDER, Installation, installed

if TYPE_CHECKING:
    from collections.abc import Iterator


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

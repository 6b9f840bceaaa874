"""A viewer of its own for each test; the tables of its database are made once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.testing.airflow_database import warnings_of_airflow_allowed
from tests.support.viewer_world import create_tables, viewer_world

with warnings_of_airflow_allowed():  # Airflow's API server imports what is deprecated.
    import airflow_provider_asposeocr.viewer.app  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.viewer_world import ViewerWorld


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "airflow.db"
    create_tables(path)
    return path


@pytest.fixture
def world(tables: Path, tmp_path: Path) -> Iterator[ViewerWorld]:
    database = tmp_path / "airflow.db"
    shutil.copy(tables, database)
    with viewer_world(database, tmp_path / "results") as made:
        yield made

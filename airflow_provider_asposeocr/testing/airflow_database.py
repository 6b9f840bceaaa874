"""
A temporary sqlite database for the Airflow of this process.

Invariant: the configured database of Airflow is neither read nor changed, and is configured again afterwards.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Names in :mod:`airflow.settings` that depend on the database. They are the same in Airflow 3.1 and 3.3.
_OF_THE_DATABASE = (
    "SQL_ALCHEMY_CONN",
    "SQL_ALCHEMY_CONN_ASYNC",
    "engine",
    "Session",
    "NonScopedSession",
    "async_engine",
    "AsyncSession",
)
#: Prefix of the environment variables that configure a database. They have priority over all other settings.
_VARIABLES = "AIRFLOW__DATABASE__"


def create(path: Path) -> None:
    """
    Create a database with Airflow's tables.

    :param path: The file to create.
    """
    with warnings_of_airflow_allowed(), in_use(path):
        from airflow.utils.db import initdb

        initdb()


def copy(template: Path, path: Path) -> None:
    """
    Copy a database, including the content of its write-ahead log.

    :param template: A database that no process is writing.
    :param path: The file to create.
    """
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)


@contextmanager
def warnings_of_airflow_allowed() -> Iterator[None]:
    """
    Show warnings instead of raising them, because Airflow and its libraries warn during their imports.

    With ``filterwarnings = error``, which many projects use, the first such import would fail the run.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """
    Make the Airflow of this process use a database.

    :param path: An sqlite file; it does not have to exist.
    """
    from airflow import settings

    module: Any = settings
    settings_before = {name: getattr(module, name, None) for name in _OF_THE_DATABASE}
    variables_before = _take_variables()
    os.environ[f"{_VARIABLES}SQL_ALCHEMY_CONN"] = f"sqlite:///{path}"
    os.environ[f"{_VARIABLES}SQL_ALCHEMY_CONN_ASYNC"] = f"sqlite+aiosqlite:///{path}"
    try:
        module.configure_vars()
        module.configure_orm()
        # Not settings.dispose_orm(): it closes every SQLAlchemy session of the process, also those of other databases.
        try:
            yield
        finally:
            module.Session.remove()
            module.engine.dispose()
    finally:
        _take_variables()
        os.environ.update(variables_before)
        for name, setting in settings_before.items():
            setattr(module, name, setting)


def _take_variables() -> dict[str, str]:
    """Remove and return the variables that configure a database, because they may contain options that sqlite lacks."""
    names = [name for name in os.environ if name.startswith(_VARIABLES)]
    return {name: os.environ.pop(name) for name in names}

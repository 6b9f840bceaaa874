"""
An sqlite database of its own for the Airflow of this process.

Invariant: the database that Airflow was configured for is neither read nor changed, and is configured again afterwards.
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

#: What :mod:`airflow.settings` knows about the database. Airflow 3.1 and 3.3 have the same names.
_OF_THE_DATABASE = (
    "SQL_ALCHEMY_CONN",
    "SQL_ALCHEMY_CONN_ASYNC",
    "engine",
    "Session",
    "NonScopedSession",
    "async_engine",
    "AsyncSession",
)
#: Environment variables that configure a database. They win over all other ways to do so.
_VARIABLES = "AIRFLOW__DATABASE__"


def create(path: Path) -> None:
    """
    Make a database with Airflow's tables.

    :param path: The file to make.
    """
    with warnings_of_airflow_allowed(), in_use(path):
        from airflow.utils.db import initdb

        initdb()


def copy(template: Path, path: Path) -> None:
    """
    Copy a database, with what is still in its write-ahead log.

    :param template: A database that no process writes.
    :param path: The file to make.
    """
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)


@contextmanager
def warnings_of_airflow_allowed() -> Iterator[None]:
    """
    Show warnings and raise none, because Airflow and its libraries warn on imports of their own.

    With ``filterwarnings = error``, which many projects have, the first such import would fail the run.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """
    Let the Airflow of this process use a database.

    :param path: An sqlite file; it need not exist.
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
        # Not settings.dispose_orm(): it closes every SQLAlchemy session of the process, those of other databases too.
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
    """Remove the variables that configure a database; options for another kind of it would not suit sqlite."""
    names = [name for name in os.environ if name.startswith(_VARIABLES)]
    return {name: os.environ.pop(name) for name in names}

"""The environments beside that of the tests: each has an Airflow, and this package, that the tests' own has not."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.airflow_stack import CHECKOUT


def oldest_python() -> Path:
    """
    Return the interpreter with the oldest Airflow that pyproject.toml allows.

    :raises FileNotFoundError: if there is none; the message says how to make it.
    """
    return _python(".venv-oldest", "the oldest Airflow", "ASPOSE_OCR_OLDEST_AIRFLOW_PYTHON")


def fab_python() -> Path:
    """
    Return the interpreter with FAB's provider.

    :raises FileNotFoundError: if there is none; the message says how to make it.
    """
    return _python(".venv-fab", "FAB's auth manager", "ASPOSE_OCR_FAB_PYTHON")


def _python(folder: str, what: str, variable: str) -> Path:
    python = Path(os.environ.get(variable) or CHECKOUT / folder / "bin" / "python")
    if not python.exists():
        raise FileNotFoundError(
            f"There is no Python with {what} at {python}. Run `make {folder}/stamp`, or set {variable}."
        )
    return python

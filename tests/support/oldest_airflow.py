"""The environment with the oldest Airflow that pyproject.toml allows."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.airflow_stack import CHECKOUT

#: Names the interpreter of an environment with the oldest Airflow and this package.
VARIABLE = "ASPOSE_OCR_OLDEST_AIRFLOW_PYTHON"


def oldest_python() -> Path:
    """
    Return the interpreter with the oldest Airflow.

    :raises FileNotFoundError: if there is none; the message says how to make it.
    """
    python = Path(os.environ.get(VARIABLE) or CHECKOUT / ".venv-oldest" / "bin" / "python")
    if not python.exists():
        raise FileNotFoundError(
            f"There is no Python with the oldest Airflow at {python}. Run `make .venv-oldest/stamp`, or set {VARIABLE}."
        )
    return python

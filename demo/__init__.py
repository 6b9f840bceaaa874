"""A real local Airflow, ten scans and the chain run over them: what `make demo` and `make airflow` start."""

from __future__ import annotations

"""A DAG file that cannot be imported."""

from __future__ import annotations

raise RuntimeError("this DAG file is broken")

"""A helper module beside the DAG files."""

from __future__ import annotations

RESULT = "words-of-the-page"

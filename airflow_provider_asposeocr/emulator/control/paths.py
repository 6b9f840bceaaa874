"""
How fault rules and the journal's filter name paths.

Invariant: a glob on operations never reaches the token endpoint by accident; only a glob that names it does.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from airflow_provider_asposeocr.api.operations import API_PREFIX


def path_matches(path: str, glob: str) -> bool:
    """
    Say whether a glob means a path.

    :param path: Path of a request as it was sent.
    :param glob: Glob on the path after ``/v5.0/ocr`` in any casing, or ``/connect/token``.
    """
    asked, wanted = _relative(path), _relative(glob)
    return _is_token(asked) == _is_token(wanted) and fnmatchcase(asked, wanted)


def _relative(path: str) -> str:
    return path.lower().removeprefix(API_PREFIX).strip("/")


def _is_token(path: str) -> bool:
    return path.startswith("connect/")

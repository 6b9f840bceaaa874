"""
Match paths of requests with the globs of fault rules and of the journal's filter.

Invariant: a glob matches the token endpoint only if it names the token endpoint.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from airflow_provider_asposeocr.api.operations import API_PREFIX


def path_matches(path: str, glob: str) -> bool:
    """
    Return whether a glob matches a path.

    :param path: Path of a request as it was sent.
    :param glob: Glob on the path after ``/v5.0/ocr`` in any casing, or ``/connect/token``.
    """
    asked, wanted = _relative(path), _relative(glob)
    return _is_token(asked) == _is_token(wanted) and fnmatchcase(asked, wanted)


def _relative(path: str) -> str:
    return path.lower().removeprefix(API_PREFIX).strip("/")


def _is_token(path: str) -> bool:
    return path.startswith("connect/")

"""
The folders that a user names for a batch. Pure.

It stands by itself because the folders are checked whenever a DAG is parsed, which loads nothing that opens them.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.sources import check_uri
from airflow_provider_asposeocr.parameters import native_hint

#: The longest name of a folder. Object stores take 1,024 bytes for a whole key, and names of files come below.
LONGEST_FOLDER_BYTES = 800


def parse_folder(value: Any, name: str) -> str:
    """
    Check a folder of a batch: its destination, its state folder or its base.

    :param value: The rendered parameter.
    :param name: Name of the parameter.
    :return: The URI, with a slash at its end.
    :raises InputError: if it is not the absolute URI of a folder.
    """
    if isinstance(value, PurePath | ObjectStoragePath):
        value = str(value)
    if not isinstance(value, str):
        raise InputError(f"{name} is the URI of a folder, not {shown(repr(value), 80)}.{native_hint(value)}")
    uri = check_uri(value, name)
    if not uri.endswith("/"):
        raise InputError(
            f"{name} is {shown(uri, 200)!r}, and a batch needs a folder: end it with a slash, as in "
            f"{shown(uri, 200) + '/'!r}."
        )
    size = len(uri.encode())
    if size > LONGEST_FOLDER_BYTES or not uri.isprintable():
        raise InputError(
            f"{name} {shown(uri, 200)!r} has {size} bytes or unprintable characters; a folder may have "
            f"{LONGEST_FOLDER_BYTES} bytes, because object stores take 1,024 for the whole name of a file."
        )
    return uri

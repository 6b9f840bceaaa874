"""
The folders and files that a user names. Pure.

It stands by itself because they are checked whenever a DAG is parsed, which loads nothing that opens them.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown, signatures_in
from airflow_provider_asposeocr.documents.file_systems import check_form
from airflow_provider_asposeocr.parameters import native_hint

#: Folder of journals and manifests below a batch's destination, unless the user names another one.
STATE_FOLDER = ".aspose-ocr/"
#: The longest name of a folder. Object stores take 1,024 bytes for a whole key, and names of files come below.
LONGEST_FOLDER_BYTES = 800
#: Bytes of each of several parts of a name; a name has up to 255 in file systems.
_LONGEST_PART_BYTES = 60


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


def path_part(text: str) -> str:
    """
    Make a part of a path of any text, for example of the id of a run.

    :param text: The text.
    :return: At most 60 characters that every storage takes. Different texts may become equal.
    """
    kept = "".join(char if char.isascii() and (char.isalnum() or char in ".-_+=") else "_" for char in text)
    return kept.lstrip(".")[:_LONGEST_PART_BYTES]


def check_uri(uri: str, where: str) -> str:
    """
    Check that a text can be the path or URI of a source, without opening it.

    :param uri: What the user wrote.
    :param where: Where it stands, for messages.
    :return: The same.
    :raises InputError: if it is relative, carries a signature, or would be opened elsewhere than it says.
    """
    if not uri.strip():
        raise InputError(f"{where} is empty.")
    if "://" not in uri and not uri.startswith("/"):
        raise InputError(
            f"{where} is the relative path {shown(uri, 200)!r}, and workers have no common folder. Write an absolute "
            "path or a URI."
        )
    if signatures_in(uri):
        raise InputError(
            f"{where}, {shown(uri, 200)!r}, carries a signature that opens the file. A batch writes its sources into "
            "its journal and its manifest. Name the file in its storage, for example s3://my_connection@bucket/page.png."
        )
    try:
        check_form(uri)
    except ValueError as error:
        raise InputError(f"{where} is {shown(uri, 200)!r}, which cannot be used: {error}.") from None
    return uri

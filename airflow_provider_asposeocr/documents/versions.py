"""
The version of a stored file: what changes when another content is written under the same name.

Invariant: a listing and a question for the one file say the same about a version, so that they can be compared.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.documents.file_systems import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import ObjectStoragePath

#: How storages call the time of the last change.
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


def local_facts(found: os.stat_result) -> dict[str, Any]:
    """
    Return what tells one content of a local file from another.

    The time of the last change alone does not: ``cp -p`` and a rename keep it. The kernel sets ``ctime`` itself.

    :param found: What the operating system says about the file.
    """
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "inode": found.st_ino,
    }


def listed_version(facts: Mapping[str, Any]) -> str | None:
    """
    Return the version of a file, from what its storage says about it.

    :param facts: The information of its storage: :func:`local_facts`, or what fsspec's ``info`` and listings return.
    :return: For Google Cloud Storage the generation; for S3 and Azure the ETag with the size, without a time, which differs
        where equal content is uploaded again; for local files size, times and inode; for others size and time. ``None`` if
        the storage reports none of these.
    """
    if (generation := facts.get("generation")) is not None:
        return f"generation={generation}"
    size = facts.get("size")
    if (etag := facts.get("ETag") or facts.get("etag")) is not None:
        return f"etag={str(etag).strip(chr(34))} size={size}"
    if "ctime_ns" in facts:
        return " ".join(f"{name}={facts[name]}" for name in ("size", "mtime_ns", "ctime_ns", "inode"))
    # A number, because some libraries give a listing and a question for the one file the same time in two types.
    time = changed_at(facts)
    return f"size={size} time={time}" if size is not None and time else None


def changed_at(facts: Mapping[str, Any]) -> float:
    """
    Return when a file was last changed, by the clock of its storage. Compare it only with times of the same storage.

    :param facts: As for :func:`listed_version`.
    :return: Seconds since the epoch; of a local file the time of its last change of any kind, which a rename and ``cp -p``
        set, too. 0 if the storage does not say it.
    """
    if "ctime_ns" in facts:
        return float(facts["ctime_ns"]) / 1e9
    found: Any = None
    for name in _TIMES:
        if (found := facts.get(name)) is not None:
            break
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return 0.0
    if isinstance(found, datetime):
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return float(found) if isinstance(found, int | float) else 0.0


def stored_version(path: ObjectStoragePath) -> str | None:
    """
    Ask the storage for the present version of a file.

    :param path: The file.
    :return: As :func:`listed_version`.
    :raises FileNotFoundError: if there is no such file. Storage libraries raise other errors of their own.
    """
    if path.protocol in LOCAL:
        return listed_version(local_facts(os.stat(path.path)))
    # s3fs, gcsfs and adlfs answer from a listing that this process has made before, without limit of time.
    path.fs.invalidate_cache()
    return listed_version(path.fs.info(path.path))

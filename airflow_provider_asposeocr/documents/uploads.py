"""
Abort multipart uploads that a killed process has left in S3. No reader sees them, and they are billed.

Invariant: an upload is aborted only if it has the bytes that have just been stored under its name. S3 does not say
whether the process that made an upload still lives; an upload of other bytes may belong to another task.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

PROTOCOLS = frozenset({"s3", "s3a", "s3n"})
#: S3 takes no smaller part but the last, so that up to this size there is nothing to look for.
_SMALLEST_PART_BYTES = 5 * 1024 * 1024


def abort_superfluous(fs: Any, path: str, local: Path) -> None:
    """
    Abort what an earlier, killed try has uploaded of an object that is there now. Never fails.

    :param fs: The file system, of s3fs.
    :param path: The object.
    :param local: Its content.
    """
    if local.stat().st_size <= _SMALLEST_PART_BYTES:
        return
    try:
        bucket, key, _ = fs.split_path(path)
        for upload in fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key).get("Uploads", ()):
            if upload["Key"] == key:
                which = {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}
                if _carries(fs.call_s3("list_parts", **which).get("Parts", ()), local):
                    fs.call_s3("abort_multipart_upload", **which)
                    log.info("Removed what a try before this one had uploaded of %s.", shown(path, 300))
    except Exception as error:  # The result is stored; what cannot be tidied up is no reason to fail.
        what = f"{type(error).__name__}: {shown(error)}"
        log.info("Cannot look for unfinished uploads of %s: %s", shown(path, 300), what)


def _carries(parts: Any, local: Path) -> bool:
    """Whether the parts of an upload are pieces of a file; never with encryption by KMS, which hides their MD5."""
    if not parts:
        return False
    part_bytes = max(part["Size"] for part in parts)
    with local.open("rb") as stream:
        for part in parts:
            stream.seek((part["PartNumber"] - 1) * part_bytes)
            digest = hashlib.md5(stream.read(part["Size"]), usedforsecurity=False)
            if digest.hexdigest() != part["ETag"].strip('"'):
                return False
    return True

"""Which unfinished uploads are aborted: those of what has just been stored, and no other."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.documents.uploads import abort_superfluous

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
KEY = "out/page.pdf"


class S3:
    """What of s3fs is asked: uploads by id, each with a key and its parts."""

    def __init__(self, uploads: dict[str, tuple[str, list[bytes]]], fails: str = "") -> None:
        self.uploads, self.fails = uploads, fails
        self.asked: list[str] = []

    def split_path(self, path: str) -> tuple[str, str, None]:
        bucket, _, key = path.partition("/")
        return bucket, key, None

    def call_s3(self, method: str, **which: Any) -> dict[str, Any]:
        self.asked.append(method)
        assert which["Bucket"] == "bucket"
        if method == self.fails:
            raise PermissionError("Access\nDenied")
        if method == "list_multipart_uploads":
            found = [
                {"Key": key, "UploadId": id}
                for id, (key, _) in self.uploads.items()
                if key.startswith(which["Prefix"])
            ]
            return {"Uploads": found} if found else {}
        key, parts = self.uploads[which["UploadId"]]
        assert which["Key"] == key
        if method == "abort_multipart_upload":
            del self.uploads[which["UploadId"]]
            return {}
        assert method == "list_parts"
        listed = [
            {"PartNumber": n, "Size": len(part), "ETag": f'"{hashlib.md5(part).hexdigest()}"'}
            for n, part in enumerate(parts, 1)
        ]
        return {"Parts": listed} if listed else {}


@pytest.fixture(scope="module")
def data() -> bytes:
    return b"".join(bytes([n]) * MIB for n in range(12))


@pytest.fixture
def local(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "0.result"
    path.write_bytes(data)
    return path


def test_only_the_same_bytes_under_the_same_name_are_aborted(local: Path, data: bytes) -> None:
    first, second = data[: 5 * MIB], data[5 * MIB : 10 * MIB]
    s3 = S3(
        {
            "ours": (KEY, [first, second]),
            "ours, ended": (KEY, [first, second, data[10 * MIB :]]),
            "of another text": (KEY, [first, b"x" * 5 * MIB]),
            "with nothing yet": (KEY, []),
            "of another name": (f"{KEY}.bak", [first, second]),
        }
    )
    abort_superfluous(s3, f"bucket/{KEY}", local)
    assert set(s3.uploads) == {"of another text", "with nothing yet", "of another name"}


@pytest.mark.parametrize(("size", "asks"), [(5 * MIB, False), (5 * MIB + 1, True)])
def test_what_needs_no_parts_is_not_looked_for(tmp_path: Path, size: int, asks: bool) -> None:
    local = tmp_path / "0.result"
    local.write_bytes(b"\0" * size)
    s3 = S3({})
    abort_superfluous(s3, f"bucket/{KEY}", local)
    assert bool(s3.asked) is asks


@pytest.mark.parametrize("fails", ["list_multipart_uploads", "list_parts", "abort_multipart_upload"])
def test_what_cannot_be_tidied_up_fails_nothing_and_is_told(
    local: Path, data: bytes, fails: str, caplog: pytest.LogCaptureFixture
) -> None:
    s3 = S3({"ours": (KEY, [data[: 5 * MIB]])}, fails)
    with caplog.at_level(logging.INFO):
        abort_superfluous(s3, f"bucket/{KEY}", local)
    assert set(s3.uploads) == {"ours"}
    assert r"PermissionError: Access\nDenied" in caplog.text

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.documents.uris import canonical_uri, qualifier_of, source_name, source_uri
from tests.support.object_stores import attached

if TYPE_CHECKING:
    from pathlib import Path

SIGNED = "X-Amz-Signature=5ec&X-Amz-Date=20261129"


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("/in/page.png", "/in/page.png"),
        ("file:///in/page?.png", "file:///in/page?.png"),
        ("s3://scans@inbox/page.png", "s3://scans@inbox/page.png"),
        ("s3://inbox/what? # 100%.png", "s3://inbox/what? # 100%.png"),  # all of it is the key
        ("gs://inbox/invoice#1", "gs://inbox/invoice#1"),
        ("s3://key:secret@inbox/page.png", "s3://inbox/page.png"),
        (f"https://user:pass@host/page.png?{SIGNED}#top", "https://host/page.png"),
    ],
)
def test_a_uri_keeps_the_connection_and_no_secret(uri: str, kept: str) -> None:
    assert source_uri(uri) == kept


@pytest.mark.parametrize(
    "uri",
    [
        "s3://inbox/page.png?versionId=abc",
        "abfs://inbox/page.png?versionid=2026-11-29T00:00:00Z",
        "gs://inbox/page.png#1700000000000000",
        "gs://inbox/page.png?generation=1700000000000000",
    ],
)
def test_the_versions_of_a_document_are_one_document(uri: str) -> None:
    assert source_uri(uri, has_version=True) == f"{uri.partition('://')[0]}://inbox/page.png"
    assert source_uri(uri) == uri  # a name that looks like that, where the file system knows no versions


@pytest.mark.parametrize("uri", [f"s3://inbox/page.png?{SIGNED}", "abfs://a@scans/page.png?sv=2024&sig=5ec"])
def test_names_that_look_signed_are_told_apart_without_the_signature(uri: str) -> None:
    kept = source_uri(uri)
    assert "5ec" not in kept
    assert kept.startswith(f"{uri.partition('?')[0]}#query-")
    assert kept != source_uri(uri.replace("5ec", "5ed"))


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/in/page.png", "page.png"),
        ("s3://c@inbox/a/what? # 100%.png", "what? # 100%.png"),
        (f"https://host/a/page.png?{SIGNED}", "page.png"),
        ("https://user:pass@host/?sig=5ec", ""),
        ("https://user:pass@host", ""),
    ],
)
def test_a_name_carries_no_signature(uri: str, name: str) -> None:
    assert source_name(uri) == name


def test_a_query_that_names_the_document_is_told_by_a_checksum() -> None:
    one, two = source_uri("https://host/get?id=1&sig=a"), source_uri("https://host/get?id=2&sig=a")
    assert one != two
    assert one == source_uri("https://host/get?id=1&sig=b")
    assert "id=1" not in one


@pytest.mark.parametrize(
    "spellings",
    [
        ["/in/page.png", "file:///in/page.png", "/in//./page.png", "//in/x/../page.png"],
        ["s3://inbox/page.png", "s3://scans@inbox/page.png", "s3a://inbox/page.png"],
        ["gs://inbox/page.png", "gcs://c@inbox/page.png"],
        ["abfs://scans/page.png", "az://x@scans/page.png", "abfss://scans/page.png"],
    ],
    ids=str,
)
def test_one_document_has_one_uri(spellings: list[str]) -> None:
    assert len({canonical_uri(source_uri(uri)) for uri in spellings}) == 1


def test_keys_of_object_stores_are_not_tidied_up() -> None:
    keys = ["a/b", "a//b", "a/./b", "/a/b", "a/b/"]
    assert len({canonical_uri(f"s3://bucket/{key}") for key in keys}) == len(keys)


class TestQualifier:
    """Equal URIs behind two connections are two documents, if the connections lead to two stores."""

    @pytest.mark.parametrize(
        ("uri", "fs", "qualifier"),
        [
            ("s3://a@b/x.png", {"endpoint_url": None}, None),
            ("s3://a@b/x.png", {"endpoint_url": "https://s3.eu-west-1.amazonaws.com"}, None),
            ("s3://a@b/x.png", {"endpoint_url": "http://user:secret@minio:9000/"}, "minio:9000"),
            ("abfs://a@b/x.png", {"account_name": "customer1"}, "customer1"),
            ("gs://a@b/x.png", {}, None),
            ("memory://a@b/x.png", {}, "a"),
        ],
    )
    def test_is_what_the_storage_says(self, uri: str, fs: dict[str, Any], qualifier: str | None) -> None:
        store = attached(uri.partition(":")[0], "a")
        store.__dict__.update(fs)
        assert qualifier_of(ObjectStoragePath(uri), "abc") == qualifier

    def test_of_a_scratch_file_is_its_content(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert qualifier_of(ObjectStoragePath(f"{tmp_path}/scan.png"), "abc") == "sha256:abc"
        assert qualifier_of(ObjectStoragePath("/data/scan.png"), "abc") is None

    @pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm"])
    def test_so_it_is_where_upstream_code_has_another_tmpdir(
        self, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert qualifier_of(ObjectStoragePath(f"{folder}/scan.png"), "abc") == "sha256:abc"

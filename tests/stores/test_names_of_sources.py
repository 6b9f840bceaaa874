"""
The object that a source names is the object that is read, on real object stores; anything else is refused unbilled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from azure.storage.blob import BlobServiceClient
from store_kinds import AzureBlob

from airflow_provider_asposeocr.api.errors import SourceError
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.documents.sources import parse_source, spool
from airflow_provider_asposeocr.ingestion.disposal import dispose
from airflow_provider_asposeocr.ingestion.stored_results import versions_at

if TYPE_CHECKING:
    from store_servers import Server

    from airflow_provider_asposeocr.ingestion.register import OnDone

PNG = b"\x89PNG\r\n\x1a\n"
#: Keys that people have; each is read, and none of them is another one.
KEYS = [
    "page.png", "a b.png", "a?b.png", "a?", "a#b.png", "a#", "a%20b.png", "a+b.png", "a&b=c.png", "x//y.png", "é.png",
    "e\u0301.png", "a;b,c.png", "a:b.png", "a@b.png", "a b ", "a?versionid=1", "a?generation=1", "a~(1)'.png", "😀.png",
]  # fmt: skip


def no_client(_: str) -> Any:
    raise AssertionError("No client is needed for a file.")


def read(uri: str, folder: Path) -> bytes:
    document = spool(parse_source(uri), OPERATIONS["RecognizeImage"], folder, no_client, 0.0)
    assert isinstance(document.content, Path)
    return document.content.read_bytes()


@pytest.fixture(autouse=True)
def own_file_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test open its stores anew: Airflow keeps them by connection id, and the servers' ports differ."""
    from airflow.sdk.io import store

    monkeypatch.setattr(store, "_STORE_CACHE", {})


@pytest.fixture
def bucket(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    address = {"endpoint_url": f"http://127.0.0.1:{s3_server.port}", "region_name": "us-east-1"}
    extra = json.dumps({"conn_type": "aws", "login": "moto", "password": "moto", "extra": address})
    monkeypatch.setenv("AIRFLOW_CONN_STORE", extra)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address["endpoint_url"])
    keys = {"aws_access_key_id": "moto", "aws_secret_access_key": "moto"}
    bucket = boto3.resource("s3", **address, **keys).Bucket(f"b-{uuid4().hex}")
    bucket.create()
    return bucket


class TestS3:
    @pytest.mark.parametrize("key", KEYS)
    def test_a_key_is_read_as_it_is_or_refused(self, bucket: Any, tmp_path: Path, key: str) -> None:
        for name in {*KEYS} - {key}:
            bucket.put_object(Key=name, Body=PNG + b"another")
        bucket.put_object(Key=key, Body=PNG + b"mine")
        if key.endswith(("?", "#")):
            with pytest.raises(SourceError, match="would be opened instead"):
                read(f"s3://store@{bucket.name}/{key}", tmp_path)
        else:
            assert read(f"s3://store@{bucket.name}/{key}", tmp_path) == PNG + b"mine"

    @pytest.mark.parametrize("name", ["*.png", "scan[1].png", "pag[ae].png", "folder.png", "a b.png"])
    @pytest.mark.parametrize("on_done", ["move", "delete"])
    def test_what_is_done_leaves_the_inbox_alone(self, bucket: Any, name: str, on_done: OnDone) -> None:
        """fsspec takes the first three for patterns, and the fourth for a folder, because another key goes on behind it."""
        others = {"in/scan1.png", "in/page.png", "in/folder.png/below.png"}
        for key in (*others, f"in/{name}"):
            bucket.put_object(Key=key, Body=key.encode())
        uri, archive = f"s3://store@{bucket.name}/in/{name}", f"s3://store@{bucket.name}/archive/"
        assert dispose(uri, versions_at(uri)[0], on_done, archive, name, "12345678")
        found = {item.key: item.get()["Body"].read() for item in bucket.objects.all()}
        moved = {f"archive/{name}": f"in/{name}".encode()} if on_done == "move" else {}
        assert found == {key: key.encode() for key in others} | moved

    def test_a_version_is_refused_whether_it_exists_or_not(self, bucket: Any, tmp_path: Path) -> None:
        bucket.Versioning().enable()
        old = bucket.put_object(Key="doc.png", Body=PNG + b"old").version_id
        bucket.put_object(Key="doc.png", Body=PNG + b"new")
        for version in (old, "no-such-version"):
            with pytest.raises(SourceError, match="cannot read a certain version") as caught:
                read(f"s3://store@{bucket.name}/doc.png?versionId={version}", tmp_path)
            assert (caught.value.billed, caught.value.retryable) == ("no", False)

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_a_prefix_is_a_folder(self, bucket: Any, tmp_path: Path, slash: str) -> None:
        bucket.put_object(Key="scans/page.png", Body=PNG)
        with pytest.raises(SourceError, match="is a folder. Map the operator"):
            read(f"s3://store@{bucket.name}/scans{slash}", tmp_path)

    def test_an_empty_object_is_empty(self, bucket: Any, tmp_path: Path) -> None:
        bucket.put_object(Key="page.png", Body=b"")
        with pytest.raises(SourceError, match="is empty"):
            read(f"s3://store@{bucket.name}/page.png", tmp_path)

    def test_a_bucket_is_a_folder(self, bucket: Any, tmp_path: Path) -> None:
        bucket.put_object(Key="page.png", Body=PNG)
        with pytest.raises(SourceError, match="is a folder"):
            read(f"s3://store@{bucket.name}", tmp_path)

    def test_a_missing_connection_is_no_anonymous_access(self, bucket: Any, tmp_path: Path) -> None:
        bucket.put_object(Key="page.png", Body=PNG)
        with pytest.raises(SourceError, match="there is no Airflow connection 'nowhere'") as caught:
            read(f"s3://nowhere@{bucket.name}/page.png", tmp_path)
        assert not caught.value.retryable

    def test_a_signature_is_not_shown(self, bucket: Any, tmp_path: Path) -> None:
        with pytest.raises(SourceError) as caught:
            read(f"s3://store@{bucket.name}/page.png?X-Amz-Signature=SECRET", tmp_path)
        assert "SECRET" not in str(caught.value)


class TestAzureBlob:
    @pytest.fixture
    def container(self, azure_server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
        text = AzureBlob._connection_string(azure_server.port)
        extra = {"connection_string": text}
        monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "wasb", "extra": extra}))
        return BlobServiceClient.from_connection_string(text).create_container(f"c-{uuid4().hex}")

    @pytest.mark.parametrize("key", KEYS)
    def test_a_name_is_read_as_it_is_or_refused(self, container: Any, tmp_path: Path, key: str) -> None:
        for name in {*KEYS} - {key}:
            container.upload_blob(name, PNG + b"another", overwrite=True)
        container.upload_blob(key, PNG + b"mine")
        uri = f"abfs://store@{container.container_name}/{key}"
        if key.endswith(("?", "#")) or "?versionid=" in key:
            with pytest.raises(SourceError, match="would be opened instead"):
                read(uri, tmp_path)
        else:
            assert read(uri, tmp_path) == PNG + b"mine"

    def test_the_portal_s_form_is_not_retried(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="abfss://my_connection@scans/page.png") as caught:
            read("abfss://scans@account.dfs.core.windows.net/page.png", tmp_path)
        assert not caught.value.retryable

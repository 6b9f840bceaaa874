"""
A batch on real object stores: what it lists, that no listing is an old one, its manifest, and who made a file.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from azure.storage.blob import BlobServiceClient
from store_kinds import AzureBlob

from airflow_provider_asposeocr.api.errors import InputError, SourceError
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.batch.existing import decide_existing
from airflow_provider_asposeocr.batch.makers import SourceOwners
from airflow_provider_asposeocr.batch.manifest_file import manifest_uri, read_manifest, write_manifest
from airflow_provider_asposeocr.batch.prepare import prepare
from airflow_provider_asposeocr.batch.steps import parse_steps
from airflow_provider_asposeocr.documents.manifest import Manifest, StoredResult
from airflow_provider_asposeocr.documents.sources import identity_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from store_servers import Server

    Put = Callable[[str, bytes], Any]

STEPS = parse_steps([{"operation": "RecognizeImage", "settings": {"resultType": "Text"}}])


@pytest.fixture(autouse=True)
def own_file_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test open its stores anew: Airflow keeps them by connection id, and the servers' ports differ."""
    from airflow.sdk.io import store

    monkeypatch.setattr(store, "_STORE_CACHE", {})


def s3_place(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Put]:
    address = {"endpoint_url": f"http://127.0.0.1:{server.port}", "region_name": "us-east-1"}
    extra = json.dumps({"conn_type": "aws", "login": "moto", "password": "moto", "extra": address})
    monkeypatch.setenv("AIRFLOW_CONN_STORE", extra)
    keys = {"aws_access_key_id": "moto", "aws_secret_access_key": "moto"}
    bucket = boto3.resource("s3", **address, **keys).Bucket(f"b-{uuid4().hex}")
    bucket.create()
    return f"s3://store@{bucket.name}/", lambda key, data: bucket.put_object(Key=key, Body=data)


def azure_place(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Put]:
    text = AzureBlob._connection_string(server.port)
    connection = {"conn_type": "wasb", "extra": {"connection_string": text}}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(connection))
    container = BlobServiceClient.from_connection_string(text).create_container(f"c-{uuid4().hex}")
    return f"abfs://store@{container.container_name}/", lambda key, data: container.upload_blob(key, data)


@pytest.fixture(params=["s3", "azure"])
def place(
    request: pytest.FixtureRequest, s3_server: Server, azure_server: Server, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Put]:
    """URI of an empty bucket, and a function that puts an object there behind the back of the file system's cache."""
    return (
        s3_place(s3_server, monkeypatch) if request.param == "s3" else azure_place(azure_server, monkeypatch)
    )


def stems(root: str, sources: Any) -> list[str]:
    found = prepare(sources, STEPS, f"{root}out/", "path", None)
    return [document.file_stem for document in found.documents]


def test_a_folder_is_listed_whole_and_anew_each_time(place: tuple[str, Put]) -> None:
    root, put = place
    for key in (
        "in/b.png",
        "in/x/a 1#2.png",
        "in/day=1/c.png",
        "in/_skip/d.png",
        "in/.skip.png",
        "other/e.png",
    ):
        put(key, b"0123456789")
    assert stems(root, f"{root}in/")[:2] == ["b.png", "day=1/c.png"]
    put("in/a.png", b"new")
    assert [stem.partition("#")[0][:6] for stem in stems(root, f"{root}in/")] == [
        "a.png",
        "b.png",
        "day=1/",
        "x/a 1_",
    ]
    put("in/aa.png", b"new")
    assert stems(root, f"{root}in/*.png") == ["a.png", "aa.png", "b.png"]
    assert stems(root, f"{root}in/*/c.png") == ["day=1/c.png"]
    assert len(stems(root, f"{root}**/*.png")) == 6


def test_versions_of_a_listing_change_with_the_content_and_sizes_are_there(place: tuple[str, Put]) -> None:
    root, put = place
    put("in/a.png", b"0123456789")
    put("in/b.png", b"9876543210")
    one, two = prepare(f"{root}in/", STEPS, f"{root}out/", "path", None).documents
    assert (one.size_bytes, two.size_bytes) == (10, 10)
    assert one.version
    assert one.version != two.version
    assert one.version == prepare(f"{root}in/", STEPS, f"{root}out/", "path", None).documents[0].version
    assert identity_of(one.source)[1]


def test_a_folder_marker_is_no_document_and_an_empty_folder_is_an_error(place: tuple[str, Put]) -> None:
    root, put = place
    put("in/", b"")
    with pytest.raises(SourceError, match="no document in the folder"):
        stems(root, f"{root}in/")
    with pytest.raises(SourceError, match="no document in the folder|no folder"):
        stems(root, f"{root}nowhere/")
    put("in/a.png", b"x")
    assert stems(root, f"{root}in/") == ["a.png"]


def test_a_destination_among_the_sources_is_refused(place: tuple[str, Put]) -> None:
    root, put = place
    put("in/a.png", b"x")
    with pytest.raises(InputError, match="lies in the folder of the sources"):
        prepare(f"{root}in/", STEPS, f"{root}in/out/", "path", None)


def test_a_list_file_and_a_manifest_are_read(place: tuple[str, Put]) -> None:
    root, put = place
    put("lists/today.jsonl", json.dumps({"source": f"{root}in/a.png", "file_stem": "one"}).encode())
    assert stems(root, f"{root}lists/today.jsonl") == ["one"]
    ids: dict[str, Any] = {"dag_id": "d", "run_id": "r:1", "task_id": "t", "map_index": -1, "key": "0" * 16}
    uri = manifest_uri(f"{root}out/.aspose-ocr/", date(2026, 3, 2), **ids)
    for outcome in ("not_started", "failed"):
        row = Manifest(index=0, documents=1, outcome=outcome, source=f"{root}in/a.png", file_stem="x/a.png")
        write_manifest(uri, [row], 1)
        assert list(read_manifest(uri)) == [row]
    assert stems(root, {"manifest": uri}) == ["x/a.png"]


def test_who_made_a_file_is_found_in_the_manifests(place: tuple[str, Put]) -> None:
    root, put = place
    put("in/a.png", b"x")
    put("in/b.png", b"x")
    documents = prepare(f"{root}in/", STEPS, f"{root}out/", "path", None).documents
    state = f"{root}out/.aspose-ocr/"
    assert decide_existing(documents, STEPS[-1], f"{root}out/", "overwrite", state) == documents
    put("out/a.png.txt", b"hello")
    put("out/b.png.txt", b"hello")
    ref = TaskRef(
        operation="RecognizeImage",
        id="x",
        submitted_at=datetime(2026, 3, 2, tzinfo=UTC),
        conn_id="ocr",
        source_qualifier=SourceOwners().of(documents[0].source).source_qualifier,
    )
    results = [StoredResult(type="Text", uri=f"{root}out/a.png.txt", bytes=5, sha256="a" * 64)]
    row = Manifest(
        index=0, documents=1, outcome="succeeded", source=documents[0].source, task=ref, results=results
    )
    write_manifest(f"{state}manifests/2026/03/02/m.jsonl", [row], 1)
    own, other = decide_existing(documents, STEPS[-1], f"{root}out/", "overwrite", state)
    assert own.decided is None
    assert other.decided is not None
    assert other.decided["outcome"] == "failed"

"""
An inbox is listed page by page on real object stores: completely, afresh, and with versions that a question for the one file
confirms.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from azure.storage.blob import BlobServiceClient
from botocore.utils import parse_timestamp
from fsspec.asyn import sync
from store_gcs import attach_gcs
from store_kinds import AzureBlob, Gcs

from airflow_provider_asposeocr.api.errors import SourceError
from airflow_provider_asposeocr.documents import folder_pages as module
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.versions import stored_version
from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.ingestion.inbox_files import InboxFile, InboxListing, unchanged
from airflow_provider_asposeocr.ingestion.seen import seen_key
from airflow_provider_asposeocr.ingestion.seen_files import SeenFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from store_servers import Server

#: Keys of documents that people have, and of files that are none.
DOCUMENTS = [
    "a.png", "b c.png", "x#1.png", "x%20y.png", "é.png", "2026/01/d.PDF", "2026//e.png", "q?versionid=1.png", "😀.png",
]  # fmt: skip
OTHERS = ["notes.txt", ".hidden.png", "_out/a.png", "2026/.state/a.png", "half.png.part", "folder.png/"]


@pytest.fixture(autouse=True)
def own_file_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test open its stores anew: Airflow keeps them by connection id, and the servers' ports differ."""
    from airflow.sdk.io import store

    monkeypatch.setattr(store, "_STORE_CACHE", {})


class Place:
    """
    A folder of a store.

    :param uri: URI of the bucket or container.
    :param put: Writes an object as another program does.
    """

    def __init__(self, uri: str, put: Callable[[str, bytes], Any]) -> None:
        self.uri = uri
        self.inbox = AsposeOcrInbox(f"{uri}in/")
        self.put = put

    def listed(self, inbox: AsposeOcrInbox | None = None) -> dict[str, InboxFile]:
        inbox = inbox or self.inbox
        pages = InboxListing(inbox).pages()
        return {file.uri.removeprefix(inbox.folder): file for page in pages for file in page}


@pytest.fixture
def s3(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    address = {"endpoint_url": f"http://127.0.0.1:{s3_server.port}", "region_name": "us-east-1"}
    extra = json.dumps({"conn_type": "aws", "login": "moto", "password": "moto", "extra": address})
    monkeypatch.setenv("AIRFLOW_CONN_STORE", extra)
    keys = {"aws_access_key_id": "moto", "aws_secret_access_key": "moto"}
    bucket = boto3.resource("s3", **address, **keys).Bucket(f"b-{uuid4().hex}")
    bucket.create()
    return Place(f"s3://store@{bucket.name}/", lambda key, data: bucket.put_object(Key=key, Body=data))


@pytest.fixture
def azure(azure_server: Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    text = AzureBlob._connection_string(azure_server.port)
    monkeypatch.setenv(
        "AIRFLOW_CONN_STORE", json.dumps({"conn_type": "wasb", "extra": {"connection_string": text}})
    )
    container = BlobServiceClient.from_connection_string(text).create_container(f"c-{uuid4().hex}")
    return Place(
        f"abfs://store@{container.container_name}/",
        lambda key, data: container.upload_blob(key, data, overwrite=True),
    )


@pytest.fixture
def gcs(gcs_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    store = Gcs(gcs_server)
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    fs = attach_gcs()
    yield Place(
        f"gs://store@{store.bucket.name}/", lambda key, data: store.bucket.blob(key).upload_from_string(data)
    )
    sync(fs.loop, fs._session.close)  # It would keep its connections as long as the process lives.


@pytest.fixture(params=["s3", "azure", "gcs"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def test_a_listing_has_the_documents_and_their_versions(place: Place) -> None:
    for name in DOCUMENTS + OTHERS:
        place.put(f"in/{name}", name.encode())
    place.put("inner/x.png", b"1")
    found = place.listed()
    assert sorted(found) == sorted(DOCUMENTS)
    for name, file in found.items():
        assert file.size_bytes == len(name.encode())
        assert file.changed_at > 1_600_000_000
        assert file.version
        if "?versionid=" not in name or place.uri.startswith(
            "s3:"
        ):  # Azure's library would open another blob.
            assert file.version == stored_version(object_path(file.uri))
    flat = AsposeOcrInbox(place.inbox.folder, recursive=False)
    assert sorted(place.listed(flat)) == sorted(name for name in DOCUMENTS if "/" not in name)


def test_another_programs_writes_are_seen_at_once(place: Place) -> None:
    """s3fs answers ``ls`` from what it has listed before, without limit of time."""
    place.put("in/a.png", b"1")
    first = place.listed()
    assert list(first) == ["a.png"]
    place.put("in/b.png", b"1")
    place.put("in/a.png", b"12")
    second = place.listed()
    assert sorted(second) == ["a.png", "b.png"]
    assert second["a.png"].version != first["a.png"].version
    assert list(unchanged([*first.values(), second["b.png"]])) == [second["b.png"]]


def test_more_than_a_page_is_listed_page_by_page(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_FILES", 7)
    names = {f"{number:02d}.png" for number in range(30)}
    for name in names:
        place.put(f"in/{name}", b"1")
    pages = [[file.uri.rpartition("/")[2] for file in page] for page in InboxListing(place.inbox).pages()]
    assert max(map(len, pages)) <= 7
    assert sorted(name for page in pages for name in page) == sorted(names)


def test_the_times_of_s3_are_read_without_botocores_slow_parser(
    s3: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("in/a.png", b"1")
    fs = object_path(s3.uri).fs
    reads = fs.session.get_component("response_parser_factory")._defaults["timestamp_parser"]
    for time in ("2026-01-01T00:00:00.000Z", "2026-12-31T23:59:59Z", "2026-01-01T00:00:00+02:00", "1767225600",
                 "Thu, 01 Jan 2026 00:00:00 GMT", 1767225600):  # fmt: skip
        assert reads(time) == parse_timestamp(time)
    modified = fs.info(f"{s3.uri.rpartition('@')[2]}in/a.png")["LastModified"].timestamp()

    def slow(*_: Any, **__: Any) -> Any:
        raise AssertionError("The form of a time was guessed.")

    monkeypatch.setattr("dateutil.parser.parse", slow)
    assert s3.listed()["a.png"].changed_at == modified


def test_an_empty_folder_is_empty_and_a_missing_bucket_is_an_error(place: Place) -> None:
    assert place.listed() == {}
    missing = place.uri.rpartition("@")[0] + f"@missing-{uuid4().hex}/"
    with pytest.raises(SourceError, match="There is no folder"):
        place.listed(AsposeOcrInbox(missing))


def test_an_inbox_may_be_a_whole_bucket(place: Place) -> None:
    place.put("a.png", b"1")
    assert list(place.listed(AsposeOcrInbox(place.uri))) == ["a.png"]


def test_the_index_of_what_was_read_lies_in_the_store(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_asposeocr.ingestion.seen._FRESH_FOR_A_SEGMENT", 2)
    register = f"{place.uri}out/.aspose-ocr/"
    assert len(SeenFiles(register).load()) == 0
    keys = set()
    for number in range(3):
        uri = f"{place.inbox.folder}{number}.png"
        row = {"pipeline": "p", "source": uri, "source_version": "v", "outcome": "succeeded", "final": False}
        place.put(f"out/.aspose-ocr/manifests/2026/01/{number}.jsonl", json.dumps(row).encode() + b"\n")
        keys.add(seen_key("p", uri, "v"))
    index = SeenFiles(register)
    assert index.load().settled == keys
    index.compact()
    again = SeenFiles(register)
    assert again.load().settled == keys
    assert len(again._segments) == 1
    assert not again._fresh.manifests
    again.forget([min(keys)])
    assert SeenFiles(register).load().settled == keys - {min(keys)}

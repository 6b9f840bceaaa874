"""
Local disk, S3, Azure Blob and Google Cloud Storage, each with what a writer does and what an observer reads.

The observer asks the store itself, with the vendor's own client, not through the gate or the provider.
"""

from __future__ import annotations

import json
import os
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from botocore.exceptions import ClientError
from store_gcs import ADDRESS
from store_gcs import SETTINGS as GCS_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from store_servers import Server

MIB = 1024 * 1024
FOLDER = "2026"
NAME = "page.pdf"
#: Azurite's published account, the same on every machine.
_AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_DEADLINE_SECONDS = 60.0


def _results(keys: Iterable[str]) -> list[str]:
    """Return the keys without the folder's name, and without owner records."""
    names = [key.removeprefix(f"{FOLDER}/") for key in keys]
    return [name for name in names if not name.startswith(".aspose-ocr/owners/")]


class Place(ABC):
    """
    A place for one result.

    :cvar large_bytes: Size of a result that is not written in one piece with the library's default settings.
    :cvar next_write_sweeps: Whether the next write removes what a killed one has left.
    """

    large_bytes: int
    next_write_sweeps = True
    environment: dict[str, str]
    uri: str

    @abstractmethod
    def look(self, known: set[Any]) -> tuple[Any, bytes | None]:
        """Return a version, and its content if the version is not known; ``(None, None)`` if nothing is there."""

    @abstractmethod
    def put(self, data: bytes) -> None:
        """Put something there."""

    @abstractmethod
    def names(self) -> list[str]:
        """List the names in the folder that users see."""

    @abstractmethod
    def leftovers(self) -> list[str]:
        """List unfinished uploads and temporary files, which an ordinary listing does not show."""

    @abstractmethod
    def stop_midway(self, source: Path) -> Path:
        """Let the next write stop in its middle; return what it is to read."""

    @abstractmethod
    def wait_stopped(self) -> None:
        """Wait until it has."""

    @abstractmethod
    def let_go(self) -> None:
        """Let the write continue, if its process still lives."""

    @abstractmethod
    def fail_midway(self) -> dict[str, Any]:
        """Let the next write fail in its middle; return the arguments that the writer needs for it."""


class Local(Place):
    """A folder; writes stop because what they read is a pipe that goes dry."""

    large_bytes = 32 * MIB

    def __init__(self, folder: Path) -> None:
        self.environment = {}
        self._folder = folder / FOLDER
        self._folder.mkdir()
        self._path = self._folder / NAME
        self.uri = str(self._path)
        self._pipe = folder / "pipe"
        self._half, self._go = threading.Event(), threading.Event()
        self._feeder: threading.Thread | None = None

    def look(self, known: set[Any]) -> tuple[Any, bytes | None]:
        try:
            with self._path.open("rb") as stream:
                facts = os.fstat(stream.fileno())
                version = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
                return version, None if version in known else stream.read()
        except FileNotFoundError:
            return None, None

    def put(self, data: bytes) -> None:
        self._path.write_bytes(data)

    def names(self) -> list[str]:
        return sorted(name for name in os.listdir(self._folder) if not name.startswith("."))

    def leftovers(self) -> list[str]:
        return sorted(name for name in os.listdir(self._folder) if name.endswith(".part"))

    def stop_midway(self, source: Path) -> Path:
        os.mkfifo(self._pipe)
        self._half.clear()
        self._go.clear()

        def feed() -> None:
            data = source.read_bytes()
            try:
                with self._pipe.open("wb", buffering=0) as pipe:
                    for start in range(0, len(data), MIB):
                        if start == len(data) // 2:
                            self._half.set()
                            self._go.wait(_DEADLINE_SECONDS)
                        pipe.write(data[start : start + MIB])
            except BrokenPipeError:
                pass

        self._feeder = threading.Thread(target=feed)
        self._feeder.start()
        return self._pipe

    def wait_stopped(self) -> None:
        assert self._half.wait(_DEADLINE_SECONDS)

    def let_go(self) -> None:
        self._go.set()
        if self._feeder is not None:
            self._feeder.join(_DEADLINE_SECONDS)
            self._pipe.unlink()
            self._feeder = None

    def fail_midway(self) -> dict[str, Any]:
        return {"file_size_limit": self.large_bytes // 2}


class _Remote(Place):
    """
    A store behind a gate.

    :param server: Where it is.
    :param stop_at: The number of the large body in whose middle a write stops.
    """

    def __init__(self, server: Server, stop_at: int) -> None:
        self._gate = server.gate
        self._stop_at = stop_at

    def stop_midway(self, source: Path) -> Path:
        self._gate.stop_at(self._stop_at)
        return source

    def wait_stopped(self) -> None:
        self._gate.wait_stopped()

    def let_go(self) -> None:
        self._gate.open()

    def fail_midway(self) -> dict[str, Any]:
        self._gate.refuse_from(self._stop_at)
        return {}


class S3(_Remote):
    """A bucket of moto's."""

    #: s3fs uploads in parts of 50 MiB what fills two of them.
    large_bytes = 101 * MIB
    #: A lifecycle rule of the bucket does, which moto does not carry out.
    next_write_sweeps = False

    def __init__(self, server: Server, stop_at: int = 2) -> None:
        super().__init__(server, stop_at)
        secret = {"aws_access_key_id": "moto-user", "aws_secret_access_key": "moto-secret"}
        self._client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1", **secret
        )
        self._bucket = f"b-{uuid4().hex}"
        self._key = f"{FOLDER}/{NAME}"
        self._client.create_bucket(Bucket=self._bucket)
        extra = {"endpoint_url": f"http://127.0.0.1:{server.gate.port}", "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "moto-user", "password": "moto-secret", "extra": extra}
        self.environment = {"AIRFLOW_CONN_STORE": json.dumps(connection)}
        self.uri = f"s3://store@{self._bucket}/{self._key}"

    def look(self, known: set[Any]) -> tuple[Any, bytes | None]:
        where = {"Bucket": self._bucket, "Key": self._key}
        try:
            version = self._client.head_object(**where)["ETag"]
            if version in known:
                return version, None
            answer = self._client.get_object(**where)
            return answer["ETag"], answer["Body"].read()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return None, None

    def put(self, data: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._key, Body=data)

    def names(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=self._bucket).get("Contents", [])
        return _results(item["Key"] for item in found)

    def leftovers(self) -> list[str]:
        found = self._client.list_multipart_uploads(Bucket=self._bucket).get("Uploads", [])
        return [item["Key"] for item in found]


class AzureBlob(_Remote):
    """A container of Azurite's."""

    #: The SDK uploads in blocks of 4 MiB what is larger than 64 MiB.
    large_bytes = 70 * MIB

    def __init__(self, server: Server, stop_at: int = 5) -> None:
        super().__init__(server, stop_at)
        self._service = BlobServiceClient.from_connection_string(self._connection_string(server.port))
        self._container = self._service.create_container(f"c-{uuid4().hex}")
        self._blob = self._container.get_blob_client(f"{FOLDER}/{NAME}")
        extra = {"connection_string": self._connection_string(server.gate.port)}
        self.environment = {"AIRFLOW_CONN_STORE": json.dumps({"conn_type": "wasb", "extra": extra})}
        self.uri = f"abfs://store@{self._container.container_name}/{FOLDER}/{NAME}"

    @staticmethod
    def _connection_string(port: int) -> str:
        name = "devstoreaccount1"
        endpoint = f"http://127.0.0.1:{port}/{name}"
        return f"DefaultEndpointsProtocol=http;AccountName={name};AccountKey={_AZURITE_KEY};BlobEndpoint={endpoint};"

    def look(self, known: set[Any]) -> tuple[Any, bytes | None]:
        try:
            version = self._blob.get_blob_properties().etag
            if version in known:
                return version, None
            answer = self._blob.download_blob()
            return answer.properties.etag, answer.readall()
        except ResourceNotFoundError:
            return None, None

    def put(self, data: bytes) -> None:
        self._blob.upload_blob(data, overwrite=True)

    def names(self) -> list[str]:
        return _results(self._container.list_blob_names())

    def leftovers(self) -> list[str]:
        try:
            _, uncommitted = self._blob.get_block_list("all")
        except ResourceNotFoundError:
            return []
        return [NAME] if uncommitted else []


class Gcs(_Remote):
    """A bucket of fake-gcs-server's."""

    #: gcsfs uploads in chunks of 50 MiB what is larger than 5 MiB.
    large_bytes = 101 * MIB

    def __init__(self, server: Server, stop_at: int = 2) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        super().__init__(server, stop_at)
        address = f"http://127.0.0.1:{server.port}"
        client = Client("tests", AnonymousCredentials(), client_options={"api_endpoint": address})
        self.bucket = client.create_bucket(f"b-{uuid4().hex}")
        self.environment = {**GCS_SETTINGS, ADDRESS: f"http://127.0.0.1:{server.gate.port}"}
        self.uri = f"gs://store@{self.bucket.name}/{FOLDER}/{NAME}"

    def look(self, known: set[Any]) -> tuple[Any, bytes | None]:
        blob = self.bucket.get_blob(f"{FOLDER}/{NAME}")
        if blob is None:
            return None, None
        return blob.generation, None if blob.generation in known else blob.download_as_bytes()

    def put(self, data: bytes) -> None:
        self.bucket.blob(f"{FOLDER}/{NAME}").upload_from_string(data)

    def names(self) -> list[str]:
        return _results(blob.name for blob in self.bucket.list_blobs())

    def leftovers(self) -> list[str]:
        return []  # No listing shows an upload that was begun; the store forgets it after a week.

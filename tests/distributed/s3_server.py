"""
Object storage that speaks S3, for Airflow's remote logs and for an inbox.

Invariant: it listens on loopback only, keeps everything in memory, and is gone after the context manager.
"""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING, Self

import boto3

from demo.processes import Service, ServiceError, free_port
from tests.distributed.inbox_place import FAR_BUCKET

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

BUCKET = "airflow-logs"
LOGS_FOLDER = f"s3://{BUCKET}/logs"
LOGS_CONNECTION = "logs"
#: Longest wait for the start: on a busy machine, the imports alone take a minute.
START_SECONDS = 300.0
#: The server colours the lines of requests that were refused.
_REQUEST = re.compile(r'"(?:\x1b\[[0-9;]*m)*([A-Z]+) (/\S*) HTTP')


class S3Server:
    """
    A moto server.

    :param folder: Existing folder for its log.
    """

    def __init__(self, folder: Path) -> None:
        self._log_path = folder / "logs-s3.txt"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._service = Service("the S3 server", command, os.environ, self._log_path)
        try:
            self._wait_until_it_listens()
        except BaseException:
            self._service.stop(2)  # Nothing else ends it: a context manager that was not entered is not left.
            raise
        self._client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="logs",
            aws_secret_access_key="logs-secret",
        )
        for bucket in (BUCKET, FAR_BUCKET):
            self._client.create_bucket(Bucket=bucket)
        return self

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "Running on" not in self._service.output():
            self._service.check()
            if time.monotonic() > deadline:
                raise ServiceError(f"The S3 server does not listen:\n{self._service.tail()}")
            time.sleep(0.1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._service.stop(2)

    def keys(self, prefix: str = "") -> list[str]:
        """
        List the logs.

        :param prefix: Of the keys, below the folder of the logs.
        """
        return self.keys_in(BUCKET, f"logs/{prefix}")

    def read(self, key: str, bucket: str = BUCKET) -> str:
        """Read an object as text."""
        return str(self._client.get_object(Bucket=bucket, Key=key)["Body"].read().decode())

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object."""
        self._client.put_object(Bucket=bucket, Key=key, Body=content)

    def keys_in(self, bucket: str, prefix: str) -> list[str]:
        """List what is below a prefix of a bucket."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def delete(self, bucket: str) -> None:
        """Delete all objects of a bucket."""
        for key in self.keys_in(bucket, ""):
            self._client.delete_object(Bucket=bucket, Key=key)

    def requests(self, bucket: str) -> list[str]:
        """
        Return the requests for a bucket so far, as the server has logged them: ``"GET /scans/in/a.png"``.

        :param bucket: Its name. Requests for other buckets are left out.
        """
        found = _REQUEST.findall(self._log_path.read_text(encoding="utf-8", errors="replace"))
        begins = re.compile(rf"/{re.escape(bucket)}(?:[/?]|$)")
        return [f"{method} {path}" for method, path in found if begins.match(path)]

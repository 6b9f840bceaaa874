"""
Object storage that speaks S3, for Airflow's remote logs.

Invariant: it listens on loopback only, keeps everything in memory, and is gone after the context manager.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Self

import boto3

from demo.processes import Service, ServiceError, free_port

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

BUCKET = "airflow-logs"
LOGS_FOLDER = f"s3://{BUCKET}/logs"
LOGS_CONNECTION = "logs"
START_SECONDS = 60.0


class S3Server:
    """
    A moto server with one bucket.

    :param folder: Existing folder for its log.
    """

    def __init__(self, folder: Path) -> None:
        self._log_path = folder / "logs-s3.txt"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._service = Service("the S3 server", command, os.environ, self._log_path)
        deadline = time.monotonic() + START_SECONDS
        while "Running on" not in self._service.output():
            self._service.check()
            if time.monotonic() > deadline:
                raise ServiceError(f"The S3 server does not listen:\n{self._service.tail()}")
            time.sleep(0.1)
        self._client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="logs",
            aws_secret_access_key="logs-secret",
        )
        self._client.create_bucket(Bucket=BUCKET)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._service.stop(2)

    def keys(self, prefix: str = "") -> list[str]:
        """
        List what is in the bucket.

        :param prefix: Of the keys, below the folder of the logs.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"logs/{prefix}")
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str) -> str:
        """Read an object as text."""
        return str(self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode())

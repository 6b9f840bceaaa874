"""
The two clients behind the same interface, and the emulator that they call.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.auth.credentials import CredentialMemory
from airflow_provider_asposeocr.api.client import ClientEnvironment, CloudClient
from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.api.results.download import Download, download_into, download_results

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.http.retrying import RequestRetry
    from airflow_provider_asposeocr.api.http.submits import Submitted
    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.emulator.server import Emulator

#: The smallest PNG; the canned engine never looks at it.
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


class Driver:
    """One of the two clients, behind one interface. Its waits are noted instead of slept; its clock moves only by them."""

    name = ""
    client: CloudClient | AsyncCloudClient
    #: What a scenario submits.
    document: Path

    def __init__(self, account: Account, memory: Path | None = None) -> None:
        self.account = account
        self.waits: list[float] = []
        self.secrets: list[str] = []
        self._now = time.time()
        self.env = ClientEnvironment(
            on_secret=self.secrets.append,
            memory=CredentialMemory(memory),
            clock=lambda: self._now,
            random=lambda: 0.5,
        )

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._now += seconds

    def operation(self, name: str) -> Operation:
        return find_operation(name, self.account.trial)

    def token(self) -> None:
        """Make sure that there is a token, so that no request for one is in what follows."""
        self.status("RecognizeImage", "0-0")

    def submit(self, operation: str, document: Path, settings: dict[str, Any] | None = None) -> Submitted:
        raise NotImplementedError

    def download_results(self, ref: TaskRef, now: float, **options: Any) -> AbstractContextManager[Download]:
        """The results of a task; their files exist while the context lasts."""
        raise NotImplementedError

    def status(self, operation: str, id: str, retry: RequestRetry | None = None) -> TaskState:
        raise NotImplementedError

    def look(self, operation: str, id: str) -> TaskState:
        """Read the status as before a cancel."""
        raise NotImplementedError

    def statuses(self, operation: str, ids: list[str]) -> list[TaskState]:
        """All at once."""
        raise NotImplementedError

    def cancel(self, operation: str, id: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class SyncDriver(Driver):
    name = "requests"
    client: CloudClient

    def __init__(self, account: Account, memory: Path | None = None) -> None:
        super().__init__(account, memory)
        self.client = CloudClient(account, self.env, sleep=self.wait)

    def submit(self, operation: str, document: Path, settings: dict[str, Any] | None = None) -> Submitted:
        return self.client.submit(self.operation(operation), document, settings or {})

    def download_results(self, ref: TaskRef, now: float, **options: Any) -> AbstractContextManager[Download]:
        return download_results(self.client, ref, now, **options)

    def status(self, operation: str, id: str, retry: RequestRetry | None = None) -> TaskState:
        return self.client.status(operation, id, retry)

    def look(self, operation: str, id: str) -> TaskState:
        return self.client.status(operation, id, ahead=True)

    def statuses(self, operation: str, ids: list[str]) -> list[TaskState]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(ids)) as pool:
            return list(pool.map(lambda id: self.client.status(operation, id), ids))

    def cancel(self, operation: str, id: str) -> None:
        self.client.cancel(operation, id)

    def close(self) -> None:
        self.client.close()


class AsyncDriver(Driver):
    name = "aiohttp"
    client: AsyncCloudClient

    def __init__(self, account: Account, memory: Path | None = None) -> None:
        super().__init__(account, memory)
        context = tls_context(account)
        self.runner = asyncio.Runner()
        self.client = self.runner.run(self._new(context))

    async def _new(self, context: ssl.SSLContext) -> AsyncCloudClient:
        return AsyncCloudClient(self.account, context, self.env, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0.001:  # The waits of the pace are left out: the other client has none.
            self.wait(seconds)
        await asyncio.sleep(0)

    def submit(self, operation: str, document: Path, settings: dict[str, Any] | None = None) -> Submitted:
        return self.runner.run(self.client.submit(self.operation(operation), document, settings or {}))

    @contextmanager
    def download_results(self, ref: TaskRef, now: float, **options: Any) -> Iterator[Download]:
        with tempfile.TemporaryDirectory() as folder:
            yield self.runner.run(download_into(self.client, ref, Path(folder), now, **options))

    def status(self, operation: str, id: str, retry: RequestRetry | None = None) -> TaskState:
        return self.runner.run(self.client.status(operation, id, retry))

    def look(self, operation: str, id: str) -> TaskState:
        return self.runner.run(self.client.status(operation, id, ahead=True))

    def statuses(self, operation: str, ids: list[str]) -> list[TaskState]:
        async def all_at_once() -> list[TaskState]:
            return await asyncio.gather(*(self.client.status(operation, id) for id in ids))

        return self.runner.run(all_at_once())

    def cancel(self, operation: str, id: str) -> None:
        self.runner.run(self.client.cancel(operation, id))

    def close(self) -> None:
        self.runner.run(self.client.close())
        self.runner.close()


DRIVERS: tuple[type[Driver], ...] = (SyncDriver, AsyncDriver)


@dataclass
class Desk:
    """A worker's client of the emulator, and the steps that several tests share."""

    emulator: Emulator
    account: Account
    document: Path
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = CloudClient(
            self.account, ClientEnvironment(random=lambda: 0.5), sleep=self.waits.append
        )

    def submit(self, operation: str = "RecognizeImage", **settings: Any) -> TaskRef:
        """Submit and wait until the task has ended, without a trace in the journal."""
        named = find_operation(operation, self.account.trial)
        done = self.client.submit(named, self.document, settings)
        self.settle(done.id)
        return TaskRef(
            operation=done.operation,
            id=done.id,
            submitted_at=datetime.fromtimestamp(done.submitted_at.timestamp(), UTC),
            conn_id="ocr",
            source_name="page.png",
        )

    def settle(self, id: str) -> None:
        for _ in range(10_000):
            task = next(task for task in self.emulator.control.tasks() if task["id"] == id)
            if TaskStatus(task["status"]).is_terminal:
                return
        raise AssertionError(f"The task {id} does not end.")


def seen(emulator: Emulator) -> list[tuple[str, str, str | None, int | None]]:
    """The journal, without what differs from run to run."""
    return [
        (entry["method"], entry["path"], entry["id"], entry["status"]) for entry in emulator.control.journal()
    ]

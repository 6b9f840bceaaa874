"""
Guards for the cost of waits and tasks, which no result shows: requests, connections and imports are counted, not timed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import weakref
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from requests import utils as requests_utils

from airflow_provider_asposeocr import clients
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators import AsposeOcrUpscaleImageOperator
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tests.support.airflow_tasks import context_for, deferral, execute, resume
from tests.support.clocks import Clock
from tests.support.emulated_cloud import STATUS
from tests.support.ocr_tasks import completed, fetch, recognize
from tests.support.patience import PATIENCE_SECONDS
from tests.support.starting_in_triggerer import event_of, in_triggerer, sensor, submit_task
from tests.support.triggers import run, trigger

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.client import ClientEnvironment
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from tests.support.counting_cloud import CountingCloud


class Sleeps:
    """A sleep that records its length, and ends when the test sets ``over``."""

    def __init__(self) -> None:
        self._seconds: asyncio.Queue[float] = asyncio.Queue()
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self._seconds.put_nowait(seconds)
        await self.over.wait()

    async def begun(self, count: int) -> list[float]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await self._seconds.get() for _ in range(count)]


@pytest.mark.usefixtures("close_clients")
class TestPace:
    @pytest.fixture
    def sleeps(self, monkeypatch: pytest.MonkeyPatch) -> dict[str | None, Sleeps]:
        """Those of the triggers' clients, by client id; the clients' clocks stand still."""
        by_account: defaultdict[str | None, Sleeps] = defaultdict(Sleeps)

        def make(account: Account, certificates: ssl.SSLContext, env: ClientEnvironment) -> AsyncCloudClient:
            still = replace(env, clock=Clock())
            return AsyncCloudClient(account, certificates, still, by_account[account.client_id])

        monkeypatch.setattr(clients, "AsyncCloudClient", make)
        return by_account

    @pytest.fixture
    async def begin(
        self, counting_cloud: CountingCloud, connection: Callable[..., str]
    ) -> AsyncIterator[Callable[[str], None]]:
        """Begin a wait on a connection that allows one poll per second; its client id is its name."""
        waits: list[asyncio.Task[None]] = []

        def on(conn_id: str) -> None:
            connection(
                conn_id,
                host=counting_cloud.url,
                login=conn_id,
                password="secret",
                extra={"max_requests_per_second": 1},
            )
            wait = trigger()
            wait.reference["conn_id"] = conn_id
            waits.append(asyncio.create_task(run(wait)))

        yield on
        await ended(*waits)

    async def test_all_polls_of_a_connection_wait_for_their_turn(
        self,
        counting_cloud: CountingCloud,
        sleeps: dict[str | None, Sleeps],
        begin: Callable[[str], None],
    ) -> None:
        for _ in range(5):
            begin("ocr")
        # The fifth is the second poll of the trigger that had the first turn.
        assert await sleeps["ocr"].begun(5) == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert counting_cloud.asked["poll"] == 1
        sleeps["ocr"].over.set()
        await counting_cloud.until(lambda: counting_cloud.asked["poll"] >= 6)

    async def test_another_account_s_polls_take_none_of_their_turns(
        self, sleeps: dict[str | None, Sleeps], begin: Callable[[str], None]
    ) -> None:
        for name in ("one", "other"):
            sleeps[name].over.set()
            begin(name)
        for name in ("one", "other"):
            assert await sleeps[name].begun(3) == [1.0, 2.0, 3.0]


async def ended(*waits: asyncio.Task[None]) -> None:
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


#: A fresh process, because this one has imported everything already.
FIRST_CLIENT = """
import asyncio, contextlib, json, ssl, sys, threading
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.clients import LoopClients

done = []

def note(what):
    done.append((what, threading.current_thread() is threading.main_thread()))

create = ssl.create_default_context

def load(*arguments, **options):
    note("certificates")
    return create(*arguments, **options)

class Imports:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("aiohttp", "requests", "requests.utils"):
            note(name)

async def look_up(conn_id):
    return Account(trial=True, base_url="http://127.0.0.1:1")

async def main():
    clients = LoopClients(print)
    client = await clients.client("ocr", look_up)
    with contextlib.suppress(AsposeOcrError):
        await client.status("RecognizeImageTrial", "x", ONCE)
    await clients.close()

ssl.create_default_context = load
sys.meta_path.insert(0, Imports)
asyncio.run(main())
print(json.dumps(done))
"""


@pytest.mark.process
def test_the_loop_neither_loads_certificates_nor_imports_http_libraries() -> None:
    """Each takes tens of milliseconds, in which no trigger of the process gets a turn."""
    script = [sys.executable, "-c", FIRST_CLIENT]
    ran = subprocess.run(script, check=True, capture_output=True, timeout=120)
    done: list[tuple[str, bool]] = json.loads(ran.stdout)
    assert {what for what, _ in done} == {"certificates", "aiohttp", "requests", "requests.utils"}
    assert [what for what, in_the_loop_s_thread in done if in_the_loop_s_thread] == []


async def test_the_environment_s_proxy_is_not_looked_for_with_each_poll(
    counting_cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the whole environment takes longer than sending a poll."""
    looked_for: Counter[str] = Counter()
    look = requests_utils.get_environ_proxies

    def counted(url: str, *rest: Any) -> Any:
        looked_for[url] += 1
        return look(url, *rest)

    monkeypatch.setattr(requests_utils, "get_environ_proxies", counted)
    account = counting_cloud.account()
    client = AsyncCloudClient(account, tls_context(account))
    for kept in (True, False):  # If there is no wait, each request opens its own session.
        await client.keep_connections(kept)
        for _ in range(50):
            await client.status("RecognizeImage", "x", ONCE)
    await client.close()
    assert counting_cloud.asked["poll"] == 100
    # Polls and token requests may use different proxies.
    assert looked_for == {account.base_url: 1, account.issuer_url: 1}


class TestConnection:
    """In a worker each look-up is a question to the supervisor, and there perhaps to a vault."""

    @pytest.fixture
    def looked_up(self, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        asked: list[str] = []
        read = AsposeOcrHook.get_connection

        def get_connection(conn_id: str) -> Any:
            asked.append(conn_id)
            return read(conn_id)

        monkeypatch.setattr(AsposeOcrHook, "get_connection", staticmethod(get_connection))
        return asked

    @pytest.mark.parametrize("waits", [True, False], ids=["waits", "pipelined"])
    def test_a_submit_reads_it_once(self, page: str, looked_up: list[str], waits: bool) -> None:
        execute(recognize(page, wait_for_completion=waits))
        assert looked_up == ["ocr"]

    def test_a_submit_of_an_upstream_s_result_reads_it_once(self, page: str, looked_up: list[str]) -> None:
        upstream = execute(recognize(page, AsposeOcrUpscaleImageOperator))
        looked_up.clear()
        execute(recognize(upstream))
        assert looked_up == ["ocr"]

    def test_a_submit_reads_it_once_in_each_worker(
        self, cloud: EmulatorControl, page: str, looked_up: list[str]
    ) -> None:
        operator = recognize(page, deferrable=True, inline_wait_seconds=0)
        context = context_for(operator)
        deferred = deferral(operator, context)
        assert looked_up == ["ocr"]
        resume(recognize(page), completed_event(cloud, deferred, looked_up), context)
        assert looked_up == ["ocr"]

    def test_a_sensor_reads_it_once_for_all_its_pokes(
        self, cloud: EmulatorControl, page: str, looked_up: list[str]
    ) -> None:
        ref = execute(recognize(page))
        looked_up.clear()
        cloud.add_faults({"kind": "task_stuck", "method": "GET", "path": STATUS, "count": 3})
        execute(AsposeOcrTaskSensor(task_id="sensor", task=ref, poke_interval=0.05))
        assert looked_up == ["ocr"]

    def test_a_fetch_reads_it_once(self, page: str, looked_up: list[str], tmp_path: Any) -> None:
        ref = execute(recognize(page))
        looked_up.clear()
        execute(fetch(ref, f"{tmp_path}/out/"))
        assert looked_up == ["ocr"]

    def test_a_fetch_reads_it_once_in_the_worker_after_the_wait(
        self, cloud: EmulatorControl, page: str, looked_up: list[str], tmp_path: Any
    ) -> None:
        ref = execute(recognize(page))
        operator = fetch(ref, f"{tmp_path}/out/", deferrable=True, inline_wait_seconds=0)
        event = completed_event(cloud, deferral(operator), looked_up)
        resume(fetch(ref, f"{tmp_path}/out/"), event)
        assert looked_up == ["ocr"]


def completed_event(cloud: EmulatorControl, deferred: Any, looked_up: list[str]) -> dict[str, Any]:
    """Return what the trigger of a deferral fires in the end; from here on, the next worker's look-ups are counted."""
    completed(cloud)
    looked_up.clear()
    return {"status": "completed", "task": deferred.trigger.reference, "error": None}


class Context(dict[str, Any]):
    """Airflow's context, which a test can see go."""


@pytest.mark.usefixtures("close_clients")
async def test_a_wait_keeps_no_context_of_its_own(
    cloud: EmulatorControl,
    submit: Callable[..., dict[str, Any]],
    supervised: Callable[..., Any],
) -> None:
    """A context holds a whole copy of the DAG. That Airflow keeps one beside the trigger is Airflow's affair."""
    supervised(submit({"kind": "task_stuck"}))
    with DAG("d"):
        operator = sensor(submit_task().output)
    wait = in_triggerer(operator)
    context = Context(wait.task_instance.get_template_context())
    wait.render_template_fields(context)
    kept = weakref.ref(context)
    del context
    assert kept() is not None
    running = asyncio.create_task(event_of(wait))
    await asyncio.to_thread(cloud.wait_for_request, "GET", STATUS)
    gc.collect()
    assert kept() is None
    await ended(running)

"""
What many waits cost a triggerer, counted.

Each of these guards a row of the table in docs/performance.md: requests, connections, look-ups and bytes, never time.
"""

from __future__ import annotations

import asyncio
import gc
import math
import ssl
import tracemalloc
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_asposeocr.api import async_client
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.auth.tokens import MARGIN_SECONDS
from airflow_provider_asposeocr.api.client import ClientEnvironment
from airflow_provider_asposeocr.api.errors import CloudUnavailableError, RateLimitedError
from airflow_provider_asposeocr.api.http.pacing import Pacer, Pause
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.clients import LoopClients, loop_clients
from airflow_provider_asposeocr.connection import mask_token
from airflow_provider_asposeocr.triggers import base
from tests.support.clocks import Clock
from tests.support.counting_cloud import CountingCloud, refusal
from tests.support.triggers import run, trigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_asposeocr.api.account import Account


@pytest.fixture
def cloud(counting_cloud: CountingCloud) -> CountingCloud:
    return counting_cloud


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(cloud: CountingCloud, clock: Clock) -> AsyncIterator[AsyncCloudClient]:
    account = cloud.account(max_connections=4)
    client = AsyncCloudClient(account, tls_context(account), ClientEnvironment(clock=clock))
    yield client
    await client.close()


def poll(client: AsyncCloudClient, id: str = "x") -> asyncio.Task[Any]:
    return asyncio.create_task(client.status("RecognizeImage", id, ONCE))


class TestConnections:
    async def test_they_are_bounded_and_one_is_left_for_a_cancel(
        self, cloud: CountingCloud, client: AsyncCloudClient
    ) -> None:
        await client.status("RecognizeImage", "x", ONCE)
        cloud.answering.clear()
        polls = [poll(client) for _ in range(200)]
        await cloud.until(lambda: cloud.asked["poll"] == 1 + 3)
        await client.cancel("RecognizeImage", "x")
        assert (cloud.asked["cancel"], cloud.asked["poll"]) == (1, 4)
        cloud.answering.set()
        await asyncio.gather(*polls)
        assert cloud.most_connections <= 4
        assert cloud.asked["poll"] == 201

    async def test_cancels_have_no_more_of_them_either(
        self, cloud: CountingCloud, client: AsyncCloudClient
    ) -> None:
        await asyncio.gather(*(client.cancel("RecognizeImage", f"{number}") for number in range(50)))
        assert cloud.asked["cancel"] == 50
        assert cloud.most_connections <= 4

    async def test_they_are_closed_after_the_last_wait_while_the_token_stays(
        self, cloud: CountingCloud
    ) -> None:
        loop = LoopClients(mask_token)

        async def look_up(_: str) -> Account:
            return cloud.account()

        async def wait(until: asyncio.Event) -> None:
            async with loop.using("ocr"):
                client = await loop.client("ocr", look_up)
                await client.status("RecognizeImage", "x", ONCE)
                await until.wait()

        for _ in range(2):
            first, last = asyncio.Event(), asyncio.Event()
            waits = [asyncio.create_task(wait(until)) for until in (first, last)]
            asked = cloud.asked["poll"]
            await cloud.until(lambda asked=asked: cloud.asked["poll"] == asked + 2)
            first.set()
            await waits[0]
            assert cloud.connections > 0
            last.set()
            await waits[1]
            await cloud.until(lambda: cloud.connections == 0)
        assert cloud.asked["token"] == 1

    async def test_a_request_outside_of_any_wait_leaves_none_open(self, cloud: CountingCloud) -> None:
        async def look_up(_: str) -> Account:
            return cloud.account()

        client = await LoopClients(mask_token).client("ocr", look_up)
        await client.cancel("RecognizeImage", "x")
        await cloud.until(lambda: cloud.connections == 0)

    async def test_a_rotated_secret_leaves_nothing_behind_and_breaks_no_poll(
        self, cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_asposeocr.clients.LOOKUP_SECONDS", -1.0)
        loop, accounts = LoopClients(mask_token), [cloud.account(request_timeout_seconds=9), cloud.account()]

        async def look_up(_: str) -> Account:
            return accounts.pop()

        async with loop.using("ocr"):
            old = await loop.client("ocr", look_up)
            await old.status("RecognizeImage", "x", ONCE)
            cloud.answering.clear()
            under_way = poll(old)
            await cloud.until(lambda: cloud.asked["poll"] == 2)
            new = await loop.client("ocr", look_up)
            assert new is not old
            cloud.answering.set()
            assert (await under_way).taskStatus == "Processing"
            await cloud.until(lambda: cloud.connections == 0)
            gone = weakref.ref(old)
            del old, under_way
            gc.collect()
            assert gone() is None


@pytest.mark.slow
async def test_a_poll_under_way_holds_a_request_and_its_reading_and_nothing_else_of_ours(
    cloud: CountingCloud, client: AsyncCloudClient
) -> None:
    """
    The objects of polls under way fill the youngest generation of Python's garbage collector, and a collection stops the
    loop.
    """

    package = AsyncCloudClient.__module__.rpartition(".")[0]

    def ours() -> Counter[str]:
        kinds = (type(each) for each in gc.get_objects())
        return Counter(kind.__name__ for kind in kinds if str(kind.__module__).startswith(package))

    await client.status("RecognizeImage", "x", ONCE)
    cloud.answering.clear()
    gc.collect()
    before = ours()
    polls = [poll(client) for _ in range(3)]
    await cloud.until(lambda: cloud.asked["poll"] == 1 + 3)
    held = ours() - before
    cloud.answering.set()
    await asyncio.gather(*polls)

    assert held == {"Request": 3, "StatusReading": 3}


class TestTokens:
    async def test_no_more_than_their_life_asks_for(self, cloud: CountingCloud, clock: Clock) -> None:
        account = cloud.account()
        client = AsyncCloudClient(account, tls_context(account), ClientEnvironment(clock=clock))
        three_lives, step = 3 * 3600, 60
        for _ in range(0, three_lives, step):
            await asyncio.gather(*(poll(client) for _ in range(5)))
            clock.now += step
        await client.close()
        assert cloud.asked["poll"] == 5 * three_lives / step
        assert cloud.asked["token"] <= math.ceil(three_lives / (3600 - MARGIN_SECONDS))


class TestPause:
    @pytest.mark.parametrize(
        ("status", "error"), [(429, RateLimitedError), (503, CloudUnavailableError)], ids=str
    )
    async def test_one_wait_s_retry_after_holds_all_but_not_a_cancel(
        self,
        cloud: CountingCloud,
        client: AsyncCloudClient,
        clock: Clock,
        status: int,
        error: type[Exception],
    ) -> None:
        cloud.refusals.append(refusal(status, 30))
        with pytest.raises(error):
            await client.status("RecognizeImage", "x", ONCE)
        for _ in range(20):
            with pytest.raises(RateLimitedError) as caught:
                await client.status("RecognizeImage", "other", ONCE)
        assert (caught.value.retry_after_seconds, caught.value.task_id) == (30, "other")
        assert "asks all requests of this connection to wait, for another 30 s" in caught.value.message
        # The status request before a cancel is not held back either: without its answer, a cancel may delete a paid result.
        assert (await client.status("RecognizeImage", "x", ONCE, ahead=True)).taskStatus == "Processing"
        await client.cancel("RecognizeImage", "x")
        assert cloud.asked == {"token": 1, "poll": 2, "cancel": 1}
        clock.now += 30
        assert (await client.status("RecognizeImage", "x", ONCE)).taskStatus == "Processing"

    async def test_a_request_that_is_held_back_takes_no_turn_of_the_pace(
        self, cloud: CountingCloud, clock: Clock
    ) -> None:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        account = cloud.account(max_requests_per_second=1.0)
        client = AsyncCloudClient(account, tls_context(account), ClientEnvironment(clock=clock), sleep)
        cloud.refusals.append(refusal(429, 30))
        for _ in range(100):
            with pytest.raises(RateLimitedError):
                await client.status("RecognizeImage", "x", ONCE)
        clock.now += 30
        await client.status("RecognizeImage", "x", ONCE)
        await client.close()
        assert slept == []

    def test_a_clock_that_is_set_back_makes_no_request_wait_longer(self) -> None:
        pacer, pause = Pacer(1.0), Pause()
        pacer.reserve(5000.0)
        pause.begin(5000.0, 30)
        assert pacer.reserve(1400.0) == 1.0
        assert pause.held_seconds(1400.0) == 30
        assert pause.held_seconds(1410.0) == 20

    async def test_those_who_queue_for_a_connection_are_held_as_well(
        self, cloud: CountingCloud, client: AsyncCloudClient
    ) -> None:
        await client.status("RecognizeImage", "x", ONCE)
        cloud.answering.clear()
        polls = [poll(client) for _ in range(50)]
        await cloud.until(lambda: cloud.asked["poll"] == 1 + 3)
        cloud.refusals += [refusal(429, 30)] * 3
        cloud.answering.set()
        outcomes = await asyncio.gather(*polls, return_exceptions=True)
        assert {type(each) for each in outcomes} == {RateLimitedError}
        assert cloud.asked["poll"] == 4

    async def test_a_503_that_names_no_time_is_one_wait_s_affair(
        self, cloud: CountingCloud, client: AsyncCloudClient
    ) -> None:
        cloud.refusals.append(refusal(503, None))
        with pytest.raises(CloudUnavailableError):
            await client.status("RecognizeImage", "x", ONCE)
        assert (await client.status("RecognizeImage", "x", ONCE)).taskStatus == "Processing"


class Sleeping(BaseTrigger):
    """Airflow's floor."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(3600)
        yield TriggerEvent(None)


async def bytes_held(make: Any, count: int) -> int:
    """Return the bytes of Python objects that this number of waiting triggers hold."""
    gc.collect()
    tracemalloc.start()
    waits = [asyncio.create_task(run(make())) for _ in range(count)]
    await asyncio.sleep(0)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    return held // count


class TestTriggers:
    async def test_many_look_the_connection_up_once_and_share_connections_and_token(
        self, cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked_up = []

        async def aaccount(conn_id: str) -> Account:
            looked_up.append(conn_id)
            return cloud.account(max_connections=4)

        monkeypatch.setattr(base, "read_account", aaccount)
        waits = [asyncio.create_task(run(trigger())) for _ in range(200)]
        await cloud.until(lambda: cloud.asked["poll"] >= 400)
        assert cloud.connections > 0
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await cloud.until(lambda: cloud.connections == 0)
        assert (looked_up, cloud.asked["token"]) == (["ocr"], 1)
        assert cloud.most_connections <= 4
        await loop_clients(mask_token).close()

    async def test_a_lone_wait_polls_over_one_connection(
        self, cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def aaccount(_: str) -> Account:
            return cloud.account()

        monkeypatch.setattr(base, "read_account", aaccount)
        wait = asyncio.create_task(run(trigger()))
        await cloud.until(lambda: cloud.asked["poll"] >= 10)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        assert cloud.opened == 1
        await loop_clients(mask_token).close()

    @pytest.mark.slow
    async def test_a_wait_holds_a_few_kilobytes_beyond_airflow_s_own(self) -> None:
        def ours() -> BaseTrigger:
            return trigger(poll_interval_seconds=3600.0, max_poll_interval_seconds=3600.0)

        await bytes_held(ours, 5)  # objects that are made once
        floor = await bytes_held(Sleeping, 200)
        assert await bytes_held(ours, 200) - floor <= 10 * 1024

    def test_making_one_opens_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker constructs a trigger, too, when it defers: only to serialize it."""

        def never(*_: object) -> None:
            raise AssertionError("nothing is to be made for a trigger that does not run")

        monkeypatch.setattr(async_client, "AiohttpTransport", never)
        monkeypatch.setattr(LoopClients, "__init__", never)
        assert trigger().serialize()[1]["reference"]["id"] == "x"


def test_certificates_are_loaded_once_for_all_accounts_and_again_when_the_file_has_changed(
    cloud_less_bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    real = ssl.create_default_context

    def load(*arguments: Any, **options: Any) -> ssl.SSLContext:
        loaded.append(options)
        return real(*arguments, **options)

    monkeypatch.setattr(ssl, "create_default_context", load)
    bundle, accounts = cloud_less_bundle
    contexts = {tls_context(account) for account in accounts}
    assert (len(contexts), len(loaded)) == (1, 1)
    bundle.write_bytes(bundle.read_bytes() + b"\n")
    assert tls_context(accounts[0]) not in contexts


@pytest.fixture
def cloud_less_bundle(tmp_path: Any) -> Any:
    import certifi

    from airflow_provider_asposeocr.api.account import Account

    bundle = tmp_path / "bundle.pem"
    with open(certifi.where(), "rb") as all_of_them:
        bundle.write_bytes(all_of_them.read().partition(b"-----END CERTIFICATE-----\n")[0])
    with bundle.open("ab") as one:
        one.write(b"-----END CERTIFICATE-----\n")
    return bundle, [Account("i", f"s{number}", ca_bundle=str(bundle)) for number in range(3)]

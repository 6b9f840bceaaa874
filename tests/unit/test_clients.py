from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr import __version__, clients
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.errors import CertificateError
from airflow_provider_asposeocr.clients import LOOKUP_SECONDS, LoopClients, client_for, loop_clients
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.server import Emulator

ONE = Account("i", "s", "http://127.0.0.1:1")
SAME = Account("i", "s", "http://127.0.0.1:1")
CHANGED = Account("i", "changed", "http://127.0.0.1:1")


def nobody(_: str) -> None:
    """Take a secret."""


def test_a_process_has_one_client_per_account() -> None:
    assert client_for(ONE, nobody) is client_for(SAME, nobody)
    assert client_for(ONE, nobody) is not client_for(CHANGED, nobody)


def test_threads_that_come_together_get_the_same() -> None:
    account = Account("threads", "s", "http://127.0.0.1:1")
    barrier, got = threading.Barrier(16), set()

    def ask() -> None:
        barrier.wait()
        got.add(client_for(account, nobody))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_clients_say_who_they_are() -> None:
    assert f"airflow-provider-asposeocr/{__version__}" == clients.USER_AGENT


class LookUp:
    """Reads connections, and counts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self.accounts = accounts
        self.count = 0

    async def __call__(self, conn_id: str) -> Account:
        self.count += 1
        await asyncio.sleep(0)
        return self.accounts[conn_id]


class Clock:
    """Stands still until it is set."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(clients, "time", clock)
    return clock


class TestLoop:
    async def test_a_thousand_triggers_look_the_connection_up_once(self) -> None:
        loop, look_up = LoopClients(nobody), LookUp({"ocr": ONE})
        got = await asyncio.gather(*(loop.client("ocr", look_up) for _ in range(1000)))
        assert len(set(got)) == 1
        assert look_up.count == 1
        await loop.close()

    async def test_two_connections_of_one_account_share_a_client(self) -> None:
        """And none is left unclosed, which pytest would report."""
        loop, look_up = LoopClients(nobody), LookUp({"ocr": ONE, "same": SAME, "other": CHANGED})
        one, same, other = await asyncio.gather(
            loop.client("ocr", look_up), loop.client("same", look_up), loop.client("other", look_up)
        )
        assert one is same
        assert one is not other
        await loop.close()

    async def test_a_changed_connection_is_noticed_after_a_while(self, clock: Clock) -> None:
        loop, look_up = LoopClients(nobody), LookUp({"ocr": ONE})
        before = await loop.client("ocr", look_up)
        look_up.accounts["ocr"] = CHANGED
        clock.now += LOOKUP_SECONDS
        assert await loop.client("ocr", look_up) is before
        assert look_up.count == 1
        clock.now += 0.1
        renewed = await asyncio.gather(*(loop.client("ocr", look_up) for _ in range(50)))
        (after,) = set(renewed)
        assert after is not before
        assert after.account is CHANGED
        assert look_up.count == 2
        await loop.close()

    async def test_an_unchanged_connection_keeps_its_client_and_so_its_token(self, clock: Clock) -> None:
        loop, look_up = LoopClients(nobody), LookUp({"ocr": ONE})
        before = await loop.client("ocr", look_up)
        look_up.accounts["ocr"] = SAME
        clock.now += LOOKUP_SECONDS + 0.1
        assert await loop.client("ocr", look_up) is before
        assert look_up.count == 2
        await loop.close()

    async def test_a_look_up_that_fails_later_is_an_error_and_tried_again(self, clock: Clock) -> None:
        loop, look_up = LoopClients(nobody), LookUp({"ocr": ONE})
        before = await loop.client("ocr", look_up)
        del look_up.accounts["ocr"]
        clock.now += LOOKUP_SECONDS + 0.1
        for _ in range(2):
            with pytest.raises(KeyError):
                await loop.client("ocr", look_up)
        look_up.accounts["ocr"] = ONE
        assert await loop.client("ocr", look_up) is before
        assert look_up.count == 4
        await loop.close()

    async def test_fifty_waits_make_one_token_request(self, aspose_ocr_emulator: Emulator) -> None:
        emulator, tokens = aspose_ocr_emulator, list[str]()
        account = Account(
            emulator.client_id, emulator.client_secret, emulator.url, max_requests_per_second=100_000
        )
        loop, look_up = LoopClients(tokens.append), LookUp({"ocr": account})
        used = set()

        async def ask() -> str:
            client = await loop.client("ocr", look_up)
            used.add(client)
            return (await client.status("RecognizeImage", "nobody-s")).taskStatus

        said = await asyncio.gather(*(ask() for _ in range(50)))
        await loop.close()
        assert said == ["NotExist"] * 50
        asked = Counter(entry["path"] for entry in emulator.control.journal())
        assert asked.pop("/connect/token") == 1
        assert list(asked.values()) == [50]
        assert (len(used), len(tokens), look_up.count) == (1, 1, 1)

    async def test_closing_closes_the_connections(self) -> None:
        closed = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = b'{"taskStatus":"Pending"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            assert await reader.read() == b""  # Returns when the client has closed, not before.
            writer.close()
            closed.set()

        async with await asyncio.start_server(answer, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            account = Account(base_url=f"http://127.0.0.1:{port}", trial=True)
            loop, look_up = LoopClients(nobody), LookUp({"ocr": account})
            async with loop.using("ocr"):
                before = await loop.client("ocr", look_up)
                assert (await before.status("RecognizeImageTrial", "x")).taskStatus == "Pending"
                assert not closed.is_set()
                await loop.close()
                await asyncio.wait_for(closed.wait(), PATIENCE_SECONDS)
        assert await loop.client("ocr", look_up) is not before
        await loop.close()

    async def test_a_failed_look_up_is_tried_again(self) -> None:
        loop, look_up = LoopClients(nobody), LookUp({})
        with pytest.raises(KeyError):
            await loop.client("ocr", look_up)
        look_up.accounts["ocr"] = ONE
        assert (await loop.client("ocr", look_up)).account is ONE
        await loop.close()

    async def test_certificates_that_cannot_be_read_are_named(self) -> None:
        account = Account("i", "s", ca_bundle="/no/such/bundle.pem")
        with pytest.raises(CertificateError, match=r"/no/such/bundle\.pem"):
            await LoopClients(nobody).client("ocr", LookUp({"ocr": account}))


def test_each_loop_has_its_own() -> None:
    async def both() -> tuple[LoopClients, LoopClients]:
        return loop_clients(nobody), loop_clients(nobody)

    one, same = asyncio.run(both())
    other, _ = asyncio.run(both())
    assert one is same
    assert one is not other

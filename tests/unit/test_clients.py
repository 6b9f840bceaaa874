from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr import __version__, clients
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.errors import CertificateError
from airflow_provider_asposeocr.clients import LoopClients, client_for, loop_clients

if TYPE_CHECKING:
    from collections.abc import Callable

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

    async def test_a_changed_connection_is_noticed_after_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop, look_up = LoopClients(nobody), LookUp({"ocr": ONE})
        before = await loop.client("ocr", look_up)
        look_up.accounts["ocr"] = CHANGED
        assert await loop.client("ocr", look_up) is before
        monkeypatch.setattr(clients, "LOOKUP_SECONDS", -1.0)
        after = await loop.client("ocr", look_up)
        assert after is not before
        assert after.account is CHANGED
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

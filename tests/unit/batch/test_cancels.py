"""The cancels of a batch: all that there is time for, and what is left is counted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.batch import cancels
from airflow_provider_asposeocr.batch.cancels import Cancels, cancel_all_async
from airflow_provider_asposeocr.lifecycle.cancel import KILL_IN_TRIGGER, KILL_IN_WORKER
from tests.support.batch_tasks import running
from tests.support.counting_cloud import COMPLETED, CountingCloud, refusal
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_asposeocr.lifecycle.cancel import CancelRule

#: More than any machine needs.


@pytest.fixture
async def client(counting_cloud: CountingCloud) -> AsyncIterator[AsyncCloudClient]:
    account = counting_cloud.account()
    client = AsyncCloudClient(account, tls_context(account))
    yield client
    await client.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancels, "ASK_AGAIN_SECONDS", 0.01)


async def cancel(
    client: AsyncCloudClient,
    count: int,
    rule: CancelRule = KILL_IN_TRIGGER,
    seconds: float = PATIENCE_SECONDS,
) -> Cancels:
    refs = [task.ref for task in running(count, time.time() - 60)]
    return await cancel_all_async(client, refs, "the task was killed", rule, seconds)


def counts(done: Cancels) -> tuple[int, int, int]:
    return len(done.cancelled), len(done.ended), len(done.left)


async def test_each_is_looked_at_and_cancelled(
    counting_cloud: CountingCloud, client: AsyncCloudClient
) -> None:
    assert counts(await cancel(client, 200)) == (200, 0, 0)
    assert (counting_cloud.asked["poll"], counting_cloud.asked["cancel"]) == (200, 200)
    assert counting_cloud.most_connections == cancels.AT_ONCE


async def test_what_has_ended_stays(counting_cloud: CountingCloud, client: AsyncCloudClient) -> None:
    counting_cloud.state = COMPLETED
    assert counts(await cancel(client, 50)) == (0, 50, 0)
    assert counting_cloud.asked["cancel"] == 0


async def test_what_does_not_answer_at_first_is_asked_again(
    counting_cloud: CountingCloud, client: AsyncCloudClient
) -> None:
    counting_cloud.refusals += [refusal(503, None)] * 30
    assert counts(await cancel(client, 50)) == (50, 0, 0)
    assert counting_cloud.asked["poll"] == 80


async def test_a_cancel_that_fails_goes_to_the_end_of_the_queue(
    counting_cloud: CountingCloud, client: AsyncCloudClient
) -> None:
    counting_cloud.cancel_refusals += [refusal(503, None)] * 7
    assert counts(await cancel(client, 20)) == (20, 0, 0)
    assert counting_cloud.asked["cancel"] == 27


async def test_a_refusal_that_lasts_is_not_repeated(
    counting_cloud: CountingCloud, client: AsyncCloudClient
) -> None:
    counting_cloud.cancel_refusals += [refusal(400, None)] * 20
    done = await cancel(client, 20)
    assert counts(done) == (0, 0, 20)
    assert counting_cloud.asked["cancel"] == 20
    assert "400" in done.text("the task was killed")


async def test_a_cloud_that_is_silent_leaves_them_running_and_the_log_names_some(
    counting_cloud: CountingCloud, client: AsyncCloudClient, caplog: pytest.LogCaptureFixture
) -> None:
    counting_cloud.answering.clear()
    done = await cancel(client, 100, seconds=0.3)
    assert counts(done) == (0, 0, 100)
    assert "100 may still run" in caplog.text
    assert "and 95 more" in caplog.text


async def test_a_signal_handler_takes_silence_for_running(
    counting_cloud: CountingCloud, client: AsyncCloudClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancels, "QUESTION_SECONDS", 0.05)
    counting_cloud.answering.clear()
    rule: Any = KILL_IN_WORKER.__class__(0.0, on_silence="cancel")
    assert counts(await cancel(client, 40, rule)) == (40, 0, 0)


async def test_when_the_time_is_over_the_rest_is_counted(
    counting_cloud: CountingCloud, client: AsyncCloudClient
) -> None:
    """Sixteen at once: the time ends while the first ones are answered."""
    counting_cloud.answering.clear()
    work = asyncio.create_task(cancel(client, 100, seconds=2.0))
    await counting_cloud.until(lambda: counting_cloud.asked["poll"] == cancels.AT_ONCE)
    counting_cloud.cancelling.clear()
    counting_cloud.answering.set()
    done = await work
    counting_cloud.cancelling.set()
    assert counts(done) == (0, 0, 100)


async def test_nothing_to_cancel_is_no_error(client: AsyncCloudClient) -> None:
    assert counts(await cancel(client, 0)) == (0, 0, 0)

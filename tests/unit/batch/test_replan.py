"""What a later try does about steps that were changed since the batch began."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.batch.errors import JournalFencedError
from airflow_provider_asposeocr.batch.journal import Journal, read_journal
from airflow_provider_asposeocr.batch.opening import OpenBatch
from airflow_provider_asposeocr.batch.plan import RegisterPlan
from airflow_provider_asposeocr.batch.records import Intent, Reference, record_to_dict
from airflow_provider_asposeocr.batch.replan import Kept, decide_steps, replan
from airflow_provider_asposeocr.batch.state import replay
from airflow_provider_asposeocr.batch.steps import Step
from tests.support.batch_world import small_batch
from tests.support.counting_cloud import COMPLETED, CountingCloud

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TEXT = Step("RecognizeImage", {"resultType": "Text"})
OLD = (Step("UpscaleImage"), Step("BinarizeImage"), TEXT)


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (OLD, None),
        (
            (
                Step("UpscaleImage"),
                Step("BinarizeImage"),
                Step("RecognizeImage", {"resultType": "Text", "language": "German"}),
            ),
            2,
        ),
        ((Step("UpscaleImage"), Step("DeskewImage"), TEXT), 1),
        ((Step("DeskewImage"), Step("BinarizeImage"), TEXT), 0),
        ((Step("DeskewImage"), Step("UpscaleImage"), Step("BinarizeImage"), TEXT), 0),
    ],
)
def test_the_first_step_that_was_changed_decides(wanted: tuple[Step, ...], first: int | None) -> None:
    assert decide_steps(replace(small_batch(1), steps=OLD), wanted) == first


@pytest.mark.parametrize(
    ("wanted", "changes", "why"),
    [
        ((Step("UpscaleImage"), TEXT), {}, "fewer steps"),
        ((*OLD[:2], Step("RecognizeImage", {"resultType": "Pdf"})), {}, "other names"),
        ((*OLD[:2], Step("RecognizeImage")), {}, "other names"),
        (
            (Step("UpscaleImage"), Step("DeskewImage"), TEXT),
            {"register": RegisterPlan},
            "claimed in a register",
        ),
    ],
)
def test_some_changes_would_break_what_was_checked(
    wanted: tuple[Step, ...], changes: dict[str, Any], why: str
) -> None:
    kept = decide_steps(replace(small_batch(1), steps=OLD, **changes), wanted)
    assert isinstance(kept, Kept)
    assert why in kept.because


class TestATry:
    """A later try of a batch with two documents, whose cloud tasks run."""

    WANTED = (Step("UpscaleImage"), Step("DeskewImage"), TEXT)

    @pytest.fixture
    async def client(self, counting_cloud: CountingCloud) -> AsyncIterator[AsyncCloudClient]:
        account = counting_cloud.account()
        client = AsyncCloudClient(account, tls_context(account))
        yield client
        await client.close()

    @pytest.fixture
    def folder(self, tmp_path: Path) -> ObjectStoragePath:
        return ObjectStoragePath((tmp_path / "journal").as_uri())

    @pytest.fixture
    def opened(self, folder: ObjectStoragePath) -> OpenBatch:
        batch = replace(small_batch(2), steps=OLD)
        journal = Journal.create(folder, batch.to_header()).journal
        sent = [
            record
            for index in (0, 1)
            for record in (
                Intent(index, 1),
                Reference(index, 1, "BinarizeImage", f"id-{index}", time.time() - 60, 20_000, "aa"),
            )
        ]
        journal.append([record_to_dict(record, journal.epoch) for record in sent])
        again = Journal.take_over(folder)
        state = replay(again.records, again.journal.epoch)
        return OpenBatch(batch, again.journal, state, time.time(), is_new=False)

    async def test_cancels_what_runs_and_writes_the_steps_down(
        self, opened: OpenBatch, counting_cloud: CountingCloud, client: AsyncCloudClient
    ) -> None:
        found = await replan(opened, self.WANTED, client, retries_failed=True)
        assert (found.batch.steps, counting_cloud.asked["cancel"]) == (self.WANTED, 2)
        assert [found.state.of(index).running for index in (0, 1)] == [None, None]

    async def test_says_that_what_has_ended_is_not_cancelled(
        self,
        opened: OpenBatch,
        counting_cloud: CountingCloud,
        client: AsyncCloudClient,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        counting_cloud.state = COMPLETED
        await replan(opened, self.WANTED, client, retries_failed=True)
        assert counting_cloud.asked["cancel"] == 0
        assert "2 cloud tasks of the old steps do not count any more, and stay billed" in caplog.text
        assert "are cancelled, and" not in caplog.text

    async def test_that_another_process_has_taken_over_from_cancels_nothing(
        self,
        folder: ObjectStoragePath,
        opened: OpenBatch,
        counting_cloud: CountingCloud,
        client: AsyncCloudClient,
    ) -> None:
        newer = Journal.take_over(folder)
        with pytest.raises(JournalFencedError):
            await replan(opened, self.WANTED, client, retries_failed=True)
        assert counting_cloud.asked["cancel"] == 0
        assert read_journal(folder)[1] == newer.records

    async def test_that_another_process_takes_over_from_while_it_cancels_stops(
        self,
        folder: ObjectStoragePath,
        opened: OpenBatch,
        counting_cloud: CountingCloud,
        client: AsyncCloudClient,
    ) -> None:
        counting_cloud.cancelling.clear()
        working = asyncio.create_task(replan(opened, self.WANTED, client, retries_failed=True))
        await counting_cloud.until(lambda: counting_cloud.asked["cancel"] > 0)
        await asyncio.to_thread(Journal.take_over, folder)
        counting_cloud.cancelling.set()
        with pytest.raises(JournalFencedError):
            await working

"""
For any faults of the cloud and any moment at which a process dies: a batch ends, and announces each possible second bill.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from airflow_provider_asposeocr.batch.settings import BatchSettings
from tests.support.batch_world import World, small_batch
from tests.support.tried import holds_for

SETTINGS = st.builds(
    BatchSettings,
    max_in_flight=st.integers(1, 14),
    max_unanswered_submits=st.integers(1, 3),
    max_submits=st.none() | st.integers(1, 30),
    stop_after_failures=st.none() | st.integers(1, 3),
    retry_failed=st.booleans(),
    on_unknown_submit=st.sampled_from(("resubmit", "fail")),
    on_expired=st.sampled_from(("fail", "resubmit")),
    has_tries_left=st.booleans(),
)
SEEDS = st.integers(0, 2**32)
#: Far more than any batch of this size needs.
MOST_STEPS = 20_000


def run(world: World) -> None:
    for _ in range(MOST_STEPS):
        if world.finished:
            return
        world.step()
    raise AssertionError("The batch does not end.")


@holds_for(
    settings=SETTINGS,
    documents=st.integers(1, 16),
    steps=st.integers(1, 3),
    troubles=st.integers(0, 400),
    seed=SEEDS,
)
def test_no_second_bill_in_silence_and_an_end(
    settings: BatchSettings, documents: int, steps: int, troubles: int, seed: int
) -> None:
    world = World(small_batch(documents, steps), settings, Random(seed))
    for _ in range(troubles):
        if world.chance(0.02):
            world.crash()
        elif world.machine.is_idle and world.chance(0.3):
            world.defer()
        elif world.finished:
            world.next_try()
        else:
            world.step()
        world.check_bills()
    world.trouble = False
    run(world)
    world.check_bills()
    decided = [world.state.of(index).outcome is not None for index in range(documents)]
    assert all(decided) or world.machine.stopped


@holds_for(documents=st.integers(1, 6), steps=st.integers(1, 3), share_of_kills=st.floats(0, 0.1), seed=SEEDS)
def test_kills_alone_lose_no_document_and_bill_what_is_announced(
    documents: int, steps: int, share_of_kills: float, seed: int
) -> None:
    random = Random(seed)
    world = World(
        small_batch(documents, steps), BatchSettings(max_in_flight=3, max_unanswered_submits=2), random
    )
    world.trouble = False
    while not world.finished:
        if random.random() < share_of_kills and world.tries < 20:
            world.crash()
        world.step()
    failed = [known.error for known in world.state.documents.values() if known.outcome != "succeeded"]
    # A submit that stays unanswered twice is not sent a third time.
    assert [error and error["error"] for error in failed] == ["SubmitUnknownError"] * len(failed)
    announced = sum(known.doubts for known in world.state.documents.values())
    assert len(world.tasks) <= documents * steps + announced
    if not failed:
        assert len(world.tasks) >= documents * steps

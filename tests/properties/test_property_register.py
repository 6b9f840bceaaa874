"""
For any faults of batches with one register: only the batch with a content's claim sends it, and announces second bills.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.ingestion.register import standing_of
from tests.support.registered_world import RegisteredWorld, Shared, shared_batch
from tests.support.tried import holds_for

SETTINGS = st.builds(
    BatchSettings,
    max_in_flight=st.integers(1, 8),
    max_unanswered_submits=st.integers(1, 3),
    on_unknown_submit=st.sampled_from(("resubmit", "fail")),
    on_expired=st.sampled_from(("fail", "resubmit")),
    busy_wait_seconds=st.sampled_from((0.0, 60.0)),
)
CONTENTS = st.lists(st.integers(0, 4), min_size=1, max_size=8)
SEEDS = st.integers(0, 2**32)
MOST_STEPS = 20_000


def run(world: RegisteredWorld) -> None:
    for _ in range(MOST_STEPS):
        if world.finished:
            return
        world.step()
    raise AssertionError("The batch does not end.")


@holds_for(
    share=0.4,
    settings=SETTINGS,
    contents=CONTENTS,
    steps=st.integers(1, 2),
    troubles=st.integers(0, 200),
    seed=SEEDS,
)
def test_two_batches_that_die_bill_each_content_once(
    settings: BatchSettings, contents: list[int], steps: int, troubles: int, seed: int
) -> None:
    random, shared = Random(seed), Shared()

    def begin(run_id: str) -> RegisteredWorld:
        return RegisteredWorld(shared_batch(len(contents), steps, run_id), settings, random, shared, contents)

    worlds = [begin("one"), begin("two")]
    for number in range(troubles):
        world = random.choice(worlds)
        dice = random.random()
        if world.fenced or (dice < 0.01 and not world.finished):
            world.die()
            worlds[worlds.index(world)] = begin(f"next {number}")
        elif world.finished:
            world.succeed()
            worlds[worlds.index(world)] = begin(f"next {number}")
        elif dice < 0.03:
            world.crash()
        else:
            world.step()
        world.check_bills()
    for world in worlds:
        world.trouble = False
    for world in worlds:  # One after the other: the second finds what the first has left.
        if not world.fenced:
            run(world)
            world.succeed()
        else:
            world.die()
    last = begin("last")
    last.trouble = False
    run(last)
    last.succeed()
    last.check_bills()
    words = {
        standing_of(last.shared.register.look(key)).word
        for key in {name.key for name in shared.register.records}
    }
    assert words <= {"done", "failed"}, words
    assert {known.outcome for known in last.state.documents.values()} <= {"succeeded", "duplicate", "failed"}
    assert len(last.state.documents) == len(contents)

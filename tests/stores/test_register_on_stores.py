"""
If several batches find a document at the same moment, exactly one has its claim, also on real object stores.

``CLAIM_ROUNDS`` is how often they do: 20 by default, 300 in ``make test-claims``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import store_writer
from store_kinds import S3, AzureBlob, Gcs, Local, Place

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

PROCESSES, ROUNDS = 16, store_writer.CLAIM_ROUNDS
_DEADLINE_SECONDS = 140.0 + 5.0 * ROUNDS


@pytest.fixture(params=["local", "s3", "abfs", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        return Local(tmp_path)
    if request.param == "s3":
        return S3(request.getfixturevalue("s3_server"))
    if request.param == "gs":
        return Gcs(request.getfixturevalue("gcs_server"))
    return AzureBlob(request.getfixturevalue("azure_server"))


def test_of_sixteen_processes_one_has_each_claim(place: Place, processes: ForkServerContext) -> None:
    start = processes.Barrier(PROCESSES)
    folder = place.uri.rpartition("/")[0]
    running, pipes = [], []
    for number in range(PROCESSES):
        ours, theirs = processes.Pipe()
        job = {"environment": place.environment, "register": f"{folder}/", "number": number, "rounds": ROUNDS}
        process = processes.Process(target=store_writer.claim_documents, args=(job, start, theirs))
        process.start()
        theirs.close()
        running.append(process)
        pipes.append(ours)
    try:
        assert all(pipe.poll(_DEADLINE_SECONDS) for pipe in pipes), "A process says nothing."
        answers = [pipe.recv() for pipe in pipes]
    finally:
        for process in running:
            process.kill()
            process.join()
    won, atomic, seen = zip(*answers, strict=True)
    assert all(atomic)
    assert sorted(n for numbers in won for n in numbers) == list(range(1, ROUNDS + 1))
    # Each process sees all records that the others have created, complete.
    assert set(seen) == {ROUNDS}

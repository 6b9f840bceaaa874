"""
If several documents use the same name at the same moment, exactly one gets it, also on real object stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import store_writer
from store_kinds import S3, AzureBlob, Gcs, Local, Place

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

PROCESSES, ROUNDS = 16, 5
_DEADLINE_SECONDS = 140.0


@pytest.fixture(params=["local", "s3", "abfs", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        return Local(tmp_path)
    if request.param == "s3":
        return S3(request.getfixturevalue("s3_server"))
    if request.param == "gs":
        return Gcs(request.getfixturevalue("gcs_server"))
    return AzureBlob(request.getfixturevalue("azure_server"))


def test_of_sixteen_processes_one_gets_each_name(place: Place, processes: ForkServerContext) -> None:
    start = processes.Barrier(PROCESSES)
    folder = place.uri.rpartition("/")[0]
    running, pipes = [], []
    for number in range(PROCESSES):
        ours, theirs = processes.Pipe()
        job = {"environment": place.environment, "folder": folder, "number": number, "rounds": ROUNDS}
        process = processes.Process(target=store_writer.claim, args=(job, start, theirs))
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
    for won in zip(*answers, strict=True):
        if won[0] is True:
            # The store honours the condition of the create, so that each process got its name.
            assert all(won)
        else:
            assert sorted(number for numbers in won for number in numbers) == list(range(ROUNDS))


def test_what_another_client_has_written_is_seen_after_a_listing(
    place: Place, processes: ForkServerContext
) -> None:
    """s3fs and adlfs keep what they have listed for as long as the process lives."""
    ours, theirs = processes.Pipe()
    job = {"environment": place.environment, "uri": place.uri}
    process = processes.Process(target=store_writer.look_twice, args=(job, theirs))
    process.start()
    theirs.close()
    try:
        assert ours.poll(_DEADLINE_SECONDS)
        assert ours.recv() == ["other"]
        place.put(b"another client's")
        ours.send("go on")
        assert ours.poll(_DEADLINE_SECONDS)
        assert "says which document made it" in (ours.recv() or "")
    finally:
        process.kill()
        process.join()

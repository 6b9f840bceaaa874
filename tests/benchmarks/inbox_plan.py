"""
What a plan of an inbox costs, by the number of documents that lie in it, against boto3's paginator over the same keys.

A server of its own answers the listings of a bucket that exists in no memory: page after page of a thousand keys, without
bodies. ``PLAN_KEYS`` sets the number of keys (100,000; 1,000,000 take half an hour), ``PLAN_ROUNDS`` how often each is
measured. ``python -m tests.benchmarks.inbox_plan ours|seen|rival URL KEYS`` measures once; ``serve`` is the server.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.listing_server import BUCKET, ListingHandler, entry, serve_with
from tests.benchmarks.measuring import CHECKOUT, compared, in_turn, limited, publish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEYS = int(os.environ.get("PLAN_KEYS", "100000"))
ROUNDS = int(os.environ.get("PLAN_ROUNDS", "3"))
MOST_DOCUMENTS = 10_000
#: Goals by the number of keys: seconds of CPU and MiB.
GOALS = {100_000: (25.0, 150.0), 1_000_000: (250.0, 400.0)}
MIB = 1024 * 1024


class _Listings(ListingHandler):
    """Lists a bucket with ``keys`` keys below ``in/``."""

    keys = 0

    def page(self, prefix: str, token: int, most: int) -> tuple[Iterable[str], int | None]:
        end = min(token + most, self.keys)
        entries = (
            entry(
                f"in/2026/scan-{number:08d}.png",
                f"{number:032x}",
                number % 100000,
                f"00:{number // 60 % 60:02d}:{number % 60:02d}",
            )
            for number in range(token, end)
        )
        return entries, end if end < self.keys else None


def serve(keys: int) -> None:
    """Run the server, and print its address."""
    _Listings.keys = keys
    serve_with(_Listings)


def _ours(register: Path, *, seen: bool) -> int:
    """Plan; with ``seen``, all but a hundred keys are in the index."""
    from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
    from airflow_provider_asposeocr.ingestion.plan_folders import PlannedRun, write_plan
    from airflow_provider_asposeocr.ingestion.planning import plan_inbox, work_lists
    from airflow_provider_asposeocr.ingestion.seen_files import SeenFiles

    inbox = AsposeOcrInbox(f"s3://bench@{BUCKET}/in/")
    index = SeenFiles(f"{register}/")
    plan = plan_inbox(inbox, "bench", index.load(), most=MOST_DOCUMENTS)
    lists = work_lists(plan.files, 500, register=f"{register}/", base=inbox.folder, pipeline="bench")
    write_plan(f"{register}/", PlannedRun("", "dag", "run", "plan", 1, time.time()), lists)
    assert len(plan.files) == (100 if seen else min(MOST_DOCUMENTS, plan.listed))
    return plan.listed


def _rival(url: str) -> int:
    """Read the keys with boto3's paginator, and keep the same facts of the same number of them."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    kept, found = list[tuple[Any, ...]](), 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="in/"):
        for item in page["Contents"]:
            found += 1
            if len(kept) < MOST_DOCUMENTS:
                kept.append((item["Key"], item["ETag"], item["Size"], item["LastModified"]))
    return found


def _prepare(register: Path, keys: int) -> None:
    """Write the index of all keys but a hundred, as batches and plans have left it."""
    from airflow_provider_asposeocr.ingestion.seen import SeenKeys, Segment, seen_key, segment_name

    known = (
        seen_key(
            "bench",
            f"s3://{BUCKET}/in/2026/scan-{number:08d}.png",
            f"etag={number:032x} size={number % 100000}",
        )
        for number in range(keys - 100)
    )
    content = Segment({}, SeenKeys(set(known))).to_bytes()
    (register / "index").mkdir()
    (register / "index" / segment_name(content)).write_bytes(content)


def measure_here(what: str, url: str, keys: int) -> dict[str, float]:
    """Measure one way in this process: seconds of CPU, and MiB that its memory grew after its imports."""
    with tempfile.TemporaryDirectory() as folder:
        register = Path(folder)
        if what == "rival":
            import boto3  # noqa: F401  # so that the import is not measured
        else:
            import s3fs  # noqa: F401  # likewise

            from airflow_provider_asposeocr.documents.file_systems import object_path

            object_path(f"s3://bench@{BUCKET}/in/").fs.invalidate_cache()
        if what == "seen":
            subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.inbox_plan", "prepare", folder, str(keys)],
                check=True,
                cwd=CHECKOUT,
            )
        memory, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        found = _rival(url) if what == "rival" else _ours(register, seen=what == "seen")
        assert found == keys, found
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        return {"cpu": time.process_time() - cpu, "memory": grown * 1024 / MIB}


def connection(url: str, home: str) -> dict[str, str]:
    """
    Return the environment of a process that reads from the server.

    :param url: Address of the server.
    :param home: An empty folder.
    """
    described = {
        "conn_type": "aws",
        "login": "bench",
        "password": "bench-secret",
        "extra": {"endpoint_url": url, "region_name": "us-east-1"},
    }
    return {
        "AIRFLOW_CONN_BENCH": json.dumps(described),
        "AIRFLOW_HOME": home,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }


@contextmanager
def listings(keys: int) -> Iterator[str]:
    """
    Run the server in a process of its own.

    :param keys: How many keys the bucket seems to have.
    :return: Its address.
    """
    command = [sys.executable, "-m", "tests.benchmarks.inbox_plan", "serve", "", str(keys)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def measure(url: str, keys: int, what: str) -> dict[str, float]:
    """Measure one way in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **connection(url, folder)}
        command = [sys.executable, "-m", "tests.benchmarks.inbox_plan", what, url, str(keys)]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}: {found}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure, print and keep the rows."""
    with listings(KEYS) as url:
        ours, seen, theirs = in_turn(
            ROUNDS, *(partial(measure, url, KEYS, what) for what in ("ours", "seen", "rival"))
        )
    seconds, mib = GOALS.get(KEYS, (None, None))
    rival = "boto3's paginator over the same keys"
    keys, name = f"{KEYS:,} keys in S3", "Plan of an inbox"

    def of(figures: Any, what: str) -> list[float]:
        return [figure[what] for figure in figures]

    against = partial(compared, rival=rival, unit="s", at_most=1.5)
    new, read = f"{keys}, all new, 10,000 planned", f"{keys}, all but 100 read before"
    publish(
        "inbox_plan",
        [
            against(f"{name}: CPU, {new}", of(ours, "cpu"), theirs=of(theirs, "cpu")),
            against(f"{name}: CPU, {read}", of(seen, "cpu"), theirs=of(theirs, "cpu")),
            limited(f"{name}: CPU, {new}", of(ours, "cpu"), unit="s", at_most=seconds),
            limited(f"{name}: memory that it adds, {new}", of(ours, "memory"), unit="MiB", at_most=mib),
            limited(f"{name}: memory that it adds, {read}", of(seen, "memory"), unit="MiB", at_most=mib),
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[3]))
    elif sys.argv[1:2] == ["prepare"]:
        _prepare(Path(sys.argv[2]), int(sys.argv[3]))
    elif len(sys.argv) > 1:
        print(json.dumps(measure_here(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
    else:
        main()

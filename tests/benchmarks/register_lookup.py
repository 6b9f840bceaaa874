"""
What it costs to look one document up in a register of a million documents, on a local disk and in S3.

``REGISTER_DOCUMENTS`` sets the number of documents, ``REGISTER_ROUNDS`` how often each is measured. A look-up lists one
of 256 subfolders, so on the disk only that one is filled. S3 is a server of its own, which has the names of all records.
``python -m tests.benchmarks.register_lookup look URI DOCUMENTS`` measures once; ``serve`` is the server.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.ingestion.register import RecordName, key_of
from tests.benchmarks.inbox_plan import connection
from tests.benchmarks.listing_server import BUCKET, ListingHandler, entry, serve_with
from tests.benchmarks.measuring import CHECKOUT, in_turn, limited, publish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOCUMENTS = int(os.environ.get("REGISTER_DOCUMENTS", "1000000"))
ROUNDS = int(os.environ.get("REGISTER_ROUNDS", "3"))
LOOKS = 200
GOAL_MILLISECONDS = 10.0
#: The subfolder whose documents are looked up.
PLACE = "7f"
FINGERPRINT = "0123456789ab"
REGISTER = "out/.aspose-ocr/"


def keys(documents: int) -> Iterator[str]:
    """Return the keys of so many documents, in no order."""
    return (key_of(hashlib.sha256(b"%d" % number).hexdigest(), FINGERPRINT) for number in range(documents))


def records(key: str) -> tuple[str, str]:
    """Return the names of the records of a document that was read."""
    return RecordName(key, 1, "claim").text, RecordName(key, 1, "done").text


class _Register(ListingHandler):
    """Lists the register's bucket."""

    names: list[str]

    def page(self, prefix: str, token: int, most: int) -> tuple[Iterable[str], int | None]:
        start = bisect_left(self.names, prefix)
        found = [name for name in islice(self.names, start, start + most) if name.startswith(prefix)]
        return (entry(name, "0123456789abcdef0123456789abcdef", 700) for name in found), None


def serve(documents: int) -> None:
    """Run the server, and print its address."""
    below = f"{REGISTER}documents/"
    _Register.names = sorted(f"{below}{name}" for key in keys(documents) for name in records(key))
    serve_with(_Register)


def measure_here(uri: str, documents: int) -> float:
    """Look documents up in this process; returns the milliseconds of CPU for each."""
    from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles

    register = RegisterFiles(uri)
    wanted = list(islice((key for key in keys(documents) if key.startswith(PLACE)), LOOKS))
    assert len(wanted) == LOOKS
    register.look(wanted[0])  # imports and the first connection, which each process pays once
    begun = time.process_time()
    for key in wanted:
        assert len(register.look(key)) == 2
    return (time.process_time() - begun) / LOOKS * 1000


def measure(url: str, uri: str, documents: int) -> float:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "tests.benchmarks.register_lookup", "look", uri, str(documents)]
        done = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
            env={**os.environ, **connection(url, home)},
        )
    found = float(json.loads(done.stdout.splitlines()[-1]))
    print(f"{uri}: {found:.3g} ms", file=sys.stderr, flush=True)
    return found


def fill(folder: Path, documents: int) -> int:
    """
    Write the records of one subfolder.

    :param folder: The register's, empty.
    :param documents: How many the register has.
    :return: How many records the subfolder has.
    """
    place = folder / "documents"
    (place / PLACE).mkdir(parents=True)
    names = [name for key in keys(documents) if key.startswith(PLACE) for name in records(key)]
    for name in names:
        (place / name).touch()
    return len(names)


@contextmanager
def served(documents: int) -> Iterator[str]:
    """
    Run the server in a process of its own.

    :param documents: How many the register has.
    :return: Its address.
    """
    command = [sys.executable, "-m", "tests.benchmarks.register_lookup", "serve", "", str(documents)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def main() -> None:
    """Measure, print and keep the rows."""
    with tempfile.TemporaryDirectory() as folder, served(DOCUMENTS) as url:
        count = fill(Path(folder), DOCUMENTS)
        uris = (f"{folder}/", f"s3://bench@{BUCKET}/{REGISTER}")
        local, s3 = in_turn(ROUNDS, *(partial(measure, url, uri, DOCUMENTS) for uri in uris))
    name = f"CPU to look a document up in a register of {DOCUMENTS:,}"
    publish(
        "register_lookup",
        [
            limited(
                f"{name}, local disk",
                local,
                unit="ms",
                at_most=GOAL_MILLISECONDS,
                note=f"the names of the {count:,} records in its subfolder are read",
            ),
            limited(f"{name}, S3", s3, unit="ms", at_most=GOAL_MILLISECONDS, note="one listing"),
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[3]))
    elif len(sys.argv) > 1:
        print(json.dumps(measure_here(sys.argv[2], int(sys.argv[3]))))
    else:
        main()

"""What a storm over single documents and a storm over a batch have in common."""

from __future__ import annotations

import os
import time
from random import SystemRandom
from typing import TYPE_CHECKING

from tests.distributed.documents import write_documents
from tests.distributed.installation import FOLDER

if TYPE_CHECKING:
    from tests.distributed.installation import Installation


def seeds(variable: str) -> list[int]:
    """Return the seeds that an environment variable has, separated by commas; without them, one that is drawn."""
    given = os.environ.get(variable, "")
    return [int(seed) for seed in given.split(",") if seed] or [SystemRandom().randrange(10**6)]


class StormRun:
    """
    One run of a DAG under one seed.

    :param installation: Where it runs.
    :param name: Name of the folder of its files.
    :param documents: How many documents it reads.
    :param seed: Decides what the documents are.
    """

    def __init__(self, installation: Installation, name: str, documents: int, seed: int) -> None:
        self.installation = installation
        self.folder = FOLDER / name
        self.inbox, self.outbox = self.folder / "inbox", self.folder / "outbox"
        self.inbox.mkdir(parents=True)
        self.outbox.mkdir()
        self.documents = write_documents(self.inbox, documents, seed)
        self.started_at = time.monotonic()
        self.run_id = ""

    def say(self, text: str) -> None:
        """Print a line and append it to the storm's log, with the time since the beginning."""
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self.started_at:6.1f} s  {text}"
        print(line, flush=True)
        with (self.folder / "storm.log").open("a") as log:
            log.write(f"{line}\n")

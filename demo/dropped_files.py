"""Files that are dropped into an inbox while the demo runs: one of them twice, and one that is half written for a while.

Invariant: what is said about them at the end is read from the manifests and from the register, not from what was dropped.
It is imported by a DAG file, so it imports little.
"""

from __future__ import annotations

import hashlib
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from demo.processes import CHECKOUT, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_asposeocr.documents.manifest import Manifest

SCANS = CHECKOUT / "demo" / "scans"
DAG_ID = "demo_inbox"
#: Environment variables with the folders of the DAG.
INBOX_VARIABLE, OUTBOX_VARIABLE = "ASPOSE_OCR_DEMO_INBOX", "ASPOSE_OCR_DEMO_OUTBOX"
#: A file is read when it has not changed for so long.
QUIET_SECONDS = 5
#: The half written file gets a piece this often.
PIECE_EVERY_SECONDS = 0.25
PIECE_BYTES = 64
STATUS_SECONDS = 120.0

LETTER, COPY, FAX = "letter.png", "letter-again.png", "fax.png"
#: The scans that they are.
CONTENTS = {LETTER: "01-75dpi.png", COPY: "01-75dpi.png", FAX: "09-100dpi-skewed.png"}


@dataclass(frozen=True)
class Fate:
    """What became of a dropped file.

    :param name: its name.
    :param outcome: the word of its row in the manifest.
    :param text: name of the file with its text.
    :param submits: how many cloud tasks it took.
    """

    name: str
    outcome: str
    text: str
    submits: int


class DroppedFiles:
    """Drops the files, and knows what became of them. A context manager that ends the half written one."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        """Nothing is written yet.

        :param folder: folder for the inbox and its results.
        :param say: tells the user what happens.
        """
        self.inbox, self.outbox = folder / "inbox", folder / "read"
        self.register = f"{self.outbox}/.aspose-ocr/"
        self._say = say
        self._whole = threading.Event()
        self._writer = threading.Thread(target=self._write_fax)

    def __enter__(self) -> DroppedFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._finish_fax()

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the DAG."""
        return {INBOX_VARIABLE: f"{self.inbox}/", OUTBOX_VARIABLE: f"{self.outbox}/"}

    def begin(self) -> None:
        """Make the folders, drop the letter, and begin to write the fax."""
        self.inbox.mkdir()
        self.outbox.mkdir()
        self._say(f"inbox: dropped {LETTER}, and began to write {FAX}")
        self._drop(LETTER)
        self._writer.start()

    def go_on(self) -> None:
        """Once the letter is read, drop it again under another name, and write the rest of the fax."""
        if self._whole.is_set() or LETTER not in self.fates():
            return
        self._drop(COPY)
        self._finish_fax()
        self._say(f"inbox: {LETTER} is read; dropped it again as {COPY}, and wrote the rest of {FAX}")

    def fates(self) -> dict[str, Fate]:
        """Find out what became of the files.

        :return: the files that are settled, each with the content that it has at the end.
        """
        from airflow_provider_asposeocr import read_manifest

        manifests = sorted((Path(self.register) / "manifests").rglob("*.jsonl"))
        return fates_of((row for path in manifests for row in read_manifest(str(path))), sha256_of_contents())

    def are_read(self) -> bool | None:
        """Go on; returns `True` if all files are settled, else `None`."""
        self.go_on()
        return True if self.fates().keys() == CONTENTS.keys() else None

    def _drop(self, name: str) -> None:
        """Write a file as a program does that renames it into the inbox."""
        part = self.inbox / f".{name}"
        part.write_bytes((SCANS / CONTENTS[name]).read_bytes())
        part.rename(self.inbox / name)

    def _write_fax(self) -> None:
        """Write half of the fax, piece after piece until it may be finished, and then the rest."""
        content = (SCANS / CONTENTS[FAX]).read_bytes()
        end = len(content) // 2
        with (self.inbox / FAX).open("wb", buffering=0) as file:
            file.write(content[:end])
            while not self._whole.wait(PIECE_EVERY_SECONDS):
                file.write(content[end : end + PIECE_BYTES])
                end += PIECE_BYTES
            file.write(content[end:])

    def _finish_fax(self) -> None:
        self._whole.set()
        if self._writer.is_alive():
            self._writer.join()


def sha256_of_contents() -> dict[str, str]:
    """Return the checksum of each file as it is when it is whole, by its name."""
    return {name: hashlib.sha256((SCANS / scan).read_bytes()).hexdigest() for name, scan in CONTENTS.items()}


def fates_of(rows: Iterable[Manifest], contents: Mapping[str, str]) -> dict[str, Fate]:
    """Find out what became of files.

    :param rows: of the manifests.
    :param contents: checksum of each file, by its name.
    :return: the files that have a settled row with this content, by name.
    """
    found: dict[str, Fate] = {}
    for row in rows:
        name = _name(str(row.source))
        if row.settled and row.sha256 == contents.get(name):
            texts = [_name(result.uri) for result in row.results if result.type == "Text"]
            found[name] = Fate(name, row.outcome, ", ".join(texts), sum(step.submits for step in row.steps))
    return found


def _name(place: str) -> str:
    """Return the name of the file that a path or URI names."""
    return Path(unquote(urlsplit(place).path) if "://" in place else place).name


def table(fates: Mapping[str, Fate]) -> list[str]:
    """Lay out what became of the files, in the order in which they were dropped.

    :param fates: by name.
    """
    head = ("file", "outcome", "cloud tasks", "text")
    rows = [head]
    for name in CONTENTS:
        if name in fates:
            fate = fates[name]
            rows.append((fate.name, fate.outcome, str(fate.submits), fate.text))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def sentence(fates: Mapping[str, Fate], contents: Mapping[str, str]) -> str:
    """Say how many cloud tasks the files took.

    :param fates: what became of them, by name.
    :param contents: their checksums, by name.
    """
    tasks = sum(fate.submits for fate in fates.values() if fate.outcome != "duplicate")
    return f"{len(fates)} files with {len({contents[name] for name in fates})} contents took {tasks} cloud tasks."


def status(python: str, env: Mapping[str, str], register: str) -> list[str]:
    """Ask the register, as a person does.

    :param python: the interpreter with Airflow.
    :param env: environment of the Airflow.
    :param register: URI of its folder.
    :return: the command and the lines that it prints.
    :raises ServiceError: with its whole output, if it failed.
    """
    words = ("-m", "airflow_provider_asposeocr.ingestion", "status", register)
    done = subprocess.run(
        [python, *words],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=STATUS_SECONDS,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        raise ServiceError(
            f"The register could not be asked, exit code {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return [f"$ python {' '.join(words)}", *done.stdout.splitlines()]

"""
The results of a completed cloud task, on local disk or in memory.

Invariant: a result exists only after the whole answer has been read, parsed and decoded, so that every file is made from
a whole result.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from tempfile import gettempdir
from typing import TYPE_CHECKING, Self

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    ResultIncompleteError,
    StorageError,
    TaskPendingError,
    UnexpectedResponseError,
)
from airflow_provider_asposeocr.api.files.contents import Spool, opened
from airflow_provider_asposeocr.api.files.file_kinds import HEAD_BYTES
from airflow_provider_asposeocr.api.files.work_folder import work_folder
from airflow_provider_asposeocr.api.tasks import failed_error, gone_error, known_status, refuse_expired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.files.contents import Content
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState


@dataclass(frozen=True)
class Result:
    """
    One decoded result, in a local file or in memory.

    :param type: Result type that the cloud names, for example ``Text``; any string.
    :param content: The decoded bytes, or the local file that contains them. :func:`download_results` yields results in
        files, which are removed when its context ends; use :meth:`in_memory` to keep one longer.
    :param size_bytes: Its size.
    :param sha256: Checksum of its content, in hex.
    """

    type: str | None
    content: Content = field(repr=False)
    size_bytes: int
    sha256: str

    @property
    def path(self) -> Path:
        """
        The local file.

        :raises ValueError: if the result is in memory.
        """
        if isinstance(self.content, bytes):
            raise ValueError("This result is in memory and has no file; its bytes are its data.")
        return self.content

    @property
    def data(self) -> bytes:
        """The decoded bytes."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()

    @property
    def text(self) -> str:
        """
        The decoded bytes as UTF-8.

        :raises UnicodeDecodeError: if they are not UTF-8, for example those of images and PDFs.
        """
        return self.data.decode("utf-8")

    @property
    def head(self) -> bytes:
        """The first bytes of the content, enough to recognize its type."""
        with opened(self.content) as stream:
            return stream.read(HEAD_BYTES)

    def in_memory(self) -> Result:
        """
        Return the same result with its bytes in memory, so that it can be used after :func:`download_results` has
        ended.
        """
        return replace(self, content=self.data)


@dataclass(frozen=True)
class Download:
    """
    The downloaded results of a completed task.

    :param state: The cloud's answer, with its messages and warnings.
    :param results: The results, in the order of the answer.
    :param shortfall: Why results are missing, as a phrase; ``None`` if none is missing.
    """

    state: TaskState
    results: tuple[Result, ...]
    shortfall: str | None = None


class LocalDisk:
    """
    A context that names the local disk in its failures; between a transport and its connection an OSError is the network's.

    No generator, because each piece of a result is taken in one. It raises :class:`.StorageError` instead of an
    :class:`OSError`.

    :param what: What the disk cannot keep, for the message.
    """

    def __init__(self, what: str = "The results") -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            raise StorageError(
                f"{self._what} cannot be kept in the local temporary folder {gettempdir()!r}: {error}. "
                "Make room there, or set TMPDIR to another folder."
            ) from error


class _Spools:
    """
    Takes decoded results, and puts into numbered files of a folder what does not fit into memory; beginning anew overwrites
    them.
    """

    def __init__(self, folder: Path, most_in_memory_bytes: int) -> None:
        self._folder = folder
        self._most_in_memory_bytes = most_in_memory_bytes
        self.parts: list[Spool] = []

    def begin(self) -> Callable[[bytes], object]:
        self.close()
        # The limit is that of the whole answer, because an answer may have any number of results.
        left = max(0, self._most_in_memory_bytes - sum(part.size_bytes for part in self.parts))
        with LocalDisk():
            self.parts.append(Spool(self._folder / f"{len(self.parts)}.result", left))
        return self._write

    def _write(self, chunk: bytes) -> None:
        with LocalDisk():
            self.parts[-1].write(chunk)

    def close(self) -> None:
        if self.parts:
            with LocalDisk():
                self.parts[-1].close()


def _check_state(ref: TaskRef, state: TaskState, now: float) -> None:
    status = known_status(ref, state)
    if status is TaskStatus.COMPLETED:
        return
    if status is TaskStatus.ERROR:
        raise failed_error(ref, state)
    if status is TaskStatus.NOT_EXIST:
        raise gone_error(ref, now)
    raise TaskPendingError(f"{ref.operation} is still {status.value}.").about(ref.operation, ref.id)


@contextmanager
def download_results(
    client: CloudClient, ref: TaskRef, now: float, *, keep_incomplete: bool = False
) -> Iterator[Download]:
    """
    Fetch and decode the results of a task.

    :param client: The account that owns the task.
    :param ref: The task.
    :param now: Seconds since the epoch.
    :param keep_incomplete: Whether a completed task that lost some of its results yields the rest.
    :return: A context in which the results exist.
    :raises TaskExpiredError: if the retention is over, without asking the cloud.
    :raises TaskFailedError: if the task ended with the status ``Error``; the message has the cloud's reasons.
    :raises TaskPendingError: if it is not done yet.
    :raises ResultIncompleteError: if it is completed without (all) results.
    :raises StorageError: if there is no room for them on local disk.
    """
    refuse_expired(ref, now)
    with ExitStack() as stack:
        with _about(ref), LocalDisk():
            folder = stack.enter_context(work_folder())
        with _about(ref), _Results(folder) as files:
            state = client.fetch(ref.operation, ref.id, files.begin)
        _check_state(ref, state, now)
        yield _assemble(ref, state, files.parts, keep_incomplete)


async def download_into(
    client: AsyncCloudClient,
    ref: TaskRef,
    folder: Path,
    now: float,
    *,
    keep_incomplete: bool = False,
    most_in_memory_bytes: int = 0,
) -> Download:
    """
    Fetch and decode the results of a task as :func:`download_results` does, into a folder of the caller.

    :param client: The account that owns the task.
    :param ref: The task.
    :param folder: Existing local folder for the results of this task alone. A second fetch overwrites their files.
    :param now: Seconds since the epoch.
    :param keep_incomplete: Whether a completed task that lost some of its results returns the rest.
    :param most_in_memory_bytes: Most bytes of the results that are in memory instead of in files; by default none.
    :return: The results. The caller removes the files.
    :raises TaskError: as :func:`download_results` raises, like the two below.
    :raises ResultError: if results are missing or broken.
    :raises StorageError: if there is no room for them in the folder.
    """
    refuse_expired(ref, now)
    with _about(ref), _Results(folder, most_in_memory_bytes) as files:
        state = await client.fetch(ref.operation, ref.id, files.begin)
    _check_state(ref, state, now)
    return _assemble(ref, state, files.parts, keep_incomplete)


@contextmanager
def _about(ref: TaskRef) -> Iterator[None]:
    """Name the task in failures of the local disk."""
    try:
        yield
    except StorageError as error:
        error.about(ref.operation, ref.id)
        raise


class _Results:
    """The results of one task, as they come in. Each attempt to read the answer takes them anew."""

    def __init__(self, folder: Path, most_in_memory_bytes: int = 0) -> None:
        self._folder = folder
        self._most_in_memory_bytes = most_in_memory_bytes
        self._spools: _Spools | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def begin(self) -> _Spools:
        """Begin an attempt."""
        self._close()
        self._spools = _Spools(self._folder, self._most_in_memory_bytes)
        return self._spools

    def _close(self) -> None:
        if self._spools is not None:
            self._spools.close()

    @property
    def parts(self) -> list[Spool]:
        """What the last attempt has brought."""
        return self._spools.parts if self._spools else []


def _assemble(ref: TaskRef, state: TaskState, parts: list[Spool], keep_incomplete: bool) -> Download:
    filled = [entry for entry in state.results or [] if entry.data is not None]
    # The reader has put its own numbers in place of the strings. Anything else there came from the answer itself.
    if [entry.data for entry in filled] != list(range(len(parts))):
        raise UnexpectedResponseError(
            "A result of the answer has data that is no string.",
            operation=ref.operation,
            task_id=ref.id,
            billed="already",
        )
    results = [
        Result(entry.type, part.content, part.size_bytes, part.sha256)
        for entry, part in zip(filled, parts, strict=True)
    ]
    lost = len(state.results or []) - len(filled)
    shortfall = state.shortfall or (f"{lost} of its results have no data" if lost else None)
    if shortfall and not (keep_incomplete and results):
        raise ResultIncompleteError(
            f"{ref.operation} is completed, but {shortfall}. The cloud says: {state.reason}.",
            operation=ref.operation,
            task_id=ref.id,
        )
    return Download(state, tuple(results), shortfall)

"""
The log lines of a wait: its document, the age of its task, the number of polls, and the deadline.

Pure: time is a parameter, in seconds since the epoch, and the caller logs the lines.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.responses import TaskRef

#: A wait is first mentioned after this time; each further mention comes after twice the time since the wait began.
FIRST_MENTION_SECONDS = 60.0


def size_text(size_bytes: int) -> str:
    """
    Write a size for people.

    :param size_bytes: The size.
    :return: For example ``18 kB``; a kB is 1000 bytes, as in file managers.
    """
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def duration_text(seconds: float) -> str:
    """
    Write a duration for people.

    :param seconds: The duration.
    :return: For example ``8 s``, ``12 min`` or ``3 h 5 min``.
    """
    if seconds < 119.5:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if left else f"{hours} h"


def moment_text(at: float, now: float) -> str:
    """
    Write a time in the future for people.

    :param at: The time.
    :param now: The present time.
    :return: For example ``19:13 UTC, in 60 min``.
    """
    return f"{datetime.fromtimestamp(at, UTC):%H:%M} UTC, in {duration_text(at - now)}"


def document_text(name: str | None, size_bytes: int | None) -> str:
    """
    Name a document.

    :param name: Name of its file, which is untrusted; ``None`` = not known.
    :param size_bytes: Its size; ``None`` = not known.
    :return: For example ``page.png (18 kB)``.
    """
    called = shown(name, 120) if name else "a document"
    return called if size_bytes is None else f"{called} ({size_text(size_bytes)})"


def task_text(ref: TaskRef) -> str:
    """
    Name a cloud task and its document.

    :param ref: The task.
    :return: For example ``RecognizeImage 0435ea97 (page.png)``.
    """
    of = f" ({shown(ref.source_name, 120)})" if ref.source_name else ""
    return f"{ref.operation} {shown(ref.id, 80)}{of}"


class Progress:
    """
    Makes the log lines of one wait.

    :param ref: The cloud task.
    :param deadline_at: When the wait ends at the latest.
    :param now: When it begins.
    """

    def __init__(self, ref: TaskRef, deadline_at: float, now: float) -> None:
        self._ref = ref
        self._deadline_at = deadline_at
        self._began_at = now
        self._mention_at = now + FIRST_MENTION_SECONDS
        self._polls = 0

    def begun(self) -> str:
        """Return the line for the beginning of the wait."""
        until = moment_text(self._deadline_at, self._began_at)
        return f"Waiting for {task_text(self._ref)} until at most {until}"

    def polled(self, now: float) -> str | None:
        """
        Count a poll.

        :param now: When it was answered.
        :return: A line to be logged, at growing intervals; ``None`` if no line is due.
        """
        self._polls += 1
        if now < self._mention_at:
            return None
        self._mention_at = now + max(now - self._began_at, FIRST_MENTION_SECONDS)
        return (
            f"Still waiting for {task_text(self._ref)}: {self._age(now)} after its submit, {self._asked()}; "
            f"the deadline is {moment_text(self._deadline_at, now)}"
        )

    def completed(self, now: float) -> str:
        """
        Return the line for a completed task.

        :param now: When that was noticed.
        """
        asked = f", after {self._asked()}" if self._polls else ""
        return f"{task_text(self._ref)} is completed, {self._age(now)} after its submit{asked}"

    def _age(self, now: float) -> str:
        return duration_text(now - self._ref.submitted_epoch)

    def _asked(self) -> str:
        return f"{self._polls} poll{'' if self._polls == 1 else 's'}"

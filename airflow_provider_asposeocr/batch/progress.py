"""The progress of a batch, as the log and Airflow's UI show it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.polling.progress import duration_text

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.ending import Ended, Progress

#: The log mentions a batch first after this time, then after twice the time, up to :data:`LONGEST_SILENCE_SECONDS`.
FIRST_MENTION_SECONDS = 15.0
LONGEST_SILENCE_SECONDS = 300.0


class ProgressLog:
    """
    Measures the speed of a batch, and decides when to log its progress.

    :param now: When this try began, or went on, in seconds since the epoch.
    """

    def __init__(self, now: float) -> None:
        self._began_at = now
        self._done_before: int | None = None
        self._mention_at = now + FIRST_MENTION_SECONDS

    def line(self, progress: Progress, now: float) -> str | None:
        """
        Take the progress of the batch.

        :param progress: How far the batch is.
        :param now: The present moment.
        :return: A line for the log; ``None`` = the last one is not long ago.
        """
        if self._done_before is None:
            self._done_before = progress.done + progress.failed
        if now < self._mention_at:
            return None
        self._mention_at = now + min(
            max(now - self._began_at, FIRST_MENTION_SECONDS), LONGEST_SILENCE_SECONDS
        )
        return self.text(progress, now)

    def text(self, progress: Progress, now: float) -> str:
        """
        Return the progress as a text.

        :param progress: How far the batch is.
        :param now: The present moment.
        :return: For example ``120 of 1000 documents done, 2 failed, 98 running; 35 a minute, about 25 min to go``.
        """
        counts = (
            f"{progress.done} of {progress.documents} documents done, {progress.failed} failed, "
            f"{progress.running} running in the cloud"
        )
        rate = self._per_second(progress, now)
        if not rate:
            return counts
        left = progress.documents - progress.done - progress.failed
        return f"{counts}; {60 * rate:.0f} a minute, about {duration_text(left / rate)} to go"

    def _per_second(self, progress: Progress, now: float) -> float:
        """Documents of this try per second. Documents of earlier tries would make it look faster than it is."""
        ended = progress.done + progress.failed - (self._done_before or 0)
        return ended / max(now - self._began_at, 1.0)


def shown_progress(progress: Progress) -> dict[str, Any]:
    """
    Return what Airflow's UI shows of a batch.

    :param progress: How far it is.
    """
    return {
        "documents": progress.documents,
        "done": progress.done,
        "failed": progress.failed,
        "running": progress.running,
        "submits": progress.submits,
        **({"stopped": progress.stopped} if progress.stopped else {}),
    }


def shown_end(ended: Ended) -> dict[str, Any]:
    """
    Return what Airflow's UI shows of a batch whose try has ended.

    :param ended: How its try has ended.
    """
    return {
        "documents": sum(ended.counts.values()),
        **ended.counts,
        "submits": ended.submits,
        **({"stopped": ended.stopped} if ended.stopped else {}),
    }

"""
Decide what follows when a request for a document fails, and when the account is refused.

The invariant of :mod:`.machine` applies here, too. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import SourceContentError, TaskError, TaskTimeoutError
from airflow_provider_asposeocr.api.http.pacing import LONGEST_PAUSE_SECONDS
from airflow_provider_asposeocr.batch.course import Course
from airflow_provider_asposeocr.batch.records import Refused, Withdrawn
from airflow_provider_asposeocr.batch.verdicts import concerns_account, error_to_dict, verdict_on
from airflow_provider_asposeocr.batch.work import Phase, Work

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.batch.ending import StopReason

#: Longest wait after a request that failed, where the cloud does not ask for a longer one.
LONGEST_BACKOFF_SECONDS = 30.0


class Setbacks(Course):
    """What documents go through when a request fails."""

    #: No request is begun before this moment, in seconds since the epoch: the cloud has asked for a pause.
    _paused_until = 0.0
    #: Whether the record that the account was refused is not durable yet. The try does not end before.
    _announces_refusal = False

    @property
    def _is_paused(self) -> bool:
        return self._now < self._paused_until

    def _stop(self, reason: StopReason, *, cancel: bool = False, error: AsposeOcrError | None = None) -> None:
        self.stopped = self.stopped or reason
        if error is not None and self.error is None:
            self.error = error
            self._records.append(Refused(error_to_dict(error), self._settings.try_number))
            self._announces_refusal = True
        self._cancels = self._cancels or cancel
        for line in (self._to_prepare, self._to_send):
            line.clear()
        for work in list(self.works.values()):
            if work.phase in (Phase.QUEUED, Phase.PREPARED):
                self._leave(work)
            elif work.phase is Phase.RUNNING and self._cancels:
                self._cancel(work)

    def _on_wait_failed(self, work: Work, error: AsposeOcrError) -> None:
        if concerns_account(error):
            self._stop("account", error=error)
        verdict = verdict_on(error, reads_result=True, attempts=work.attempts)
        if isinstance(error, TaskTimeoutError):
            work.error = error
            self._cancel(work)
        elif verdict in ("gone", "expired"):
            self._doubt(work, verdict, error)
        elif isinstance(error, TaskError) or (error.retryable and self._settings.has_tries_left):
            self._fail(work, error, over=verdict == "over")
        else:
            work.error = error
            self._cancel(work)

    def _on_not_prepared(self, work: Work, error: AsposeOcrError) -> None:
        verdict = verdict_on(error, reads_result=work.step > 0, attempts=work.attempts)
        work.phase = Phase.QUEUED
        if verdict == "account":
            self._stop("account", error=error)
            if work.document in self.works:
                self._leave(work)
        elif verdict in ("later", "pending") and self._try_later(work, error):
            return
        elif work.step == 0:
            # Final with a register: otherwise such a file would be the oldest new one in each run. A changed file is a new
            # one. A file without permission is tried again, because a permission may be missing for an hour only.
            is_final = self.batch.register is not None and isinstance(error, SourceContentError)
            self._fail(work, error, over=True, final=is_final)
        else:
            work.step, work.ref = work.step - 1, None
            if verdict in ("gone", "expired"):
                self._doubt(work, verdict, error)
            else:
                self._fail(work, error, over=verdict == "over")

    def _on_not_sent(self, work: Work, error: AsposeOcrError) -> None:
        verdict = verdict_on(error, reads_result=False, attempts=work.attempts)
        if verdict == "unknown":
            self._doubt(work, "unknown", error)
            return
        work.phase = Phase.RECORDING
        self._records.append(Withdrawn(work.document, work.step))
        if verdict == "account":
            self._stop("account", error=error)
        elif verdict == "later" and self._has_time(work):
            work.due = self._now + self._backoff_seconds(work, error)
        else:
            self._fail(work, error, over=True)

    def _on_not_delivered(self, work: Work, error: AsposeOcrError) -> None:
        verdict = verdict_on(error, reads_result=True, attempts=work.attempts)
        work.phase = Phase.READY
        if verdict in ("gone", "expired"):
            self._doubt(work, verdict, error)
        elif verdict == "account":
            self._stop("account", error=error)
            self._leave(work)
        elif not (verdict in ("later", "pending") and self._try_later(work, error)):
            self._fail(work, error, over=verdict == "over")

    def _try_later(self, work: Work, error: AsposeOcrError) -> bool:
        if not self._has_time(work):
            return False
        self._alarm.put(work, self._now + self._backoff_seconds(work, error))
        return True

    def _has_time(self, work: Work) -> bool:
        work.failing_since = work.failing_since or self._now
        return not self._settings.cadence.is_failing_too_long(work.failing_since, self._now)

    def _backoff_seconds(self, work: Work, error: AsposeOcrError) -> float:
        work.attempts += 1
        usual = min(LONGEST_BACKOFF_SECONDS, 2.0 ** min(work.attempts, 10)) * (0.5 + self._random() / 2)
        return max(usual, min(error.retry_after_seconds or 0.0, LONGEST_PAUSE_SECONDS))

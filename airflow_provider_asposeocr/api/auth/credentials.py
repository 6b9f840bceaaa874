"""
Refused pairs of client id and secret, remembered for all processes of this host.

The cloud locks a pair for ten minutes after five failed token requests (vendor's platform docs, rate limits), and each
Airflow task is a new process. So the processes of a host share one small file per pair: a rejected pair is not sent
again for a minute, a locked one not before ``Retry-After``. The files hold no secret. They are named after a salted hash
of the pair, so that changed credentials are tried at once. Hosts share nothing.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    CredentialsLockedError,
    CredentialsRejectedError,
)

log = logging.getLogger(__name__)

#: Long enough for the tasks that start together to make one failed request; short enough that a pair which the vendor has
#: just enabled works soon.
REJECTED_SECONDS = 60.0
#: The vendor's documented lock-out, for a 429 without ``Retry-After``.
LOCKED_SECONDS = 600.0
#: A gateway's nonsense in Retry-After must not keep a host from asking for years.
LONGEST_LOCK_SECONDS = 3600.0


def default_folder() -> Path:
    """Return the folder that all processes of this user on this host share."""
    return Path(tempfile.gettempdir()) / f"airflow-provider-asposeocr-{os.geteuid()}"


def _clock(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M:%S UTC")


def describe_refusal(error: AsposeOcrError, now: float) -> dict[str, object] | None:
    """
    Say what to remember of a failed token request.

    :param error: The failure.
    :param now: Seconds since the epoch.
    :return: A record in JSON, or ``None`` where the failure says nothing about the credentials.
    """
    if isinstance(error, CredentialsRejectedError):
        return {"verdict": "rejected", "at": now, "until": now + REJECTED_SECONDS}
    if isinstance(error, CredentialsLockedError):
        wait = LOCKED_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds
        return {"verdict": "locked", "at": now, "until": now + min(wait, LONGEST_LOCK_SECONDS)}
    return None


def recall_refusal(record: object, now: float) -> AsposeOcrError | None:
    """
    Turn a record back into the failure.

    :param record: What :func:`describe_refusal` returned, or whatever was in the file.
    :param now: Seconds since the epoch.
    :return: The error to raise instead of asking; ``None`` where asking is in order.
    """
    if not isinstance(record, dict):
        return None
    at, until = record.get("at"), record.get("until")
    if not isinstance(at, int | float) or not isinstance(until, int | float):
        return None
    # Whatever wrote the file, nobody is kept out for longer than the cloud locks a pair.
    until = min(until, at + LONGEST_LOCK_SECONDS)
    if not at <= now < until:
        return None
    if record.get("verdict") == "rejected":
        return CredentialsRejectedError(
            f"The cloud rejected the client id and secret at {_clock(at)}. This host offers the same pair again at "
            f"{_clock(until)}, since the cloud locks a pair after five failures."
        )
    return CredentialsLockedError(
        f"The cloud has locked the client id and secret out until {_clock(until)}.",
        http_status=429,
        retry_after_seconds=until - now,
    )


class CredentialMemory:
    """
    The records of this host.

    Where the folder cannot be used, nothing is remembered and everything else works.

    :param folder: Where the records are; by default a folder of this user among the temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or default_folder()

    def recall(self, fingerprint: str, now: float) -> AsposeOcrError | None:
        """
        Look up a pair.

        :param fingerprint: :attr:`~airflow_provider_asposeocr.api.account.Account.fingerprint` of the pair.
        :param now: Seconds since the epoch.
        :return: The error to raise instead of asking, if there is one.
        """
        # A file that makes no sense is as good as none.
        with suppress(OSError, ValueError, OverflowError, RecursionError):
            return recall_refusal(json.loads(self._file(fingerprint, "json").read_bytes()), now)
        return None

    def remember(self, fingerprint: str, error: AsposeOcrError, now: float) -> None:
        """
        Record a failed token request, if it says something about the credentials.

        :param fingerprint: The pair.
        :param error: The failure.
        :param now: Seconds since the epoch.
        """
        record = describe_refusal(error, now)
        if record is None:
            return
        try:
            temporary = self._file(fingerprint, f"{os.getpid()}.tmp")
            temporary.write_text(json.dumps(record))
            temporary.replace(self._file(fingerprint, "json"))
        except OSError as problem:
            log.warning("Cannot remember the refused credentials on this host: %s", problem)

    def _file(self, fingerprint: str, suffix: str) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # In a shared folder for temporary files anybody may have made it first, also as a link to a folder of ours.
        if self._folder.lstat().st_uid != os.geteuid():
            raise PermissionError(f"{self._folder} belongs to somebody else")
        return self._folder / f"{fingerprint}.{suffix}"

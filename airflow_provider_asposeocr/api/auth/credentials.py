"""
Remember refused pairs of client id and secret for all processes of this host.

The cloud locks a pair for ten minutes after five failed token requests (vendor's platform docs, rate limits), and each
Airflow task is a new process. Therefore the processes of a host share one small file per pair: they do not send a rejected
pair again for one minute, and a locked one not before ``Retry-After``. The files contain no secret. Their names are a salted
hash of the pair, so that changed credentials are tried at once. Hosts do not share the files.
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

#: Long enough that tasks which start together make few failed requests; short enough that a pair works soon after the vendor
#: has enabled it.
REJECTED_SECONDS = 60.0
#: The vendor's documented lock-out, for a 429 without ``Retry-After``.
LOCKED_SECONDS = 600.0
#: Limit, because a gateway may send a Retry-After of years.
LONGEST_LOCK_SECONDS = 3600.0


def default_folder() -> Path:
    """Return the folder that all processes of this user on this host use."""
    return Path(tempfile.gettempdir()) / f"airflow-provider-asposeocr-{os.geteuid()}"


def _clock(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M:%S UTC")


def describe_refusal(error: AsposeOcrError, now: float) -> dict[str, object] | None:
    """
    Return the record of a failed token request.

    :param error: The failure.
    :param now: Seconds since the epoch.
    :return: A record in JSON, or ``None`` if the failure was not caused by the credentials.
    """
    if isinstance(error, CredentialsRejectedError):
        return {"verdict": "rejected", "at": now, "until": now + REJECTED_SECONDS}
    if isinstance(error, CredentialsLockedError):
        wait = LOCKED_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds
        return {"verdict": "locked", "at": now, "until": now + min(wait, LONGEST_LOCK_SECONDS)}
    return None


def recall_refusal(record: object, now: float) -> AsposeOcrError | None:
    """
    Return the error of a record.

    :param record: Result of :func:`describe_refusal`, or any other content of the file.
    :param now: Seconds since the epoch.
    :return: The error to raise instead of a token request; ``None`` if a token may be requested.
    """
    if not isinstance(record, dict):
        return None
    at, until = record.get("at"), record.get("until")
    if not isinstance(at, int | float) or not isinstance(until, int | float):
        return None
    # A limit for any content of the file.
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

    If the folder cannot be used, no refused pair is remembered; everything else works.

    :param folder: Folder of the records; by default a folder of this user among the temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or default_folder()

    def recall(self, fingerprint: str, now: float) -> AsposeOcrError | None:
        """
        Look up a pair.

        :param fingerprint: :attr:`~airflow_provider_asposeocr.api.account.Account.fingerprint` of the pair.
        :param now: Seconds since the epoch.
        :return: The error to raise instead of a token request, or ``None``.
        """
        # An invalid file counts as no file.
        with suppress(OSError, ValueError, OverflowError, RecursionError):
            return recall_refusal(json.loads(self._file(fingerprint, "json").read_bytes()), now)
        return None

    def remember(self, fingerprint: str, error: AsposeOcrError, now: float) -> None:
        """
        Write the record of a failed token request, if the credentials have caused the failure.

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
        # In a shared folder for temporary files another user may have created it, also as a link to one of our folders.
        if self._folder.lstat().st_uid != os.geteuid():
            raise PermissionError(f"{self._folder} belongs to another user")
        return self._folder / f"{fingerprint}.{suffix}"

"""
The errors of the client, as a tree of classes.

Invariant: each error says four things: what happened (the message), whether anything was billed (``billed``), whether a
retry can succeed (``retryable``), and what to do now (``remedy``). The advice depends on the place where the error is
shown (``place``): a user can clear a task only in the log of a task, and in the connection form or in an import error
nothing can have been billed. ``str()`` returns the text for the place.

::

    AsposeOcrError
    ├── InputError                     yours to fix; nothing was sent
    │   ├── InvalidConnectionError
    │   ├── SettingsError
    │   ├── SourceError
    │   │   ├── SourceContentError
    │   │   └── SourceUnreadableError  a retry helps
    │   └── TrialNotAvailableError
    ├── AuthenticationError            the cloud does not accept the credentials
    │   ├── CredentialsRejectedError
    │   ├── CredentialsLockedError     a retry helps after the lock-out
    │   └── AccessDeniedError
    ├── RequestError                   a single request did not succeed
    │   ├── CloudUnreachableError      a retry helps
    │   │   ├── ProxyUnreachableError  a retry helps
    │   │   └── SchemeMismatchError    a retry helps
    │   ├── CertificateError
    │   ├── CloudUnavailableError      a retry helps
    │   ├── RateLimitedError           a retry helps
    │   ├── QuotaExceededError
    │   ├── RequestRejectedError
    │   └── UnexpectedResponseError    a retry helps
    ├── SubmitUnknownError             sent, no answer: perhaps billed
    ├── TaskError                      the cloud had accepted the task
    │   ├── TaskFailedError            a retry helps if the cloud was at fault
    │   ├── TaskPendingError           a retry helps
    │   ├── TaskUnknownError           a retry submits again
    │   ├── TaskExpiredError
    │   ├── TaskTimeoutError           a retry submits again
    │   └── UnknownStatusError
    ├── WaitError                      Airflow lost the wait; a retry helps
    ├── ResultError                    the task is done, its result is not usable as it came
    │   ├── ResultIncompleteError
    │   ├── ResultCorruptError         a retry helps
    │   ├── ReaderError                its file is kept, and a reader cannot use it
    │   │   ├── ResultUnreadableError
    │   │   ├── ResultTooLargeError
    │   │   ├── FieldAbsentError
    │   │   └── LibraryMissingError
    │   └── LowQualityError            a gate of quality
    └── StorageError                   the destination; the cloud still has the result
        └── DestinationError           a retry does not help
"""

from __future__ import annotations

from airflow_provider_asposeocr.api.errors.base import (
    AsposeOcrError,
    Billed,
    Place,
    Remedies,
    from_dict,
    shown_at,
)
from airflow_provider_asposeocr.api.errors.cloud import (
    AccessDeniedError,
    AuthenticationError,
    CertificateError,
    CloudUnavailableError,
    CloudUnreachableError,
    CredentialsLockedError,
    CredentialsRejectedError,
    ProxyUnreachableError,
    QuotaExceededError,
    RateLimitedError,
    RequestError,
    RequestRejectedError,
    SchemeMismatchError,
    SubmitUnknownError,
    UnexpectedResponseError,
)
from airflow_provider_asposeocr.api.errors.inputs import (
    InputError,
    InvalidConnectionError,
    SettingsError,
    SourceContentError,
    SourceError,
    SourceUnreadableError,
    TrialNotAvailableError,
)
from airflow_provider_asposeocr.api.errors.readers import (
    FieldAbsentError,
    LibraryMissingError,
    LowQualityError,
    ReaderError,
    ResultTooLargeError,
    ResultUnreadableError,
)
from airflow_provider_asposeocr.api.errors.tasks import (
    DestinationError,
    ResultCorruptError,
    ResultError,
    ResultIncompleteError,
    StorageError,
    TaskError,
    TaskExpiredError,
    TaskFailedError,
    TaskPendingError,
    TaskTimeoutError,
    TaskUnknownError,
    UnknownStatusError,
    WaitError,
)

__all__ = [
    "AccessDeniedError",
    "AsposeOcrError",
    "AuthenticationError",
    "Billed",
    "CertificateError",
    "CloudUnavailableError",
    "CloudUnreachableError",
    "CredentialsLockedError",
    "CredentialsRejectedError",
    "DestinationError",
    "FieldAbsentError",
    "InputError",
    "InvalidConnectionError",
    "LibraryMissingError",
    "LowQualityError",
    "Place",
    "ProxyUnreachableError",
    "QuotaExceededError",
    "RateLimitedError",
    "ReaderError",
    "Remedies",
    "RequestError",
    "RequestRejectedError",
    "ResultCorruptError",
    "ResultError",
    "ResultIncompleteError",
    "ResultTooLargeError",
    "ResultUnreadableError",
    "SchemeMismatchError",
    "SettingsError",
    "SourceContentError",
    "SourceError",
    "SourceUnreadableError",
    "StorageError",
    "SubmitUnknownError",
    "TaskError",
    "TaskExpiredError",
    "TaskFailedError",
    "TaskPendingError",
    "TaskTimeoutError",
    "TaskUnknownError",
    "TrialNotAvailableError",
    "UnexpectedResponseError",
    "UnknownStatusError",
    "WaitError",
    "from_dict",
    "shown_at",
]

"""What a user wants of the register of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_provider_asposeocr.ingestion.register import OnDone, OnDuplicate, OnMissingResult


@dataclass(frozen=True, kw_only=True)
class RegisterPolicies:
    """
    What a user wants of the register.

    :param on_duplicate: ``reference``, the default: the row of a document that was read before names the results that are
        there; ``copy``: they are copied to its own name.
    :param on_missing_result: What becomes of a document that was read before, and whose results are gone or were changed:
        ``fail``, the default, or ``again``, which is billed again.
    :param max_attempts: How often a document may fail, in all runs; three by default.
    :param claim_seconds: Age from which a claim counts as left if Airflow does not know its owner; 25 hours by default,
        after which the cloud keeps no result of it.
    :param on_done: What to do with the source of a document that is done: ``leave``, the default, ``move`` or ``delete``.
    :param archive: URI of the folder that sources are moved to.
    :param low_quality: What becomes of a document whose results were of low quality when it was read: ``fail`` or ``mark``;
        ``None``, the default, where this run has no gates: then it is a duplicate like others, and its source stays.
    """

    on_duplicate: OnDuplicate = "reference"
    on_missing_result: OnMissingResult = "fail"
    max_attempts: int = 3
    claim_seconds: float = 90_000.0
    on_done: OnDone = "leave"
    archive: str | None = None
    low_quality: Literal["fail", "mark"] | None = None

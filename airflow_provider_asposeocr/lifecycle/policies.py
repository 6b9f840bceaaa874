"""What a user decides about the cloud task of an Airflow task: the words of the operators' policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reuse = Literal["retry", "always", "never"]
REUSE: tuple[Reuse, ...] = ("retry", "always", "never")
OnUnknownSubmit = Literal["resubmit", "fail"]
ON_UNKNOWN_SUBMIT: tuple[OnUnknownSubmit, ...] = ("resubmit", "fail")
OnExpired = Literal["fail", "resubmit"]
ON_EXPIRED: tuple[OnExpired, ...] = ("fail", "resubmit")
OnIncomplete = Literal["fail", "keep"]
ON_INCOMPLETE: tuple[OnIncomplete, ...] = ("fail", "keep")
CancelOnKill = Literal["last_try", "always", "never"]
CANCEL_ON_KILL: tuple[CancelOnKill, ...] = ("last_try", "always", "never")


@dataclass(frozen=True)
class SubmitPolicies:
    """
    The policies of a submit, see :class:`.AsposeOcrSubmitOperator`.

    :param reuse: Whether a later try continues with the cloud task of an earlier one.
    :param on_unknown_submit: What to do when it is unknown whether the cloud accepted a document.
    :param on_expired: What to do when the earlier try's result is older than the cloud keeps it.
    """

    reuse: Reuse
    on_unknown_submit: OnUnknownSubmit
    on_expired: OnExpired

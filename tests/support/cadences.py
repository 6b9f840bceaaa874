"""Cadences of waits, as tests write them: fields beside those of the plan or the settings that contain the cadence."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from airflow_provider_asposeocr.api.polling.plan import Cadence

CADENCE_FIELDS = frozenset(field.name for field in fields(Cadence))


def with_cadence(given: dict[str, Any], **usual: Any) -> dict[str, Any]:
    """Return arguments in which the fields of a cadence, those of ``usual`` included, are one value ``cadence``."""
    all_fields = {**usual, **given}
    cadence = {name: all_fields.pop(name) for name in list(all_fields) if name in CADENCE_FIELDS}
    return {"cadence": Cadence(**cadence), **all_fields}

"""Parts of a journal."""

from __future__ import annotations

from typing import Any

from airflow_provider_asposeocr.batch.parts import Part, PartName


def name(epoch: int, sequence: int) -> PartName:
    """Return the name of a part; the first of an epoch has no suffix."""
    return PartName(epoch, sequence, f"{epoch:08x}" if sequence else "")


def part(epoch: int, sequence: int, *after: tuple[int, int], **fields: Any) -> Part:
    """Return a part with one record that says which it is."""
    named = [name(*numbers).text for numbers in after]
    records = ({"part": [epoch, sequence]},) if sequence else ()
    return Part(name(epoch, sequence), **{"records": records, "after": named, **fields})

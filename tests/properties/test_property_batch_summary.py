"""
The summary of a batch: for any names of documents and errors it is below 4 KB, and its counts add up.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import example
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import SourceError
from airflow_provider_asposeocr.batch.summary import MOST_BYTES, Tally, failure_text
from airflow_provider_asposeocr.documents.manifest import OUTCOMES, DocumentError, Manifest
from tests.support.hostile import NAMES, TEXTS
from tests.support.tried import holds_for

#: Names of 1,024 bytes, of which JSON may make six times as much.
LONG = st.sampled_from(["x", "é", "日", "😀", "\x01", "\\", '"', "\ud800"]).map(
    lambda char: (char * 1024).encode("utf-8", "surrogatepass")[:1024].decode("utf-8", "ignore")
)
ANY_NAME = LONG | NAMES | TEXTS
ERRORS = st.none() | st.builds(
    lambda name: DocumentError.of(SourceError("x")).model_copy(update={"name": name}), ANY_NAME
)
ROWS = st.lists(st.tuples(st.sampled_from(OUTCOMES), ANY_NAME, ERRORS, st.booleans()), max_size=30)


@example(rows=[("failed", "😀" * 256, None, False)] * 30, manifest="\x01" * 1024, submits=10**9)
@holds_for(rows=ROWS, manifest=ANY_NAME, submits=st.integers(0, 10**9))
def test_a_summary_is_short_and_adds_up(rows: list[Any], manifest: str, submits: int) -> None:
    tally = Tally()
    for outcome, source, error, twice in rows:
        tally.add(Manifest(index=0, outcome=outcome, source=source, error=error, maybe_billed_twice=twice))

    summary = tally.summary(manifest, submits)

    assert len(json.dumps(summary)) < MOST_BYTES
    assert {name: summary[name] for name in OUTCOMES} == {
        **dict.fromkeys(OUTCOMES, 0),
        **Counter(row[0] for row in rows),
    }
    assert sum(summary[name] for name in OUTCOMES) == summary["documents"] == len(rows)
    assert failure_text(summary, 0).isprintable()

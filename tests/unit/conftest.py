"""
What the unit tests share.

Invariant: no test depends on how fast this machine is. What the product does within seconds because Airflow will end the
process has a minute here; a test of these seconds itself sets them, so short or long that slowness cannot be taken for them.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest


@pytest.fixture(autouse=True)
def patient_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker's kill wait longer than any machine takes for an answer of the emulator."""
    waiting = sys.modules.get("airflow_provider_asposeocr.waiting")
    if waiting is not None:  # Tests of the client alone do not load Airflow.
        monkeypatch.setattr(waiting, "KILL_SECONDS", 60.0)
        monkeypatch.setattr(waiting, "KILL_IN_WORKER", replace(waiting.KILL_IN_WORKER, ask_seconds=60.0))

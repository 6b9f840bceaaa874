"""One task instance with several tries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_asposeocr.lifecycle.record import KEY
from tests.support.airflow_tasks import StateStore, context_for, execute
from tests.support.ocr_tasks import recognize


class Instance:
    """A task instance with some tries; each begins with a new object of the operator, as in a new process."""

    def __init__(self, source: str, retries: int = 3, **given: Any) -> None:
        self.store = StateStore()
        self.try_number, self.max_tries = 0, retries
        self._source, self._given = source, given

    @property
    def record(self) -> dict[str, Any] | None:
        stored: dict[str, Any] | None = self.store.get(KEY)
        return stored

    def operator(self, **changes: Any) -> Any:
        return recognize(self._source, **{**self._given, **changes})

    def context(self, operator: Any) -> Any:
        return context_for(operator, store=self.store, try_number=self.try_number, max_tries=self.max_tries)

    def run(self, **changes: Any) -> Any:
        """Run the next try, by default without waiting, as if it died after the submit."""
        self.try_number += 1
        operator = self.operator(**{"wait_for_completion": False, **changes})
        return execute(operator, self.context(operator))

    def clear(self) -> None:
        self.max_tries = self.try_number + 3

    def age(self, seconds: float) -> None:
        """Let the cloud task of the record be older."""
        record = json.loads(self.store.stored[KEY])
        record["task"]["submitted_at"] = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
        self.store.stored[KEY] = json.dumps(record)

"""
The reading of a status, which is small nearly always.

Invariant: says what :class:`.wire.Reading` says of the same body. What is not certainly small, plain and without results
is left to it, so that bounds and errors are decided in one place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.http.wire import Reading
from airflow_provider_asposeocr.api.responses import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable

#: A status has a few hundred bytes. Above this the body is read piece by piece.
SMALL_BYTES = 16 * 1024


class StatusReading:
    """
    The reading of one answer, begun anew with each attempt.

    Looks at a small one as a whole: a triggerer reads hundreds per second.
    """

    def __init__(self) -> None:
        #: Made when it is needed, which is hardly ever: fewer objects per poll mean fewer collections on the event loop.
        self._reading: Reading | None = None
        self._body = b""
        self._take_rest: Callable[[bytes], bool] | None = None

    def begin(self) -> Callable[[bytes], bool]:
        """Begin an attempt and return what takes its body and says whether it wants more of it."""
        self._body, self._reading, self._take_rest = b"", None, None
        return self._take

    def state(self) -> TaskState:
        """Return what the last attempt has read."""
        if self._reading is None:
            # Without these there are no results whose data would have to be dropped.
            if b"data" not in self._body and b"\\" not in self._body:
                try:
                    return TaskState.model_validate(json.loads(self._body))
                except (ValueError, RecursionError):
                    pass
            self._reading = Reading()
            self._reading.begin()(self._body)
        return self._reading.state()

    def _take(self, chunk: bytes) -> bool:
        if self._take_rest is not None:
            return self._take_rest(chunk)
        self._body += chunk
        if len(self._body) > SMALL_BYTES:
            self._reading = Reading()
            self._take_rest, body = self._reading.begin(), self._body
            self._body = b""
            return self._take_rest(body)
        return True

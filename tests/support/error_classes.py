"""The classes of the provider's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_errors(cls: type[AsposeOcrError] = AsposeOcrError) -> Iterator[type[AsposeOcrError]]:
    """Yield a class of errors and all that derive from it."""
    yield cls
    for sub in cls.__subclasses__():
        yield from all_errors(sub)

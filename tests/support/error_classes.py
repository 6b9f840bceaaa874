"""The classes of the provider's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.batch import errors as batch_errors

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_errors(cls: type[AsposeOcrError] = AsposeOcrError) -> Iterator[type[AsposeOcrError]]:
    """Yield the client's errors: a class and those that derive from it, also if a test has imported others."""
    if cls.__module__.startswith("airflow_provider_asposeocr.api."):
        yield cls
    for sub in cls.__subclasses__():
        yield from all_errors(sub)


def batch_error_classes() -> list[type[AsposeOcrError]]:
    """Return the errors of a batch as a whole."""
    return [
        cls
        for cls in vars(batch_errors).values()
        if isinstance(cls, type)
        and issubclass(cls, AsposeOcrError)
        and cls.__module__ == batch_errors.__name__
    ]

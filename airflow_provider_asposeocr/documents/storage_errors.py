"""The errors of storages that a batch works in, as errors for the user."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError, StorageError
from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.api.errors import Billed


@contextmanager
def storage_errors(what: str, *, billed: Billed) -> Iterator[None]:
    """
    Raise what a storage library raises as an error that says what could not be done. Errors of the provider pass.

    :param what: What could not be done: a whole sentence, after which the storage's own words stand.
    :param billed: Whether anything was billed.
    :raises StorageError: instead of any error of the library.
    """
    try:
        yield
    except AsposeOcrError:
        raise
    except Exception as error:  # each storage library has its own root class
        raise StorageError(f"{what}: {type(error).__name__}: {shown(error)}.", billed=billed) from error

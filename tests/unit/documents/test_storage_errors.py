"""What a batch says when a storage that it works in fails."""

from __future__ import annotations

import pytest

from airflow_provider_asposeocr.api.errors import DestinationError, StorageError
from airflow_provider_asposeocr.documents.storage_errors import storage_errors


def test_an_error_of_a_library_becomes_one_that_says_what_could_not_be_done() -> None:
    cause = RuntimeError("the bucket is away")
    with (
        pytest.raises(StorageError) as raised,
        storage_errors("The outbox cannot be listed", billed="already"),
    ):
        raise cause
    assert raised.value.message == "The outbox cannot be listed: RuntimeError: the bucket is away."
    assert raised.value.billed == "already"
    assert raised.value.__cause__ is cause


def test_an_error_of_the_provider_passes() -> None:
    own = DestinationError("It belongs to another document.", billed="no")
    with pytest.raises(DestinationError) as raised, storage_errors("It cannot be read", billed="already"):
        raise own
    assert raised.value is own


def test_an_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt), storage_errors("It cannot be read", billed="no"):
        raise KeyboardInterrupt

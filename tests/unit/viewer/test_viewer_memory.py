"""What it takes that a large file is not verified again: all that the viewer remembers of it is the same."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from airflow_provider_asposeocr.viewer.answers import NOT_VERIFIED, RefusedError
from airflow_provider_asposeocr.viewer.kinds import MOST_IMAGE_BYTES
from airflow_provider_asposeocr.viewer.verified import Claim, open_verified
from tests.support.object_stores import Store, attached

LARGE = MOST_IMAGE_BYTES + 1
CONTENT, OTHER = b"x" * LARGE, b"y" * LARGE


class OneVersion(Store):
    """A store that says the same version of all files. Whoever may name a connection chooses the store."""

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        return {"name": path, "type": "file", "size": LARGE, "ETag": '"1"'}


@pytest.fixture
def store() -> Store:
    store = attached("memory", "one_version", kind=OneVersion)
    store.pipe_file("/bucket/page.pdf", CONTENT)
    store.pipe_file("/bucket/secret.pdf", OTHER)
    return store


def claim_of(content: bytes, name: str = "page.pdf") -> Claim:
    return Claim(f"memory://one_version@bucket/{name}", hashlib.sha256(content).hexdigest(), LARGE)


def open_it(claim: Claim) -> None:
    open_verified(claim, LARGE).close()


def refuse_it(claim: Claim) -> None:
    with pytest.raises(RefusedError, match=NOT_VERIFIED) as refused:
        open_it(claim)
    assert refused.value.status == 409


def test_another_checksum_is_another_file(store: Store) -> None:
    """Somebody looks at a file, and somebody else writes a manifest that names it without knowing its content."""
    open_it(claim_of(CONTENT))
    refuse_it(claim_of(b"guessed"))


def test_another_address_is_another_file(store: Store) -> None:
    open_it(claim_of(CONTENT))
    refuse_it(claim_of(CONTENT, "secret.pdf"))


def test_a_file_that_was_refused_is_refused_again(store: Store) -> None:
    for _ in range(2):
        refuse_it(claim_of(CONTENT, "secret.pdf"))

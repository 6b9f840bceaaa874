"""What becomes of a source that is done: that file alone is moved or deleted, whatever it is called."""

from __future__ import annotations

import pytest

from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.versions import stored_version
from airflow_provider_asposeocr.ingestion.disposal import dispose
from tests.support.object_stores import Store, attached

STORE = "s3://disposal@bucket"


@pytest.fixture
def store() -> Store:
    return attached("s3", "disposal")


def done(name: str, on_done: str) -> bool:
    uri = f"{STORE}/in/{name}"
    version = stored_version(object_path(uri))
    return dispose(uri, version, on_done, f"{STORE}/archive/", name, "12345678")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["*.png", "scan[1].png", "pag[ae].png", "a b.png"])
class TestOfAStore:
    """fsspec takes the first three for patterns. Who may write into an inbox chooses its names."""

    @pytest.fixture(autouse=True)
    def others(self, store: Store, name: str) -> None:
        for each in (name, "scan1.png", "page.png"):
            store.pipe_file(f"bucket/in/{each}", each.encode())

    def test_the_one_file_is_moved(self, store: Store, name: str) -> None:
        assert done(name, "move")
        assert store.files() == {
            "/bucket/in/scan1.png": b"scan1.png",
            "/bucket/in/page.png": b"page.png",
            f"/bucket/archive/{name}": name.encode(),
        }

    def test_the_one_file_is_deleted(self, store: Store, name: str) -> None:
        assert done(name, "delete")
        assert store.files() == {"/bucket/in/scan1.png": b"scan1.png", "/bucket/in/page.png": b"page.png"}

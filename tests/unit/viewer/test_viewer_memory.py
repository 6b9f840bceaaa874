"""Large files: what it takes that one is not verified again, and that nobody can change one between check and answer."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_asposeocr.viewer import verified
from airflow_provider_asposeocr.viewer.answers import NOT_VERIFIED, RefusedError
from airflow_provider_asposeocr.viewer.kinds import MOST_IMAGE_BYTES
from airflow_provider_asposeocr.viewer.verified import Claim, open_verified
from tests.support.object_stores import Store, attached

if TYPE_CHECKING:
    from tests.support.viewer_world import ViewerWorld

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


class TestLargeFiles:
    """The viewer remembers that a large file's checksum was verified."""

    def _large(self, world: ViewerWorld) -> dict[str, Any]:
        return world.result("page.pdf", b"%PDF-" + b"x" * LARGE)

    def test_the_second_part_is_read_from_the_storage_alone(
        self, world: ViewerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.fetched(self._large(world))
        assert len(world.file().content) == LARGE + 5
        monkeypatch.setattr(verified, "_copy", None)  # The whole file is not read again.
        answer = world.file(Range="bytes=0-4")
        assert (answer.status_code, answer.content) == (206, b"%PDF-")

    def test_a_change_at_equal_size_is_noticed(self, world: ViewerWorld) -> None:
        result = self._large(world)
        world.fetched(result)
        assert world.file().status_code == 200
        path = Path(result["uri"])
        facts = path.stat()
        with path.open("r+b") as stream:
            stream.write(b"PWNED")
        # A program that changes a file can set the old time.
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        answer = world.file(Range="bytes=0-4")
        assert answer.status_code == 409
        assert b"PWNED" not in answer.content

    @pytest.mark.parametrize("is_known", [True, False])
    def test_a_link_that_is_turned_for_the_moment_of_the_open_is_noticed(
        self, world: ViewerWorld, monkeypatch: pytest.MonkeyPatch, is_known: bool
    ) -> None:
        result = self._large(world)
        path, link = Path(result["uri"]), world.folder / "link.pdf"
        secret = world.folder / "secret.pdf"
        secret.write_bytes(b"PWNED" + b"x" * LARGE)
        link.symlink_to(path)
        world.fetched({**result, "uri": str(link)})
        if is_known:
            assert world.file().status_code == 200
        real = LocalFileSystem._open

        def turned(self: Any, *arguments: Any, **options: Any) -> Any:
            link.unlink()
            link.symlink_to(secret)
            stream = real(self, *arguments, **options)
            link.unlink()
            link.symlink_to(path)
            return stream

        monkeypatch.setattr(LocalFileSystem, "_open", turned)
        answer = world.file(Range="bytes=0-4")
        assert answer.status_code == 409
        assert b"PWNED" not in answer.content

    def test_a_copy_is_not_the_file_that_a_writer_can_change(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The manifest of a batch stays open for a long time."""
        monkeypatch.setattr(verified, "MOST_IMAGE_BYTES", 3)
        (path := tmp_path / "manifest.jsonl").write_bytes(b"before")
        claim = Claim(str(path), hashlib.sha256(b"before").hexdigest(), 6)
        open_verified(claim, 10).close()  # Now it is remembered that it was verified.
        opened = open_verified(claim, 10, is_copy=True)
        with path.open("r+b") as stream:
            stream.write(b"PWNED!")
        assert opened.content() == b"before"
        opened.close()

    def test_a_storage_that_knows_no_versions_is_read_whole_each_time(self) -> None:
        class Plain(Store):
            def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
                return {"name": path, "type": "file", "size": LARGE}

        store = attached("memory", "plain", kind=Plain)
        content = b"x" * LARGE
        store.pipe_file("/bucket/page.pdf", content)
        claim = Claim("memory://plain@bucket/page.pdf", hashlib.sha256(content).hexdigest(), LARGE)
        open_verified(claim, LARGE).close()
        store.pipe_file("/bucket/page.pdf", content.replace(b"x", b"y"))
        with pytest.raises(RefusedError):
            open_verified(claim, LARGE)

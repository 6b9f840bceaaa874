from __future__ import annotations

import json
import multiprocessing
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import DestinationError
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.documents import atomic_create
from airflow_provider_asposeocr.documents.owners import (
    Claims,
    IfExists,
    Owner,
    Refusal,
    decide,
    parse_owner,
    record_path,
)
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from tests.support.object_stores import Store, attached
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

PNG = b"\x89PNG\r\n\x1a\n"


def maker(source: str | None, qualifier: str | None = None) -> Owner:
    return Owner(writer="w", target="page.txt", source=source, source_qualifier=qualifier)


MINE = maker("file:///a/page.png")


class TestDecide:
    @pytest.mark.parametrize(
        ("if_exists", "is_there", "made_by", "decision"),
        [
            ("overwrite", False, None, "create record"),
            ("overwrite", True, MINE, "write"),
            ("overwrite", True, maker("file:///b/page.png"), Refusal("other")),
            ("overwrite", True, maker(None), Refusal("other")),
            ("overwrite", True, None, Refusal("unknown")),
            ("fail", False, None, "create record"),
            ("fail", True, MINE, Refusal("exists")),
            ("fail", True, None, Refusal("exists")),
            ("skip", False, None, "create record"),
            ("skip", True, MINE, "leave"),
            ("skip", True, maker("file:///b/page.png"), Refusal("other")),
            ("skip", True, maker(None), "leave"),
            ("skip", True, None, "leave"),
            ("overwrite_any", False, None, "replace record"),
            ("overwrite_any", True, maker("file:///b/page.png"), "replace record"),
        ],
    )
    def test_who_may_write(
        self, if_exists: IfExists, is_there: bool, made_by: Owner | None, decision: Any
    ) -> None:
        assert decide(if_exists, MINE, is_there, made_by) == decision

    def test_a_reference_without_a_source_replaces_any_record(self) -> None:
        for is_there, made_by in product((False, True), (None, MINE, maker(None))):
            assert decide("overwrite", maker(None), is_there, made_by) == "replace record"

    def test_only_the_same_source_writes_over_a_file(self) -> None:
        for one, other in product((None, "a", "b"), repeat=2):
            for qualifier, another in product((None, "x", "y"), repeat=2):
                same = one is not None and (one, qualifier) == (other, another)
                assert maker(one, qualifier).is_same_source(maker(other, another)) is same


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b'{"writer": "w"}',
        b"\xff",
        b'{"schema_version": 2, "writer": "w", "target": "t"}',
    ],
)
def test_a_record_that_is_not_understood_names_no_owner(content: bytes | None) -> None:
    assert parse_owner(content) is None


def test_a_record_can_be_read_again() -> None:
    assert parse_owner(MINE.to_bytes()) == MINE


def test_the_record_of_a_file_does_not_depend_on_the_way_to_its_folder() -> None:
    names = {
        record_path(ObjectStoragePath(uri)).name
        for uri in (
            "s3://b/out/page.txt",
            "s3://conn@b/out/page.txt",
            "/out/page.txt",
            "file:///mnt/page.txt",
        )
    }
    assert len(names) == 1
    assert str(record_path(ObjectStoragePath("s3://c@b/out/x"))).startswith(
        "s3://c@b/out/.aspose-ocr/owners/"
    )


def ref_of(source: str | None) -> TaskRef:
    return TaskRef(
        operation="RecognizeImage",
        id="i",
        submitted_at="2026-11-29T00:00:00Z",
        conn_id="ocr",
        source_uri=source,
    )


def take(source: str | None, target: str, if_exists: IfExists = "overwrite") -> Claims:
    claims = Claims(ref_of(source), if_exists)
    claims.take([ObjectStoragePath(target)])
    return claims


class TestClaims:
    def test_the_second_document_is_refused_before_the_first_has_written(self, tmp_path: Path) -> None:
        take("/a/page.png", f"{tmp_path}/page.txt")
        with pytest.raises(
            DestinationError, match=r"belongs to another document, file:///a/page\.png"
        ) as caught:
            take("/b/page.png", f"{tmp_path}/page.txt")
        assert "if_exists='overwrite_any'" in str(caught.value)
        assert not caught.value.retryable
        take("file:///a/page.png", f"{tmp_path}/page.txt")  # a retry of the first

    def test_a_file_without_a_record_is_another_s(self, tmp_path: Path) -> None:
        (tmp_path / "page.txt").write_text("made by hand")
        with pytest.raises(DestinationError, match=r"no record \(.*\) and no manifest of a batch"):
            take("/a/page.png", f"{tmp_path}/page.txt")

    def test_overwrite_any_writes_a_new_record(self, tmp_path: Path) -> None:
        """Otherwise the first document's re-run would take the second's file for its own."""
        target = f"{tmp_path}/page.txt"
        (tmp_path / "page.txt").touch()
        take("/a/page.png", target, "overwrite_any")
        take("/a/page.png", target)
        take("/b/page.png", target, "overwrite_any")
        with pytest.raises(DestinationError, match="/b/page.png"):
            take("/a/page.png", target)
        take(None, target)
        with pytest.raises(DestinationError, match="no record"):
            take("/b/page.png", target)

    def test_an_invalid_record_is_named(self, tmp_path: Path) -> None:
        target = ObjectStoragePath(f"{tmp_path}/page.txt")
        take("/a/page.png", str(target))
        record_path(target).write_text('{"schema_version": 99}')
        with pytest.raises(DestinationError, match=record_path(target).name):
            take("/a/page.png", str(target))

    def test_a_name_that_is_no_text_has_an_owner_too(self, tmp_path: Path) -> None:
        target = f"{tmp_path}/page-\udcff.txt"
        take("/a/page-\udcff.png", target)
        Path(target).touch()
        take("/a/page-\udcff.png", target)
        with pytest.raises(DestinationError, match="another document"):
            take("/a/page-\udcfe.png", target)

    def test_a_record_is_never_changed(self, tmp_path: Path) -> None:
        target = ObjectStoragePath(f"{tmp_path}/page.txt")
        take("/a/page.png", str(target))
        content = record_path(target).read_bytes()
        (tmp_path / "page.txt").touch()
        take("/a/page.png", str(target))
        assert record_path(target).read_bytes() == content
        assert json.loads(content) == {
            "schema_version": 1,
            "writer": json.loads(content)["writer"],
            "target": "page.txt",
            "source": "file:///a/page.png",
            "source_qualifier": None,
        }

    @pytest.mark.parametrize("if_exists", ["fail", "skip"])
    def test_fail_and_skip_claim_what_is_new_too(self, tmp_path: Path, if_exists: IfExists) -> None:
        take("/a/page.png", f"{tmp_path}/page.txt", if_exists)
        with pytest.raises(DestinationError, match="another document"):
            take("/b/page.png", f"{tmp_path}/page.txt", if_exists)

    def test_of_two_that_want_several_names_in_common_one_gets_all(self, tmp_path: Path) -> None:
        names = [ObjectStoragePath(f"{tmp_path}/{name}") for name in ("page.txt", "page.pdf", "page.hocr")]
        first, second = Claims(ref_of("/a"), "overwrite"), Claims(ref_of("/b"), "overwrite")
        assert first.take(names) == []
        with pytest.raises(DestinationError):
            second.take(reversed(names))
        assert all(parse_owner(record_path(name).read_bytes()).source == "file:///a" for name in names)  # type: ignore[union-attr]  # fails then

    def test_an_object_store_does_not_answer_from_an_old_listing(self) -> None:
        """s3fs, gcsfs and adlfs keep a listing as long as the process lives."""
        bucket = Listing()
        attach_as_s3(bucket)
        assert bucket.ls("bucket/out") == []
        bucket.appear("bucket/out/page.txt")
        with pytest.raises(DestinationError, match="no record"):
            take("/a/page.png", "s3://owned@bucket/out/page.txt")

    def test_where_creates_are_not_atomic_a_loss_is_noticed(self) -> None:
        bucket = attached("memory", "owned")
        target = "memory://owned@bucket/out/page.txt"
        claims = take("/a/page.png", target)
        claims.confirm()
        record = record_path(ObjectStoragePath(target))
        bucket.pipe_file(record.path, maker("file:///b/page.png").to_bytes())  # looked before, wrote after
        with pytest.raises(DestinationError, match="one of the two results is lost") as caught:
            claims.confirm()
        assert "file:///b/page.png" in caught.value.message


class Listing(Store):
    """A store that answers from its first listing until the cache is invalidated."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: dict[str, Any] = {}

    def ls(self, path: str, detail: bool = False, **_: Any) -> Any:
        return self.listed.setdefault(path, [])

    def info(self, path: str, **kwargs: Any) -> Any:
        if path.rpartition("/")[0] in self.listed:
            raise FileNotFoundError(path)
        return super().info(path, **kwargs)

    def invalidate_cache(self, path: str | None = None) -> None:
        self.listed.clear()

    def appear(self, path: str) -> None:
        listed, self.listed = self.listed, {}
        self.pipe_file(path, b"another machine's")
        self.listed = listed


def attach_as_s3(store: Store) -> None:
    from airflow.sdk.io import attach
    from airflow.sdk.io.store import _STORE_CACHE

    _STORE_CACHE.pop("s3-owned", None)
    attach("s3", conn_id="owned", fs=store)


def _race(folder: str, number: int, rounds: int, start: Barrier) -> None:
    won = []
    for round in range(rounds):
        start.wait(PATIENCE_SECONDS)
        try:
            take(f"/{number}/page.png", f"{folder}/{round}.txt")
            won.append(round)
        except DestinationError:
            pass
    with open(f"{folder}/{number}.won", "w") as stream:
        json.dump(won, stream)


def test_of_two_documents_that_want_one_name_at_once_one_gets_it(tmp_path: Path) -> None:
    context, rounds, many = multiprocessing.get_context("fork"), 20, 4
    start = context.Barrier(many)
    processes = [context.Process(target=_race, args=(str(tmp_path), n, rounds, start)) for n in range(many)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * many
    won = [round for path in tmp_path.glob("*.won") for round in json.loads(path.read_text())]
    assert sorted(won) == list(range(rounds))


class TestNothingIsLost:
    """From documents to files: each document's result is in a file of its own, or its fetch fails."""

    @pytest.fixture
    def hook(self, cloud_connection: str) -> AsposeOcrHook:
        return AsposeOcrHook(cloud_connection)

    def _read_all(self, hook: AsposeOcrHook, documents: list[Path], destination: str, **options: Any) -> int:
        """Return how many were refused."""
        refused = 0
        for number, document in enumerate(documents):
            document.parent.mkdir(parents=True, exist_ok=True)
            document.write_bytes(PNG + b"%d" % number)
            ref = hook.submit("UpscaleImage", str(document))
            hook.wait(ref, poll_interval_seconds=0.01)
            try:
                hook.fetch_to(ref, destination, **options)
            except DestinationError:
                refused += 1
        return refused

    @pytest.mark.parametrize(
        ("names", "refusals"),
        [
            (["ที่.png", "ทิ่.png"], 0),
            (["FAX.001", "FAX.002"], 0),
            (["n" * 230 + "1.png", "n" * 230 + "2.png"], 0),
            (["report v1.1", "report v1.2"], 0),
            (["a,b.png", "a;b.png"], 0),
            (["caf\u00e9.png", "cafe\u0301.png"], 0),
            (["a/page.png", "b/page.png"], 1),
            (["page.png", "page.tif"], 1),
        ],
        ids=str,
    )
    def test_in_one_folder(
        self, hook: AsposeOcrHook, tmp_path: Path, names: list[str], refusals: int
    ) -> None:
        out = tmp_path / "out"
        refused = self._read_all(hook, [tmp_path / "in" / name for name in names], f"{out}/")
        assert refused == refusals
        assert len(list(out.glob("*.png"))) == len(names) - refusals

    def test_under_one_stem(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        documents = [tmp_path / f"{n}.png" for n in range(3)]
        assert self._read_all(hook, documents, f"{tmp_path}/out/", file_stem="page") == 2

    def test_in_one_file(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        documents = [tmp_path / f"{n}.png" for n in range(3)]
        assert self._read_all(hook, documents, f"{tmp_path}/out.png") == 2

    def test_nor_where_files_that_are_there_are_left(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        """The manifest of the second document would describe the file of the first as its own."""
        documents = [tmp_path / "a" / "page.png", tmp_path / "b" / "page.png"]
        assert self._read_all(hook, documents, f"{tmp_path}/out/", if_exists="skip") == 1
        assert self._read_all(hook, documents[:1], f"{tmp_path}/out/", if_exists="skip") == 0

    def test_beside_the_documents(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        """The result of UpscaleImage is called as its source is."""
        document = tmp_path / "page.png"
        assert self._read_all(hook, [document], f"{tmp_path}/") == 1
        assert document.read_bytes() == PNG + b"0"

    def test_the_source_that_made_a_file_may_make_it_again(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        document = tmp_path / "page.png"
        for _ in range(2):
            document.write_bytes(PNG)
            first = hook.submit("BinarizeImage", str(document))
            hook.wait(first, poll_interval_seconds=0.01)
            second = hook.submit("UpscaleImage", first)
            hook.wait(second, poll_interval_seconds=0.01)
            manifest = hook.fetch_to(second, f"{tmp_path}/out/")
            assert manifest["source"] == str(document)
            assert manifest["sha256"] == first["input_sha256"] == second["source_sha256"]
            assert second["input_sha256"] != second["source_sha256"]
        assert len(list((tmp_path / "out").glob("*.png"))) == 1

    def test_a_scratch_file_is_told_by_its_content(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        """One name in the temporary folder, filled anew for each document, perhaps in a pod of its own."""
        scratch = [Path(tempfile.gettempdir()) / f"{tmp_path.name}.png"] * 3
        assert self._read_all(hook, scratch, f"{tmp_path}/out/") == 2


@pytest.fixture(autouse=True)
def _other_store_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_create, "_honoured", {})

"""The first try decides what a batch does; later tries read it from the journal."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.batch.errors import JournalError, JournalFencedError, JournalMissingError
from airflow_provider_asposeocr.batch.opening import BatchRequest, OpenBatch, open_batch
from airflow_provider_asposeocr.batch.parts import batch_key
from airflow_provider_asposeocr.batch.records import Done, Intent, Record, Reference, record_to_dict
from airflow_provider_asposeocr.batch.state_folders import state_folders
from airflow_provider_asposeocr.batch.steps import parse_steps
from airflow_provider_asposeocr.batch.superseded import take_over_superseded
from airflow_provider_asposeocr.batch.tripwire import JournalPlan


@pytest.fixture
def request_for(tmp_path: Path) -> BatchRequest:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("a.png", "b.png"):
        (inbox / name).write_bytes(b"scan")
    return BatchRequest(
        sources=f"{inbox}/",
        steps=parse_steps(["BinarizeImage"]),
        destination=f"{tmp_path}/outbox/",
        names="path",
        base=None,
        state=f"{tmp_path}/state/",
        conn_id="ocr",
        account="0" * 32,
        key=batch_key("", "d", "r", "read", -1),
        dag_id="d",
        run_id="r",
        task_id="read",
        map_index=-1,
        max_tries=2,
        day=date(2026, 11, 30),
    )


def opened(request: BatchRequest, **plan: Any) -> Any:
    return open_batch(request, JournalPlan(request.journal_uri, **plan), resumes=False)


def test_the_first_try_lists_the_sources_and_says_where_the_manifest_will_be(
    request_for: BatchRequest, tmp_path: Path
) -> None:
    first = opened(request_for)
    assert first.is_new
    assert [Path(document.source).name for document in first.batch.documents] == ["a.png", "b.png"]
    assert first.batch.manifest.startswith(f"{tmp_path}/state/manifests/2026/11/30/d-r-read--1-")
    assert not first.state.documents


def test_the_destination_says_that_the_manifest_lies_elsewhere(
    request_for: BatchRequest, tmp_path: Path
) -> None:
    opened(request_for)
    assert list(state_folders(request_for.destination)) == [
        f"{tmp_path}/outbox/.aspose-ocr/",
        request_for.state,
    ]


def test_a_later_try_does_what_the_journal_says(request_for: BatchRequest, tmp_path: Path) -> None:
    first = opened(request_for)
    (tmp_path / "inbox" / "a.png").unlink()
    (tmp_path / "inbox" / "c.png").write_bytes(b"scan")
    second = opened(replace(request_for, steps=parse_steps(["UpscaleImage"])))
    assert not second.is_new
    assert second.batch == first.batch
    assert second.begun_at == first.begun_at
    with pytest.raises(JournalFencedError):
        first.journal.check()


def test_a_later_try_needs_no_sources_any_more(request_for: BatchRequest) -> None:
    first = opened(request_for)
    assert opened(replace(request_for, sources="/gone/")).batch == first.batch


def test_a_clear_begins_a_journal_of_its_own(request_for: BatchRequest) -> None:
    first = opened(request_for)
    cleared = opened(replace(request_for, max_tries=5))
    assert cleared.is_new
    assert cleared.journal.uri != first.journal.uri
    assert cleared.batch.manifest == first.batch.manifest
    first.journal.check()


def test_a_journal_that_must_be_there_is_not_begun_anew(request_for: BatchRequest) -> None:
    with pytest.raises(JournalMissingError) as caught:
        opened(request_for, must_exist=True)
    assert caught.value.billed == "maybe"


def test_one_that_has_lost_records_is_an_error(request_for: BatchRequest) -> None:
    opened(request_for)
    with pytest.raises(JournalError, match="its last parts are missing"):
        opened(request_for, must_exist=True, at_least=7)


@pytest.mark.parametrize(
    "wrong",
    [{"sources": "/no/such/folder/"}, {"destination": "{inbox}/out/"}],
    ids=["sources", "destination"],
)
def test_what_cannot_be_done_leaves_no_journal(
    request_for: BatchRequest, tmp_path: Path, wrong: dict[str, str]
) -> None:
    changes: Any = {name: value.format(inbox=tmp_path / "inbox") for name, value in wrong.items()}
    with pytest.raises(AsposeOcrError) as caught:
        opened(replace(request_for, **changes))
    assert isinstance(caught.value, InputError)
    assert not (tmp_path / "state").exists()


def test_files_in_the_destination_are_asked_about_once_by_the_first_try(
    request_for: BatchRequest, tmp_path: Path
) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "a.png.png").write_bytes(b"a result of nobody knows whom")
    first = opened(request_for)
    refused, sent = first.batch.documents
    assert refused.decided is not None
    assert refused.decided["error"]["class"] == "DestinationError"
    assert sent.decided is None
    (tmp_path / "outbox" / "b.png.png").write_bytes(b"a result of the batch itself")
    assert opened(request_for).batch.documents == first.batch.documents


def test_if_exists_is_the_user_s(request_for: BatchRequest, tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "a.png.png").write_bytes(b"a result")
    skipped, sent = opened(replace(request_for, if_exists="skip")).batch.documents
    assert skipped.decided is not None
    assert (skipped.decided["outcome"], sent.decided) == ("skipped", None)


class TestAfterAClear:
    """A worker was killed before it wrote a manifest, and a user has cleared the task."""

    @pytest.fixture
    def stored(self, request_for: BatchRequest, tmp_path: Path) -> Path:
        first = opened(request_for)
        result = tmp_path / "outbox" / "a.png.png"
        result.parent.mkdir(exist_ok=True)
        result.write_bytes(b"result")
        digest = hashlib.sha256(b"scan").hexdigest()
        source = {
            "uri": f"{tmp_path}/inbox/a.png",
            "qualifier": f"sha256:{digest}",
            "bytes": 4,
            "sha256": digest,
        }
        records: list[Record] = [
            Intent(0, 0),
            Reference(0, 0, "BinarizeImage", "x", 1_700_000_000.0, 4, digest, source),
            Done(0, {"results": [{"type": "ImagePNG", "uri": str(result), "bytes": 6, "sha256": "a" * 64}]}),
        ]
        first.journal.append([record_to_dict(record) for record in records])
        return result

    def cleared(self, request: BatchRequest) -> OpenBatch:
        request = replace(request, max_tries=5)
        superseded = take_over_superseded(request.journal_uri, None)
        return open_batch(request, JournalPlan(request.journal_uri), resumes=False, superseded=superseded)

    def test_a_worker_that_wakes_up_sends_nothing_more(self, request_for: BatchRequest) -> None:
        before = opened(request_for)
        self.cleared(request_for)
        before.journal.append([record_to_dict(Intent(0, 0))])
        with pytest.raises(JournalFencedError, match="Another process has taken over"):
            before.journal.check()

    def test_a_journal_in_another_state_folder_is_found_by_the_tripwire(
        self, request_for: BatchRequest, tmp_path: Path
    ) -> None:
        before = opened(request_for)
        moved = replace(request_for, state=f"{tmp_path}/elsewhere/", max_tries=5)
        (left,) = take_over_superseded(moved.journal_uri, before.journal.uri)
        assert left.batch == before.batch
        with pytest.raises(JournalFencedError):
            before.journal.check()

    @pytest.mark.usefixtures("stored")
    def test_the_batch_knows_its_own_results(self, request_for: BatchRequest) -> None:
        cleared = self.cleared(request_for)
        assert [document.decided for document in cleared.batch.documents] == [None, None]

    @pytest.mark.usefixtures("stored")
    def test_a_journal_that_cannot_be_read_leaves_them_alone(
        self, request_for: BatchRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (header,) = (tmp_path / "state" / "batches").rglob("epochs/*.jsonl")
        header.write_bytes(b"?\n?\n")
        cleared = self.cleared(request_for)
        assert cleared.batch.documents[0].decided is not None
        assert "The journal of the tries before the Clear cannot be read" in caplog.text

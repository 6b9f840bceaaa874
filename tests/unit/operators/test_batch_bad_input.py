"""What a batch refuses: an error that says what to do, before anything is sent, or a row in the manifest."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.batch import parts
from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.documents import sources
from airflow_provider_asposeocr.documents.stored_files import take_content
from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
from tests.support.airflow_tasks import PNG, StateStore, context_for, execute

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

STEP = {"operation": "RecognizeImage", "settings": {"resultType": "Text"}}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).write_bytes(PNG + name.encode())
    return folder


class Refused:
    """A batch that is expected to send nothing."""

    def __init__(self, cloud: EmulatorControl, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.store = StateStore()
        #: What Airflow has made of templates.
        self.rendered: dict[str, Any] = {}

    def run(self, try_number: int = 1, **given: Any) -> Any:
        fields = {
            "sources": f"{self.folder}/inbox/",
            "steps": [STEP],
            "destination": f"{self.folder}/out/",
            **given,
        }
        operator = AsposeOcrBatchOperator(task_id="read", aspose_ocr_conn_id="ocr", **fields)
        for name, value in self.rendered.items():
            setattr(operator, name, value)
        return execute(operator, context_for(operator, store=self.store, try_number=try_number, max_tries=3))

    def says(self, text: str, **given: Any) -> None:
        """Assert the end of a try without another one, the words of its error, and that it has sent and left nothing."""
        with pytest.raises(AirflowFailException, match=text):
            self.run(**given)
        assert not self.cloud.billing()
        assert not self.journals

    @property
    def journals(self) -> list[Path]:
        return sorted(self.folder.rglob("batches/**/*.jsonl"))


@pytest.fixture
def batch(cloud: EmulatorControl, inbox: Path) -> Refused:
    return Refused(cloud, inbox.parent)


def test_an_empty_folder(batch: Refused, inbox: Path) -> None:
    for path in inbox.iterdir():
        path.unlink()
    (inbox / ".unfinished.png").write_bytes(PNG)
    batch.says(rf"There is no document in the folder '{inbox}/' \(files and folders whose name begins with")


def test_ten_thousand_and_one_documents(batch: Refused) -> None:
    many = [f"/data/{number}.png" for number in range(10_001)]
    batch.says(
        r"more than 10000 documents in sources, and one batch takes no more\..*\.expand\(", sources=many
    )


def test_a_list_with_a_broken_line(batch: Refused, tmp_path: Path) -> None:
    lines = [json.dumps({"source": f"{tmp_path}/inbox/a.png"}), '{"source": "/data/b.p', ""]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    text = r"Line 2 of the list of sources '.*list\.jsonl' is no JSON .* begins with .*/data/b\.p.*one JSON object a line"
    batch.says(text, sources=f"{tmp_path}/list.jsonl")


def test_steps_that_do_not_fit(batch: Refused) -> None:
    with pytest.raises(InputError, match="Step 2.*BinarizeImage.*Correct the DAG") as refused:
        batch.run(steps=[STEP, "BinarizeImage"])
    assert refused.value.place == "parse"
    batch.rendered = {"steps": json.dumps([STEP, "BinarizeImage"])}
    batch.says("Step 2.*BinarizeImage.*Correct the DAG or its input", steps="{{ params.steps }}")


def test_a_destination_among_the_sources(batch: Refused, inbox: Path) -> None:
    text = "lies in the folder of the sources.* would take results for sources, for example.*begins with _, which"
    batch.says(text, destination=f"{inbox}/out/")


@pytest.mark.parametrize("cap", ["max_in_flight", "max_unanswered_submits", "max_submits", "max_bytes"])
def test_a_cap_of_nothing(batch: Refused, cap: str) -> None:
    with pytest.raises(ValueError, match=rf"{cap} .*not 0"):
        batch.run(**{cap: 0})


def test_readable_files_are_read_among_others(batch: Refused, cloud: EmulatorControl, inbox: Path) -> None:
    (inbox / "b.png").write_bytes(b"")
    (inbox / "c.png").write_text("these are words")
    (inbox / "d.png").symlink_to(inbox / "nothing")
    summary = batch.run(max_failures=3)
    assert {name: summary[name] for name in ("documents", "succeeded", "failed")} == {
        "documents": 4,
        "succeeded": 1,
        "failed": 3,
    }
    rows = list(read_manifest(summary["manifest"]))
    said = [(row.error.message, row.error.billed) if row.error else None for row in rows]
    assert said[0] is None
    for error, word in zip(
        said[1:], ("is empty", "RecognizeImage reads", "no file|does not exist"), strict=True
    ):
        assert error is not None
        assert re.search(word, error[0]), error
        assert error[1] == "no"
    assert sum(cloud.billing().values()) == 1


@pytest.mark.parametrize("listed", [True, False], ids=["a folder", "a list"])
def test_a_document_that_is_too_large_is_not_copied_to_this_machine(
    batch: Refused, cloud: EmulatorControl, inbox: Path, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    copied: list[str] = []

    def take(path: Any, *given: Any) -> Any:
        copied.append(path.name)
        return take_content(path, *given)

    monkeypatch.setattr(sources, "take_content", take)
    (inbox / "b.png").write_bytes(PNG + b"." * 100)
    given: dict[str, Any] = {} if listed else {"sources": [str(path) for path in sorted(inbox.iterdir())]}
    summary = batch.run(max_failures=1, max_bytes=100, **given)
    assert (summary["succeeded"], summary["failed"]) == (2, 1)
    error = list(read_manifest(summary["manifest"]))[1].error
    assert error is not None
    assert f"'{inbox}/b.png' has 128 bytes, and max_bytes allows 100." in error.message
    assert (error.name, error.billed, error.retryable) == ("SourceContentError", "no", False)
    assert sorted(copied) == ["a.png", "c.png"]
    assert sum(cloud.billing().values()) == 2


def test_a_document_that_has_grown_since_it_was_listed_is_not_sent(
    batch: Refused, cloud: EmulatorControl, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(path: Any, *given: Any) -> Any:
        (inbox / path.name).write_bytes(PNG + b"." * 100)
        return take_content(path, *given)

    monkeypatch.setattr(sources, "take_content", take)
    with pytest.raises(AirflowFailException, match="3 failed.*Errors: 3 SourceContentError"):
        batch.run(max_bytes=100)
    assert not cloud.billing()


def test_a_journal_of_another_version(
    batch: Refused, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.add_faults({"kind": "task_error", "count": 1})
    with monkeypatch.context() as patched:
        patched.setattr(parts, "SCHEMA_VERSION", 99)
        with pytest.raises(Exception, match="1 failed"):  # a retry is left
            batch.run()
    billed, journals = cloud.billing(), batch.journals
    assert journals
    with pytest.raises(
        AirflowFailException,
        match=r"cannot be used: it has the schema version 99, .* reads 1\b.*sent nothing",
    ):
        batch.run(try_number=2)
    assert cloud.billing() == billed


def test_names_that_collide(batch: Refused, inbox: Path) -> None:
    (inbox / "more").mkdir()
    (inbox / "more" / "a.png").write_bytes(PNG)
    text = (
        r"written to one file, '.*/out/a\.txt': '.*inbox/a\.png' and '.*inbox/more/a\.png'\. Use names='path'"
    )
    batch.says(text, names="stem")


def test_a_manifest_that_is_not_ours(batch: Refused, tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"some": "thing"}\n')
    text = r"Line 1 of the manifest '.*other\.jsonl'"
    batch.says(text, sources={"manifest": f"{tmp_path}/other.jsonl", "outcome": "failed"})

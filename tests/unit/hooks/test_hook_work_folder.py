"""The files of a worker that was killed during a submit, and their removal."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.errors import SourceUnreadableError
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
SUBMITS = """
import sys
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook

with AsposeOcrHook("ocr").prepared("RecognizeImage", sys.argv[1]):
    print("prepared", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def submitting(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Return a function that starts a process which has a document on its disk and is about to send it."""
    source = tmp_path / "page.png"
    source.write_bytes(PNG)
    with ExitStack() as stack:

        def start() -> subprocess.Popen[str]:
            command = [sys.executable, "-c", SUBMITS, str(source)]
            process = stack.enter_context(
                subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            assert process.stdout is not None
            assert any("prepared" in line for line in process.stdout)
            return process

        yield start


def documents() -> set[Path]:
    return {path for path in Path(tempfile.gettempdir()).rglob("source") if path.stat().st_size}


def test_a_full_disk_is_named_and_nothing_is_sent(
    tmp_path: Path, cloud_connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.png").write_bytes(PNG)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    with pytest.raises(SourceUnreadableError, match=r"no such folder.*set TMPDIR.*Nothing was billed"):
        AsposeOcrHook(cloud_connection).submit("RecognizeImage", str(tmp_path / "page.png"))


@pytest.mark.process
def test_the_next_submit_removes_the_document_of_a_killed_one_and_no_other(
    tmp_path: Path, cloud_connection: str, submitting: Callable[[], subprocess.Popen[str]]
) -> None:
    living = submitting()
    (of_the_living,) = documents()
    killed = submitting()
    killed.kill()
    killed.wait()
    assert len(documents()) == 2

    with AsposeOcrHook(cloud_connection).prepared("RecognizeImage", str(tmp_path / "page.png")):
        assert len(documents()) == 2
        assert of_the_living in documents()

    assert documents() == {of_the_living}
    living.communicate()
    assert documents() == set()

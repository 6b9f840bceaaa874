"""The example DAG of a batch in ``dag.test()``, with the fixture that users have for their own DAGs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from tests.support.airflow_tasks import PNG

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.server import Emulator
    from airflow_provider_asposeocr.testing.dag_runs import DagRunner

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "example_dags" / "batch_folder.py"
#: The DAG that the README and the page of the batch show to newcomers.
SHOWN = re.compile(r"<!-- file dags/read_scans\.py -->\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def threads_end_with_the_test() -> None:
    """Allow the threads of the API server that ``dag.test()`` starts: they last as long as the process."""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(10):
        (inbox / f"scan-{number}.png").write_bytes(PNG + bytes([number]))
    return {"inbox": f"{inbox}/", "outbox": f"{tmp_path}/outbox/"}


def test_ten_scans_are_read_in_one_task(
    aspose_ocr_run_dag: DagRunner, aspose_ocr_emulator: Emulator, folders: dict[str, str]
) -> None:
    run = aspose_ocr_run_dag(EXAMPLE, conf=folders)
    summary: Any = run.xcom("read")
    assert summary["succeeded"] == 10
    assert sum(aspose_ocr_emulator.control.billing().values()) == 30
    rows = list(read_manifest(summary["manifest"]))
    assert [Path(row.source or "").name for row in rows] == [f"scan-{number}.png" for number in range(10)]
    written = {path.name for path in Path(folders["outbox"]).iterdir() if path.is_file()}
    assert written == {f"scan-{number}.png.{suffix}" for number in range(10) for suffix in ("txt", "pdf")}
    assert not list(Path(folders["outbox"]).rglob("batches/*/*/*.jsonl")), "the journal was left"


def test_a_newcomer_needs_ten_lines(
    aspose_ocr_run_dag: DagRunner, aspose_ocr_emulator: Emulator, folders: dict[str, str], tmp_path: Path
) -> None:
    (shown,) = SHOWN.findall((ROOT / "README.md").read_text())
    assert SHOWN.findall((ROOT / "docs" / "batch.md").read_text()) == [shown]
    assert len([line for line in shown.splitlines() if line]) <= 10
    (tmp_path / "dags").mkdir()
    file = tmp_path / "dags" / "read_scans.py"
    file.write_text(
        shown.replace("/data/scans/", folders["inbox"]).replace("/data/texts/", folders["outbox"])
    )
    run = aspose_ocr_run_dag(file)
    assert run.xcom("read")["succeeded"] == 10
    assert {path.name for path in Path(folders["outbox"]).glob("*.txt")} == {
        f"scan-{number}.png.txt" for number in range(10)
    }
    assert aspose_ocr_emulator.control.billing() == {"RecognizeImage": 10}

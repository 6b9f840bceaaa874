"""The page of each operation is there, is what the table of operations says, and its example runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.api.operations import OPERATIONS, TRIAL_SUFFIX
from tests.contract.samples import write_document
from tools import operation_pages
from tools.operation_texts import ABOUT

if TYPE_CHECKING:
    from pathlib import Path


NAMES = sorted(name for name in OPERATIONS if not name.endswith(TRIAL_SUFFIX))
#: Made once: each making goes through the signatures of all operators.
PAGES = operation_pages.pages()
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_every_operation_has_a_page() -> None:
    assert sorted(ABOUT) == NAMES
    assert {path for path in operation_pages.FOLDER.iterdir()} == set(PAGES)


#: Operations whose result is a picture or a PDF, which no reader makes data of.
MAKES_A_FILE = {"BinarizeImage", "DeskewImage", "DewarpImage", "UpscaleImage", "DjVu2PDF"}


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_has_all_that_belongs_to_it(name: str) -> None:
    # Its example is run below; tests/contract runs over the whole table, and refuses a row without a sample.
    page = (operation_pages.FOLDER / f"{name}.md").read_text("utf-8")
    assert len(EXAMPLE.findall(page)) == 1
    assert bool(operation_pages.readers_of(OPERATIONS[name])) == (name not in MAKES_A_FILE)
    assert hasattr(operators, operation_pages.operator_of(name))
    (row,) = (line for line in operation_pages.index().splitlines() if line.startswith(f"| [{name}]"))
    assert row.count("|") == 6


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_page_is_what_the_table_says(path: Path) -> None:
    assert path.read_text("utf-8") == PAGES[path], "run python -m tools.operation_pages"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs(
    aspose_ocr_run_dag: Any, aspose_ocr_emulator: Any, tmp_path: Path, name: str
) -> None:
    (code,) = EXAMPLE.findall((operation_pages.FOLDER / f"{name}.md").read_text("utf-8"))
    (tmp_path / "dag.py").write_text(code, encoding="utf-8")
    conf = {"source": str(write_document(name, tmp_path)), "outbox": f"{tmp_path}/out/"}
    run = aspose_ocr_run_dag(tmp_path / "dag.py", conf=conf)
    assert run.state == "success"
    assert aspose_ocr_emulator.control.billing() == {name: 1}
    assert run.xcom("fetch")["results"]

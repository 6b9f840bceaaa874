"""
The documentation shows code that runs, and describes everything that a user can set.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.documents.manifest import (
    OUTCOMES,
    DocumentError,
    Manifest,
    StepTask,
    StoredResult,
    parse_manifest,
)
from airflow_provider_asposeocr.get_provider_info import CONFIG, CONN_FIELDS
from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.operators.submit import TASK_KEY
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tools import picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "README.md"
OPERATIONS_INDEX = ROOT / "docs" / "operations" / "README.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
SNIPPET = re.compile(r"<!-- from (\S+): (\w+) -->\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
#: Code in a line: what looks like a link in it, is none.
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def marked_section(file: str, name: str) -> str:
    _, _, rest = read(file).partition(f"# [start {name}]\n")
    section, end, _ = rest.partition(f"# [end {name}]")
    assert end, f"{file} has no section {name!r}"
    return textwrap.dedent(section).strip()


def snippets() -> Iterator[tuple[str, str, str, str]]:
    for document in DOCUMENTS:
        for file, section, shown in SNIPPET.findall(document.read_text(encoding="utf-8")):
            yield document.name, file, section, shown


@functools.cache
def anchors(document: Path) -> frozenset[str]:
    """GitHub's anchors of a document's headings."""
    headings = HEADING.findall(FENCE.sub("", document.read_text(encoding="utf-8")))
    # A link in a heading shows as its text only.
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def relative_links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for link in links_of(document):
            if "://" not in link:
                yield document, link


def links_of(document: Path) -> list[str]:
    return LINK.findall(CODE.sub("", FENCE.sub("", document.read_text(encoding="utf-8"))))


def subclasses(cls: type[errors.AsposeOcrError]) -> set[type[errors.AsposeOcrError]]:
    return {cls}.union(*(subclasses(sub) for sub in cls.__subclasses__()))


def named_parameters(constructor: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(constructor).parameters.values()
    return [
        parameter.name for parameter in parameters if parameter.kind in kinds and parameter.name != "self"
    ]


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a model's JSON."""
    return [field.alias or name for name, field in model.model_fields.items()]


def section_of(document: str, heading: str) -> str:
    """The text under a heading, up to the next one of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", document, re.MULTILINE)
    assert found, f"there is no heading {heading!r}"
    following = re.search(rf"^#{{1,{len(found[1])}}} ", document[found.end() :], re.MULTILINE)
    return document[found.end() :][: following.start() if following else None]


@pytest.mark.parametrize(("document", "file", "section", "shown"), list(snippets()))
def test_a_snippet_is_what_the_example_runs(document: str, file: str, section: str, shown: str) -> None:
    assert shown.strip() == marked_section(file, section), f"{document} shows something else than {file}"


def test_each_flow_has_a_picture_and_its_example() -> None:
    page = read("docs/flows.md")
    flows = re.findall(r"^\| \[(.+?)\]\(#\S+\) \| `(\S+)` \|$", page, re.MULTILINE)
    assert len(flows) >= 8
    for heading, file in flows:
        section = section_of(page, heading)
        assert re.search(r"^```\n[^`<]* -> ", section, re.MULTILINE), f"{heading} has no picture"
        assert f"<!-- from example_dags/{file}: " in section


def test_the_readme_shows_the_chain_and_the_hook() -> None:
    shown = {(file, section) for document, file, section, _ in snippets() if document == "README.md"}
    assert shown >= {("example_dags/chain.py", "chain"), ("example_dags/from_task.py", "hook")}


def _leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = document.parent / path if path else document
    return target.exists() and (not anchor or anchor in anchors(target))


def test_each_relative_link_leads_to_a_file_and_a_heading() -> None:
    links = list(relative_links())
    assert len(links) > 300
    assert [f"{page.name} links to {link}" for page, link in links if not _leads_somewhere(page, link)] == []


def test_the_index_leads_to_every_page() -> None:
    linked = {
        (index.parent / link.partition("#")[0]).resolve()
        for index in (INDEX, OPERATIONS_INDEX)
        for link in links_of(index)
    }
    assert sorted({*DOCUMENTS} - {INDEX} - linked) == []


def test_the_readme_leads_to_the_index_and_the_changelog() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links_of(ROOT / "README.md")}
    assert {INDEX, ROOT / "CHANGELOG.md", ROOT / "LICENSE"} <= linked


def test_the_picture_shows_the_measured_figures() -> None:
    figures = picture.read_figures(picture.FIGURES.read_text(encoding="utf-8"))
    assert picture.PICTURE.read_text(encoding="utf-8") == picture.draw(figures), "run python tools/picture.py"


def test_the_readme_tells_the_measured_figures() -> None:
    figures = picture.read_figures(picture.FIGURES.read_text(encoding="utf-8"))
    row = next(line for line in read("README.md").splitlines() if line.startswith("| **Worker slots**"))
    deferrable, pipelined = f"{figures.deferrable:.0f} s deferrable", f"{figures.pipelined:.0f} s pipelined"
    assert f"| {figures.sdk:.0f} s:" in row
    assert f"{deferrable}, {pipelined}" in row


@pytest.mark.parametrize("cls", sorted(subclasses(errors.AsposeOcrError), key=repr))
def test_every_error_is_in_the_table_of_failures(cls: type[errors.AsposeOcrError]) -> None:
    if not cls.__module__.startswith(errors.__name__):
        pytest.skip("made by another test")
    assert f"`{cls.__name__}`" in read("docs/failures.md")


@pytest.mark.parametrize(
    ("heading", "constructor"),
    [
        ("Submit operators", operators.AsposeOcrSubmitOperator.__init__),
        ("Submit operators", operators.AsposeOcrRecognizeRegionsOperator.__init__),
        ("AsposeOcrFetchResultOperator", operators.AsposeOcrFetchResultOperator.__init__),
        ("AsposeOcrTaskSensor", AsposeOcrTaskSensor.__init__),
    ],
)
def test_every_parameter_is_documented(heading: str, constructor: Callable[..., Any]) -> None:
    names = named_parameters(constructor)
    section = section_of(read("docs/operators.md"), heading)
    missing = [name for name in names if f"\n| `{name}` |" not in section]
    assert names
    assert not missing


def test_every_parameter_of_a_batch_is_documented() -> None:
    section = section_of(read("docs/batch.md"), "Parameters")
    names = named_parameters(operators.AsposeOcrBatchOperator.__init__)
    assert [name for name in names if f"\n| `{name}` |" not in section] == []


def test_the_defaults_of_a_batch_are_those_of_its_page() -> None:
    section = section_of(read("docs/batch.md"), "Parameters")
    shown = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section, re.MULTILINE))
    parameters = inspect.signature(operators.AsposeOcrBatchOperator.__init__).parameters
    for name, parameter in parameters.items():
        # A name in words is what the default means; so is a default that comes from Airflow's configuration.
        if name not in shown or (parameter.default is None and not shown[name].startswith("`None`")):
            continue
        if parameter.default is inspect.Parameter.empty:
            assert shown[name] == "required", name
        elif name != "deferrable":
            said = shown[name].strip("`").replace(",", "")
            default = parameter.default
            expected = (
                f'"{default}"'
                if isinstance(default, str)
                else f"{default:g}"
                if isinstance(default, float)
                else default
            )
            assert said == (default if name == "aspose_ocr_conn_id" else str(expected)), name


@pytest.mark.parametrize(
    ("heading", "constructor"),
    [
        ("The inbox", AsposeOcrInbox.__init__),
        ("The plan", operators.AsposeOcrPlanInboxOperator.__init__),
    ],
)
def test_every_parameter_of_an_inbox_is_documented(heading: str, constructor: Callable[..., Any]) -> None:
    section = section_of(read("docs/ingestion.md"), heading)
    assert [name for name in named_parameters(constructor) if f"\n| `{name}` |" not in section] == []


def test_every_operator_and_operation_is_documented() -> None:
    document = read("docs/operators.md")
    names = [*operators.__all__, *(name for name in OPERATIONS if not name.endswith("Trial"))]
    assert not [name for name in names if name not in document]


def test_every_setting_is_documented_where_it_applies() -> None:
    rows = section_of(read("docs/operators.md"), "Settings")
    settings = set[str]().union(*(operation.settings for operation in OPERATIONS.values()))
    assert not [name for name in settings if f"`{name}`" not in rows]


def test_every_key_of_a_task_reference_is_documented() -> None:
    section = section_of(read("docs/operators.md"), "XCom")
    assert not [name for name in (*TaskRef.model_fields, TASK_KEY) if f"`{name}`" not in section]


def test_the_table_of_the_manifest_has_the_keys_of_a_manifest() -> None:
    _, _, section = section_of(read("docs/operators.md"), "XCom").partition("**Manifest**")
    first_cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    documented = [key for cell in first_cells for key in re.findall(r"`([^`]+)`", cell)]
    rows = section_of(read("docs/batch.md"), "The manifest").partition("### Outcomes")[0]
    documented += re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE)
    assert sorted(documented) == sorted(
        [
            *keys_of(Manifest),
            *(f"results[].{key}" for key in keys_of(StoredResult)),
            *(f"steps[].{key}" for key in keys_of(StepTask)),
            *(f"error.{key}" for key in keys_of(DocumentError)),
        ]
    )


def test_every_outcome_is_documented() -> None:
    rows = section_of(read("docs/batch.md"), "Outcomes")
    assert re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE) == list(OUTCOMES)


def test_the_manifest_that_the_documents_show_is_one() -> None:
    _, _, section = section_of(read("docs/operators.md"), "XCom").partition("**Manifest**")
    shown = json.loads(section.partition("```json\n")[2].partition("```")[0])
    assert parse_manifest(shown).to_dict() == shown


def test_every_field_of_the_connection_is_documented() -> None:
    document = read("docs/connection.md")
    assert not [name for name in CONN_FIELDS if f"\n| `{name}` |" not in document]


def test_every_option_of_the_configuration_is_documented_with_its_default() -> None:
    readme = read("README.md")
    options = CONFIG["aspose_ocr"]["options"]
    assert not [
        name for name, option in options.items() if f"\n| `{name}` | {option['default']} |" not in readme
    ]


def test_what_the_docs_and_examples_import_is_public() -> None:
    public = section_of(read("docs/stability.md"), "Public")
    pages = [*DOCUMENTS, *sorted((ROOT / "example_dags").glob("*.py"))]
    imported = {
        module
        for page in pages
        for module in re.findall(
            r"^ *from airflow_provider_asposeocr\.(\S+) import", page.read_text("utf-8"), re.MULTILINE
        )
    }
    assert len(imported) > 5
    assert sorted(module for module in imported if f"`{module}" not in public) == []


def test_the_phrases_that_are_kept_for_searching_are_in_the_code() -> None:
    kept = section_of(read("docs/stability.md"), "Not public").partition("Three phrases")[2].partition(".")[0]
    phrases = re.findall(r'"([^"]+)"', kept)
    code = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "airflow_provider_asposeocr").rglob("*.py")
    )
    assert len(phrases) == 3
    assert [phrase for phrase in phrases if phrase not in re.sub(r'"\s+f?"', "", code)] == []

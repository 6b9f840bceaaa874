"""
Write the page of each operation, docs/operations/*.md, from the table of operations and from :mod:`.operation_texts`.

Run `python -m tools.operation_pages` after a change of either. A test compares the pages with what this program would write.
"""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.files.filetypes import suffix_for
from airflow_provider_asposeocr.api.operations import IMAGES, OPERATIONS, TRIAL_SUFFIX, Operation
from airflow_provider_asposeocr.api.results.reading import READERS
from airflow_provider_asposeocr.batch.steps import parse_steps
from tools.operation_texts import ABOUT, About

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / "docs" / "operations"
EXAMPLES = CHECKOUT / "example_dags"
#: Operators whose names are not those of their operations.
_OPERATORS = {"DjVu2PDF": "AsposeOcrDjVuToPdfOperator"}
#: Setting that says which results an operation with a choice makes; ``resultType`` where none is named.
_TYPE_SETTINGS = {"RecognizeTable": "resultTypeTable"}
_TABLE_RESULTS = ("Text", "Csv", "Excel", "CsvAndExcel")

_PRICE = (
    "The vendor counts calls, whatever the size of a document; whether polls count is not documented. The provider submits"
    " a document once per task, see [what a retry does](../failures.md#first-what-a-retry-does)."
)


def operator_of(name: str) -> str:
    """
    Return the name of an operation's operator.

    :param name: Name of the operation.
    """
    found = _OPERATORS.get(name, f"AsposeOcr{name}Operator")
    if found not in operators.__all__:
        raise ValueError(f"{name} has no operator")
    return found


def page_of(name: str) -> str:
    """
    Return the page of an operation.

    :param name: Name of the operation.
    """
    row, about = OPERATIONS[name], ABOUT[name]
    parts = [
        f"# {name}",
        about.does,
        "| | |\n|---|---|\n" + "\n".join(f"| {left} | {right} |" for left, right in _rows(row, about)),
        "## What comes out\n\n" + about.makes,
        "## Example\n\n```python\n" + example_of(name) + "```",
    ]
    if about.unknown:
        parts.append(
            "## What the vendor does not document\n\n" + "\n".join(f"- {each}" for each in about.unknown)
        )
    parts.append(
        "[All operations](README.md) · [parameters of the operators](../operators.md#parameters-of-asposeocrsubmitoperator)"
        " · [what a failure costs](../failures.md)"
    )
    return "\n\n".join(parts) + "\n"


def _rows(row: Operation, about: About) -> list[tuple[str, str]]:
    suffixes = _suffixes(row)
    return [
        ("operator", f"`{operator_of(row.name)}`"),
        ("path", f"`{row.path}`"),
        ("reads", _reads(row)),
        ("settings", ", ".join(f"`{name}`" for name in sorted(row.settings, key=str.lower)) or "none"),
        ("required", ", ".join(f"`{name}`" for name in sorted(row.required_settings)) or "no setting"),
        *([("results", _results(row))] if _results(row) else []),
        ("files", ", ".join(f"`{suffix}`" for suffix in suffixes)),
        ("reader", _readers(row)),
        ("in a batch, after it", _followers(row.name)),
        ("evaluation mode", f"`{row.trial}`" if row.trial else "not available"),
        (
            "price",
            _PRICE,
        ),
    ]


def _reads(row: Operation) -> str:
    if row.sends_text:
        return "a text file in UTF-8 of at most 1 MiB"
    images = ", ".join(kind.upper() for kind in sorted(IMAGES))
    others = [kind for kind in sorted(row.input_types - IMAGES)]
    names = {"pdf": "PDF", "djvu": "DjVu"}
    return ", ".join([*([images] if row.input_types >= IMAGES else []), *(names[kind] for kind in others)])


def _results(row: Operation) -> str:
    table = (
        f"`resultTypeTable`: {', '.join(f'`{each}`' for each in _TABLE_RESULTS)}"
        if row.name in _TYPE_SETTINGS
        else ""
    )
    types = ", ".join(f"`{each}`" for each in row.result_types)
    plain = f"`resultType`: {types}" if types and "resultType" in row.settings else ""
    return "; ".join(filter(None, (table, plain)))


def _readers(row: Operation) -> str:
    """Say which readers read the operation's results; docs/results.md describes them."""
    names = ", ".join(f"`{name}`" for name in readers_of(row))
    return f"{names}, see [results as data](../results.md)" if names else "none: the result is a file"


def readers_of(row: Operation) -> list[str]:
    """
    Return the readers of an operation's results.

    :param row: The operation.
    :return: Names of the readers; none of an operation that makes pictures or a PDF.
    """
    parts = {part for word in (*row.result_types, *_TABLE_RESULTS) for part in word.split("And")}
    types = {"DetectRegions": {"Other"}, "RecognizeTable": parts, "ConvertTextToSpeech": {"WavFile"}}.get(
        row.name, {part for word in row.result_types or ("Text",) for part in word.split("And")}
    )
    return [
        name.upper()
        for name, reader in READERS.items()
        if any(reader.choose(row.name, [word], lambda word: word) for word in types)
    ]


def _suffixes(row: Operation) -> list[str]:
    if row.result_suffix:
        return [row.result_suffix]
    words = [*row.result_types, *(_TABLE_RESULTS if row.name in _TYPE_SETTINGS else ())]
    parts = {part for word in words for part in word.split("And")}
    return sorted({suffix_for(row, part, b"") for part in parts} or {".txt"})


def _followers(name: str) -> str:
    """Return which operations may follow in a batch, with the setting that it takes."""
    row = OPERATIONS[name]
    setting = _TYPE_SETTINGS.get(name, "resultType")
    choices = _TABLE_RESULTS if name in _TYPE_SETTINGS else row.result_types
    required = {"language": "English", "resultType": "Wav"} if row.required_settings else {}
    choosable = setting in row.settings and not required
    found: dict[str, list[str]] = {}
    for after in OPERATIONS:
        if after.endswith(TRIAL_SUFFIX):
            continue
        for choice in choices if choosable else ("",):
            settings: dict[str, object] = {**required, **({setting: choice} if choice else {})}
            if name == "RecognizeRegions":
                settings["regions"] = [[0, 0, 1, 1]]
            if _fits(name, settings, after):
                found.setdefault(after, []).append(choice)
    if not found:
        return "nothing"
    if set(found) == {
        each
        for each in OPERATIONS
        if "png" in OPERATIONS[each].input_types and not each.endswith(TRIAL_SUFFIX)
    }:
        return "any operation that reads images"
    return ", ".join(
        f"`{after}`"
        + (f" (with `{setting}` {' or '.join(f'`{each}`' for each in chosen)})" if chosen[0] else "")
        for after, chosen in found.items()
    )


def _fits(name: str, settings: dict[str, object], after: str) -> bool:
    try:
        parse_steps([{"operation": name, "settings": settings}, {"operation": after}], rendered=False)
    except InputError:
        return False
    return True


def example_of(name: str) -> str:
    """
    Return the example of an operation.

    :param name: Name of the operation.
    """
    about, operator = ABOUT[name], operator_of(name)
    settings = f"\n        settings={about.settings}," if about.settings else ""
    more = f"\n        {about.more}" if about.more else ""
    return (
        "from airflow.sdk import DAG\n\n"
        f"from airflow_provider_asposeocr import AsposeOcrFetchResultOperator, {operator}\n\n"
        f'with DAG("{name.lower()}", params={{"source": "{_source(name)}", "outbox": "s3://results/"}}):\n'
        f"    run = {operator}(\n"
        '        task_id="run",\n'
        f'        source="{{{{ params.source }}}}",{settings}{more}\n'
        "        deferrable=True,\n"
        "    )\n"
        "    fetch = AsposeOcrFetchResultOperator(\n"
        '        task_id="fetch", task=run.output, destination="{{ params.outbox }}", deferrable=True\n'
        "    )\n"
    )


def _source(name: str) -> str:
    kinds = OPERATIONS[name].input_types
    if "png" in kinds:
        return "s3://scans/page.png"
    return {"pdf": "s3://scans/report.pdf", "djvu": "s3://scans/book.djvu", "text": "s3://texts/page.txt"}[
        next(iter(kinds))
    ]


@functools.cache
def _words_of(example: Path) -> frozenset[str]:
    """Return the names that an example imports, and its texts: a step of a batch is a text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(example.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return frozenset(found)


def example_dags_of(name: str) -> list[str]:
    """
    Return the example DAGs that use an operation.

    :param name: Name of the operation.
    :return: Names of files in ``example_dags``, beside the example on the operation's own page.
    """
    wanted = {name, operator_of(name)}
    return [path.name for path in sorted(EXAMPLES.glob("*.py")) if wanted & _words_of(path)]


def _row_of(name: str, about: About) -> str:
    readers = ", ".join(f"`{reader}`" for reader in readers_of(OPERATIONS[name])) or "none: a file"
    dags = ", ".join(f"[{file}](../../example_dags/{file})" for file in example_dags_of(name))
    return f"| [{name}]({name}.md) | `{operator_of(name)}` | {about.does} | {readers} | {dags} |"


def index() -> str:
    """Return the page that lists all operations."""
    rows = "\n".join(_row_of(name, about) for name, about in ABOUT.items())
    return (
        "# The operations\n\n"
        "A page for each of the cloud's fifteen operations, made from the provider's own table by"
        " `tools/operation_pages.py`.\n\n"
        "The page of each has an example that runs in the tests. The vendor's SDK, versions 24.8.0 and 24.11.0, calls each"
        " operation of the emulator in the tests, and the provider sends what the SDK sends.\n\n"
        "| operation | operator | what it does | [reader](../results.md) | more examples |\n|---|---|---|---|---|\n"
        + rows
        + "\n\n"
        "[AsposeOcrSubmitOperator](../operators.md#submit-operators) runs each of them, and also"
        " [operations that this version does not know](../operators.md#an-operation-that-this-version-does-not-know).\n"
    )


def pages() -> dict[Path, str]:
    """Return all pages, by their path."""
    return {FOLDER / "README.md": index(), **{FOLDER / f"{name}.md": page_of(name) for name in ABOUT}}


def main() -> int:
    """Write the pages; returns the exit code."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

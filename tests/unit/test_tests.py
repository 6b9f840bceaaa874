"""Where helpers of the tests are: in ``tests/support/``, so that each test module can be read and moved by itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
MODULES = sorted(TESTS.rglob("*.py"))


def imported_modules(source: str) -> set[str]:
    """Return the last part of each module's name that a source imports, or imports from, anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.rpartition(".")[2] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").rpartition(".")[2])
            if (node.module or "").partition(".")[0] == "tests":
                found |= {
                    alias.name for alias in node.names
                }  # A folder's module, or a name that no module has.
    return found


def is_for_pytest_alone(module: str) -> bool:
    return module == "conftest" or module.startswith("test_")


@pytest.mark.parametrize(
    "source",
    [
        "import test_hook",
        "import tests.airflow.test_chain",
        "from test_hook import page",
        "from tests.airflow.test_chain import watched",
        "from tests.airflow import test_chain",
        "from tests.airflow.conftest import Stack",
        "def inside():\n    from test_hook import page",
    ],
)
def test_an_import_from_a_test_module_is_seen(source: str) -> None:
    assert [module for module in imported_modules(source) if is_for_pytest_alone(module)]


@pytest.mark.slow
def test_no_module_imports_from_a_test_module() -> None:
    assert len(MODULES) > 100
    offenders = [
        f"{path.relative_to(TESTS)} imports {module}"
        for path in MODULES
        for module in sorted(imported_modules(path.read_text()))
        if is_for_pytest_alone(module)
    ]
    assert offenders == []


@pytest.mark.parametrize("folder", ["unit", "properties"])
def test_helpers_are_in_the_folder_for_them(folder: str) -> None:
    names = {path.relative_to(TESTS).as_posix() for path in (TESTS / folder).rglob("*.py")}
    assert {name for name in names if not is_for_pytest_alone(Path(name).stem)} == set()


def test_names_of_test_modules_are_unique() -> None:
    """Pytest imports a test module by its bare name, so that two of one name cannot be collected together."""
    names = [path.name for path in MODULES if path.name.startswith("test_")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []

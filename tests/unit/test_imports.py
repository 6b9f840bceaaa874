"""
The folders of the package: which module may import which, and what an import costs.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_asposeocr as package

ROOT = Path(package.__file__).parent
NAME = package.__name__

#: Each room may import those that stand before it (and itself), and nothing after it. docs/design.md lists them, too.
ORDER = (
    ("__init__", "get_provider_info"),
    ("api",),
    ("compat", "config", "parameters"),
    ("connection", "clients", "failing", "links", "metrics", "retry_policy"),
    ("documents",),
    ("previews",),
    ("assets", "lineage"),
    ("lifecycle",),
    ("ingestion",),
    ("batch",),
    ("triggers",),
    ("hooks",),
    ("operators",),
    ("sensors",),
    ("viewer",),
    ("plugin",),
    ("testing",),
)
#: The same within a room.
ORDER_WITHIN = {
    "api": (
        ("enums", "operations", "printable", "templates"),
        ("errors",),
        ("base_url", "languages"),
        ("account", "responses", "settings"),
        ("auth", "files", "tasks"),
        ("http", "operation_lookup"),
        ("polling",),
        ("client",),
        ("async_client",),
        ("results",),
    ),
    "documents": (
        ("blocks", "file_systems", "manifest"),
        ("atomic_create", "folders", "uris", "versions"),
        ("folder_pages", "owners", "source_errors", "storage_errors", "stored_files"),
        ("destinations", "json_lines", "read_results"),
        ("sources",),
    ),
    "lifecycle": (
        ("cancel", "event", "identity", "kills", "policies", "wait_plan"),
        ("record", "worker_kill"),
        ("store",),
        ("submit", "wait"),
    ),
}
#: The other side of the wire shares these with the client, and nothing else.
SHARED = {
    f"{NAME}.__version__",
    f"{NAME}.api.operations",
    f"{NAME}.api.enums",
    f"{NAME}.api.files.contents",
    f"{NAME}.api.files.file_kinds",
}
#: Empty packages that come with them.
SHARED_PACKAGES = {NAME, f"{NAME}.api", f"{NAME}.api.files"}
#: What a module of the client may need: the standard library and these.
CLIENT_NEEDS = {"pydantic", "requests", "urllib3", "aiohttp"}

MODULES = sorted(
    ".".join((NAME, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)


def _path(module: str) -> Path:
    parts = module.split(".")[1:]
    folder = ROOT.joinpath(*parts)
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text())


@functools.cache
def _imported(module: str) -> frozenset[str]:
    """All names that a module imports anywhere, as far down as they are modules."""
    found: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if node.module == NAME and alias.name in package._PUBLIC:
                    full = f"{NAME}.{package._PUBLIC[alias.name]}"  # The package only exports the name.
                found.add(full if full in MODULES or full == f"{NAME}.__version__" else node.module or "")
    return frozenset(found)


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def _rank(room: str, order: tuple[tuple[str, ...], ...] = ORDER) -> int:
    return next(rank for rank, rooms in enumerate(order) if room in rooms)


CLIENT_SIDE = [module for module in MODULES if _room(module) != "emulator"]
EMULATOR = [module for module in MODULES if _room(module) == "emulator"]


def test_the_house_has_all_its_rooms() -> None:
    known = {room for rooms in ORDER for room in rooms} | {"emulator"}
    assert {_room(module) for module in MODULES} == known
    assert len(EMULATOR) > 10


def test_the_design_lists_the_rooms_in_this_order() -> None:
    text = (ROOT.parent / "docs" / "design.md").read_text()
    table = text.partition("| rooms, from the top |")[2].partition("\n\n")[0].splitlines()[2:]
    listed = [tuple(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table]
    assert listed == [tuple(room for room in rooms if room != "__init__") for rooms in reversed(ORDER)]


@pytest.mark.parametrize(
    "room", ["batch", "documents", "ingestion", "lifecycle", "previews", "triggers", "viewer"]
)
def test_the_design_says_what_each_module_of_a_room_is_for(room: str) -> None:
    text = (ROOT.parent / "docs" / "design.md").read_text().partition("## The rooms")[2]
    parts = text.partition("### The room `batch`")
    (row,) = re.findall(rf"^\| `{room}` \|.*$", parts[0], re.MULTILINE)
    said = parts[2].partition("\n\nA module")[0] if room == "batch" else row
    modules = [path.stem for path in (ROOT / room).glob("[!_]*.py")]
    assert sorted(name for name in modules if f"`{name}`" not in said) == []


def _imports(modules: list[str]) -> list[tuple[str, str]]:
    """All imports of some modules, as pairs."""
    return [(module, imported) for module in modules for imported in _imported(module)]


def test_arrows_point_down_only() -> None:
    for module, imported in _imports(CLIENT_SIDE):
        own = _room(module)
        if imported.split(".")[0] != NAME:
            continue
        room = "__init__" if imported == f"{NAME}.__version__" else _room(imported)
        if room == "emulator" and own == "testing":  # ``testing`` connects the client with the emulator.
            continue
        assert room != "emulator", f"{module} imports {imported}"
        # No module imports a program.
        is_program = module.endswith(".__main__")
        assert is_program or room == own or _rank(room) < _rank(own), f"{module} imports {imported}"


def test_no_module_imports_a_program() -> None:
    for module in MODULES:
        assert not any(imported.endswith(".__main__") for imported in _imported(module)), module


@pytest.mark.parametrize("room", ORDER_WITHIN)
def test_arrows_within_a_room_point_down_only(room: str) -> None:
    order = ORDER_WITHIN[room]
    modules = [module for module in MODULES if _room(module) == room and module != f"{NAME}.{room}"]
    assert {module.split(".")[2] for module in modules} == {part for parts in order for part in parts}
    for module in modules:
        own = module.split(".")[2]
        for imported in _imported(module):
            if imported not in modules:
                continue
            part = imported.split(".")[2]
            assert part == own or _rank(part, order) < _rank(own, order), f"{module} imports {imported}"


def test_the_client_needs_no_airflow() -> None:
    for module, imported in _imports([module for module in MODULES if _room(module) == "api"]):
        top = imported.split(".")[0]
        if top == NAME:
            assert _room(imported) == "api", f"{module} imports {imported}"
        else:
            assert top in sys.stdlib_module_names or top in CLIENT_NEEDS, f"{module} imports {imported}"


def test_the_emulator_shares_the_vocabulary_only() -> None:
    for module, imported in _imports(EMULATOR):
        top = imported.split(".")[0]
        assert top != "airflow", f"{module} imports {imported}"
        if top == NAME:
            assert imported in SHARED or _room(imported) == "emulator", f"{module} imports {imported}"


#: Where texts name modules: code, pages, and the files that build and check.
TEXTS = [
    *(
        ROOT.parent / name
        for name in ("Makefile", "pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")
    ),
    *(
        path
        for folder in (NAME, "tests", "demo", "example_dags", "docs", "tools")
        for path in (ROOT.parent / folder).rglob("*")
        if path.suffix in (".py", ".md")
    ),
]


def _leads_somewhere(dotted: str) -> bool:
    """Whether a name is a module, or stands in the source of the module that it begins with."""
    module = dotted
    while module not in MODULES:
        module = module.rpartition(".")[0]
    name = dotted.removeprefix(module).strip(".").partition(".")[0]
    return not name or re.search(rf"\b{name}\b", _path(module).read_text()) is not None


def _names(text: str) -> list[str]:
    """All dotted names of the package in a text, and what it imports from the package in one line."""
    found = re.findall(rf"\b{NAME}(?:\.\w+)+", text)
    for module, names in re.findall(rf"\bfrom ({NAME}[.\w]*) import (\w+(?:, \w+)*)", text):
        found += [f"{module}.{name}" for name in names.split(", ")]
    return found


def test_every_dotted_name_leads_to_a_module() -> None:
    """A module that has moved is named in docs and strings, too, which no import checks."""
    lost = [
        f"{path.relative_to(ROOT.parent)} names {dotted}"
        for path in TEXTS
        for dotted in _names(path.read_text())
        if not dotted.endswith(".no_such_module") and not _leads_somewhere(dotted)
    ]
    assert lost == []


def test_every_path_of_a_module_exists() -> None:
    lost = [
        f"{path.relative_to(ROOT.parent)} names {named}"
        for path in TEXTS
        for named in re.findall(rf"\b{NAME}/[\w/]+\.py\b", path.read_text())
        if not (ROOT.parent / named).exists()
    ]
    assert lost == []


def test_every_reference_of_a_docstring_to_a_module_leads_there() -> None:
    lost = [
        f"{module} names {named}"
        for module in MODULES
        for named in re.findall(r":mod:`\.+([\w.]+)`", _path(module).read_text())
        if not any(other.endswith(f".{named}") for other in MODULES)
    ]
    assert lost == []


def _loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after a statement and had not before."""
    script = f"import sys, json; before = set(sys.modules)\n{statement}\nprint(json.dumps(list(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=120)
    return set(json.loads(done.stdout))


@pytest.mark.process
@pytest.mark.parametrize(
    "statement",
    [
        f"import {NAME}",
        f"from {NAME} import __version__",
        f"from {NAME}.get_provider_info import get_provider_info; get_provider_info()",
        f"import {NAME}.api.operations, {NAME}.api.enums",
    ],
)
def test_what_every_component_imports_is_light(statement: str) -> None:
    loaded = {module.split(".")[0] for module in _loaded_by(statement)}
    assert loaded - set(sys.stdlib_module_names) - {NAME} == set()


#: What an import of the operators loads beside the provider, after what every DAG has loaded. Of Airflow by module: some
#: of them load half of Airflow.
OPERATORS_NEED = {NAME, "pydantic"}
AIRFLOW_MODULES_NEEDED = {
    "airflow.sdk.bases.hook",
    "airflow.sdk.bases.operatorlink",
    "airflow.sdk.bases.sensor",
    # The base of triggers; with it come names that have moved, which are no files.
    "airflow.triggers",
    "airflow.triggers.base",
    "airflow.triggers.external_task",
    "airflow.triggers.file",
    "airflow.triggers.temporal",
    # Airflow 3.1, where every DAG loads the base of triggers.
    "airflow.sdk.definitions.xcom_arg",
    "airflow.sdk.execution_time.lazy_sequence",
}


@pytest.mark.process
def test_parsing_a_dag_imports_nothing_that_airflow_does_not() -> None:
    """The DAG processor imports the operators for every file that it parses; the HTTP clients are most of the cost."""
    loaded = _loaded_by(
        f"from airflow.sdk import BaseOperator; before = set(sys.modules); "
        f"from {NAME}.operators import *; import {NAME}.sensors.aspose_ocr"
    )
    of_airflow = {module for module in loaded if module.split(".")[0] == "airflow"}
    assert of_airflow - AIRFLOW_MODULES_NEEDED == set()
    tops = {module.split(".")[0] for module in loaded - of_airflow} - set(sys.stdlib_module_names)
    assert tops - OPERATORS_NEED == set()
    assert {f"{NAME}.operators.submit", f"{NAME}.operators.batch"} <= loaded


#: Modules of ours that a DAG with only a sensor loads, with one to spare.
MOST_MODULES_OF_A_SENSOR = 51


@pytest.mark.process
@pytest.mark.parametrize(
    "statement",
    [
        f"import {NAME}.sensors.aspose_ocr",
        f"from {NAME} import AsposeOcrTaskSensor, AsposeOcrRecognizeImageOperator",
        f"from {NAME}.operators import AsposeOcrSubmitOperator, AsposeOcrFetchResultOperator",
    ],
)
def test_a_dag_without_a_batch_does_not_load_what_a_batch_needs(statement: str) -> None:
    """They are three fifths of the time that the import of all operators takes."""
    ours = {module.removeprefix(f"{NAME}.") for module in _loaded_by(statement) if _is_ours(module)}
    assert "operators.waiting" in ours
    assert {module for module in ours if "batch" in module} == set()


@pytest.mark.process
def test_a_dag_with_only_a_sensor_loads_nothing_that_sends_or_stores() -> None:
    """The worker loads the client, and the triggerer the trigger: together they are half of our modules of a sensor."""
    ours = {
        module.removeprefix(f"{NAME}.")
        for module in _loaded_by(f"import {NAME}.sensors.aspose_ocr")
        if _is_ours(module)
    }
    assert "operators.waiting" in ours
    assert not {module.split(".")[0] for module in ours} & {"clients", "documents", "hooks", "triggers"}
    assert len(ours) <= MOST_MODULES_OF_A_SENSOR, sorted(ours)


@pytest.mark.process
def test_a_worker_imports_its_own_http_library_only() -> None:
    loaded = _loaded_by(
        f"from {NAME}.api.account import Account; from {NAME}.api.client import CloudClient; "
        "CloudClient(Account('id', 'secret'))"
    )
    tops = {module.split(".")[0] for module in loaded}
    assert "requests" in tops
    assert "aiohttp" not in tops


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == NAME


@pytest.mark.process
def test_the_triggers_load_nothing_that_submits_or_stores() -> None:
    """A triggerer only asks for the status and cancels."""
    loaded = _loaded_by(f"import {NAME}.triggers.task, {NAME}.triggers.start, {NAME}.triggers.batch")
    ours = {module.removeprefix(f"{NAME}.") for module in loaded if _is_ours(module)}
    assert "triggers.task" in ours
    assert not {module.split(".")[0] for module in ours} & {"hooks", "documents", "operators"}
    assert not ours & {"lifecycle.store", "lifecycle.submit"}
    assert {module for module in ours if module.startswith("batch.")} == {
        "batch.cancels",
        "batch.polls",
        "batch.running",
        "batch.woken",
    }


@pytest.mark.process
def test_the_watcher_of_an_inbox_loads_nothing_that_submits_or_stores() -> None:
    """The DAG processor loads it with every DAG that names the asset of an inbox."""
    loaded = _loaded_by(f"import {NAME}.triggers.inbox")
    ours = {module.removeprefix(f"{NAME}.") for module in loaded if _is_ours(module)}
    assert "triggers.inbox" in ours
    assert not {module.split(".")[0] for module in ours} & {
        "hooks",
        "operators",
        "batch",
        "lifecycle",
        "clients",
    }
    assert not ours & {"documents.stored_files", "documents.folder_pages", "ingestion.inbox_files"}
    assert not {module.split(".")[0] for module in loaded} & {"requests", "aiohttp"}


@pytest.mark.process
def test_the_client_loads_no_airflow() -> None:
    loaded = _loaded_by(f"import {NAME}.api.client, {NAME}.api.async_client, {NAME}.api.results.download")
    assert "airflow" not in {module.split(".")[0] for module in loaded}


PYTEST_PLUGINS = sorted(
    entry.value for entry in importlib.metadata.entry_points(group="pytest11") if entry.value.startswith(NAME)
)


def test_the_pytest_plugins_are_installed() -> None:
    assert PYTEST_PLUGINS == [f"{NAME}.emulator.pytest_plugin", f"{NAME}.testing.pytest_plugin"]


@pytest.mark.process
@pytest.mark.parametrize("plugin", PYTEST_PLUGINS)
def test_a_pytest_plugin_loads_nothing_but_itself(plugin: str) -> None:
    """Pytest loads it in every run of everyone who has the package installed."""
    loaded = _loaded_by(f"import pytest; import {plugin}")
    assert {module for module in loaded if _is_ours(module)} == {NAME, plugin.rpartition(".")[0], plugin}
    tops = {module.split(".")[0] for module in loaded}
    assert not tops & {"uvicorn", "fastapi", "airflow", "pydantic", "requests", "sqlalchemy"}


@pytest.mark.process
def test_the_emulator_runs_without_pytest() -> None:
    modules = ", ".join(module for module in EMULATOR if not module.endswith(".pytest_plugin"))
    loaded = _loaded_by(f"sys.modules['pytest'] = None; import {modules}")
    assert set(modules.split(", ")) <= loaded
    ours = {module for module in loaded if _is_ours(module) and _room(module) != "emulator"}
    assert ours == SHARED_PACKAGES | SHARED - {f"{NAME}.__version__"}
    assert "airflow" not in loaded


@pytest.mark.parametrize("name", package.__all__)
def test_an_exported_name_resolves(name: str) -> None:
    assert getattr(package, name) is getattr(package, name)
    if name in package._PUBLIC:
        assert getattr(package, name).__name__ == name


def test_every_public_class_is_exported() -> None:
    public = {
        "AsposeOcrHook",
        "AsposeOcrInbox",
        "AsposeOcrRetryPolicy",
        "AsposeOcrTaskSensor",
        "AsposeOcrTaskTrigger",
        "Operation",
        "read_manifest",
    }
    operators = importlib.import_module(f"{NAME}.operators")
    defined = {
        name
        for module in MODULES
        if module.startswith(f"{NAME}.operators.")
        for name, value in vars(importlib.import_module(module)).items()
        if name.startswith("AsposeOcr") and value.__module__ == module
    }
    assert defined == set(operators.__all__)
    assert public | defined == set(package._PUBLIC)


def test_the_package_has_all_that_operators_offers() -> None:
    operators = importlib.import_module(f"{NAME}.operators")
    assert set(operators.__all__) <= set(package.__all__)
    assert [
        name for name in operators.__all__ if getattr(package, name) is not getattr(operators, name)
    ] == []


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'AsposeOcrTeleportOperator'"):
        _ = package.AsposeOcrTeleportOperator
    operators = importlib.import_module(f"{NAME}.operators")
    with pytest.raises(AttributeError, match="has no attribute 'AsposeOcrTeleportOperator'"):
        _ = operators.AsposeOcrTeleportOperator


def test_every_module_says_what_it_is() -> None:
    for module in MODULES:
        source = _path(module).read_text()
        if not source.strip():
            continue
        first_paragraph = (ast.get_docstring(_tree(module)) or "").split("\n\n")[0]
        says_it = re.fullmatch(r"[A-Z`].+[.]", first_paragraph, re.DOTALL)
        assert says_it, f"{module} does not open with a sentence"
        assert "from __future__ import annotations" in source, module

"""
The package as a user's project has it: installed from a wheel, beside tests of its own that run DAGs against the emulator.

Invariant: nothing of this checkout but the wheel is visible there, and the project's files are those of docs/emulator.md.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.airflow

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).parent / "outside_project"
SHOWN_FILE = re.compile(r"<!-- file (\S+) -->\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: Building, and downloading what no cache has, takes minutes on a slow network.
INSTALL_SECONDS = 900.0
PYTEST_SECONDS = 1800.0


def oldest_airflow() -> str:
    """The floor of pyproject.toml."""
    dependencies = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    (floor,) = (line for line in dependencies if line.startswith("apache-airflow>="))
    return str(floor).removeprefix("apache-airflow>=")


def run(command: list[str], timeout_seconds: float, **options: object) -> str:
    done = subprocess.run(  # type: ignore[call-overload]  # the options are those of the few callers below
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_seconds,
        check=False,
        **options,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}", pytrace=False)
    said: str = done.stdout
    return said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    for name in ("airflow_provider_asposeocr", "pyproject.toml", "README.md", "LICENSE"):
        path = CHECKOUT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(folder),
            str(source),
        ],
        INSTALL_SECONDS,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module", params=["this", "oldest"])
def python(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """An interpreter that has Airflow, the wheel and pytest."""
    version = importlib.metadata.version("apache-airflow") if request.param == "this" else oldest_airflow()
    folder = tmp_path_factory.mktemp(f"venv-{request.param}")
    run([sys.executable, "-m", "venv", str(folder)], INSTALL_SECONDS)
    interpreter = folder / "bin" / "python"
    install = CHECKOUT / "tools" / "install.sh"
    run(
        ["sh", str(install), str(interpreter), f"apache-airflow=={version}", str(wheel), "pytest"],
        INSTALL_SECONDS,
    )
    yield interpreter
    shutil.rmtree(folder)  # Half a gigabyte.


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a user who has never run Airflow here, behind a proxy that does not exist."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    for name in ("PYTHONPATH", "no_proxy", "NO_PROXY"):
        kept.pop(name, None)
    home = tmp_path / "home"
    home.mkdir()
    return {**kept, "HOME": str(home), "http_proxy": "http://127.0.0.1:9"}


def run_pytest(python: Path, project: Path, environment: dict[str, str], *arguments: str) -> str:
    return run(
        [str(python), "-m", "pytest", "-ra", "-p", "no:cacheprovider", *arguments],
        PYTEST_SECONDS,
        cwd=project,
        env=environment,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of docs/emulator.md, word by word, and the files of outside_project."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    shown = dict(SHOWN_FILE.findall((CHECKOUT / "docs" / "emulator.md").read_text()))
    assert set(shown) == {"dags/read_page.py", "tests/test_read_page.py", "tests/test_hook.py"}
    for name, text in shown.items():
        (project / name).write_text(text)
    return project


def test_a_project_that_leaves_airflow_to_the_fixture(
    python: Path, project: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Every warning is an error there, and yet Airflow's own ones fail nothing."""
    files = ("tests/test_read_page.py", "tests/check_runs.py")
    assert "11 passed" in run_pytest(python, project, environment, "-W", "error", *files)
    assert list((tmp_path / "home").iterdir()) == []


def test_a_project_that_has_imported_airflow_before(
    python: Path, project: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """It has a secrets backend, too, which knows the account that is billed."""
    files = ("tests/check_first_airflow.py", "tests/test_hook.py", "tests/test_read_page.py")
    account = {
        "conn_type": "aspose_ocr",
        "host": "http://127.0.0.1:9",
        "login": "real",
        "password": "real-one",
    }
    known = tmp_path / "connections.json"
    known.write_text(json.dumps({"aspose_ocr_default": account, "invoices_account": account}))
    environment |= {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(known)}),
    }
    assert "5 passed" in run_pytest(python, project, environment, *files)
    # Airflow makes the database that it is configured for when it is used.
    assert list(tmp_path.rglob("airflow.db")) == []

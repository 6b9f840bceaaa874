"""How Airflow loads the plugin, and what that costs a process that runs a task."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import pytest
from airflow import plugins_manager

from airflow_provider_asposeocr import operators, plugin
from airflow_provider_asposeocr.get_provider_info import get_provider_info
from airflow_provider_asposeocr.links import AsposeOcrResultLink
from airflow_provider_asposeocr.plugin import PREFIX, AsposeOcrPlugin

ROOT = Path(__file__).resolve().parents[2]
#: Airflow 3.1 and later show views at these places; those after 3.1 at more.
PLACES = {
    "task_instance": ("{DAG_ID}", "{RUN_ID}", "{TASK_ID}", "{MAP_INDEX}"),
    "dag_run": ("{DAG_ID}", "{RUN_ID}"),
}


def test_it_is_found_by_all_processes_of_airflow() -> None:
    """Airflow loads the plugins of provider info only where it loads all providers at its start."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (name,) = project["entry-points"]["airflow.plugins"].values()
    (listed,) = get_provider_info()["plugins"]
    assert listed["plugin-class"] == name.replace(":", ".")
    assert listed["name"] == AsposeOcrPlugin.name
    module, _, attribute = name.partition(":")
    assert getattr(import_module(module), attribute) is AsposeOcrPlugin


def test_airflow_takes_it() -> None:
    assert plugins_manager.is_valid_plugin(AsposeOcrPlugin)  # type: ignore[attr-defined]  # imported there


@pytest.mark.parametrize("view", AsposeOcrPlugin.external_views, ids=lambda view: view["destination"])
def test_a_tab_leads_to_its_page(view: dict[str, Any]) -> None:
    parts = PLACES[view["destination"]]
    assert view["href"] == f"{PREFIX}/view/{'/'.join(parts)}"
    assert view["url_route"].startswith("aspose-ocr")


def test_the_tabs_have_addresses_of_their_own() -> None:
    """Airflow drops the later of two views with one route."""
    routes = [view["url_route"] for view in AsposeOcrPlugin.external_views]
    assert len(set(routes)) == len(routes) == 2


def test_a_task_instance_has_the_tab_where_it_has_the_link() -> None:
    """In versions of Airflow that choose tabs by operators. They refuse a plugin whose criteria they do not know."""
    linked = [
        name
        for name in operators.__all__
        if any(
            isinstance(link, AsposeOcrResultLink) for link in getattr(operators, name).operator_extra_links
        )
    ]
    chosen = {view["destination"]: view.get("applies_to") for view in AsposeOcrPlugin.external_views}
    assert chosen == {"task_instance": {"operators": linked}, "dag_run": None}
    assert {"AsposeOcrBatchOperator", "AsposeOcrRecognizePdfOperator"} < set(linked)


@pytest.mark.parametrize(
    ("base_url", "prefix"),
    [
        ("https://example.org/team/airflow/", "/team/airflow"),
        ("https://example.org/team", "/team"),
        ("https://example.org", ""),
        ("", ""),
    ],
)
def test_it_stays_below_the_path_of_a_proxy(
    base_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert plugin._address("/view/{DAG_ID}") == f"{prefix}/aspose-ocr/view/{{DAG_ID}}"


@pytest.mark.process
def test_a_process_that_runs_a_task_loads_a_few_modules() -> None:
    """Airflow imports plugins in each. The viewer itself would cost it seconds, and tens of MB."""
    script = (
        "import sys, json\n"
        "import airflow.sdk.execution_time.task_runner\n"
        "from airflow.sdk.plugins_manager import integrate_macros_plugins\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_asposeocr.plugin\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    if airflow.__version__ < "3.2":
        pytest.skip("Airflow 3.1 has no plugin manager of its own for tasks")
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=300)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "airflow_provider_asposeocr.plugin" in loaded
    assert len(loaded) < 20, loaded
    assert not {module.split(".")[0] for module in loaded} & {
        "fastapi",
        "starlette",
        "sqlalchemy",
        "pydantic",
    }
    assert not [module for module in loaded if "viewer" in module]

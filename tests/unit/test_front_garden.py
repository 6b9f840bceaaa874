"""
The pages and forms for contributors name only what exists, and the workflow runs what .ci/run runs.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["CONTRIBUTING.md", "SECURITY.md", "README.md", ".github/PULL_REQUEST_TEMPLATE.md"]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
#: What is named in code and looks like a path of the checkout.
PATH = re.compile(r"`((?:airflow_provider_asposeocr|example_dags|demo|tests|tools|docs)/[\w./-]*)`")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rule(target: str) -> re.Match[str]:
    found = re.search(rf"^{re.escape(target)}:([^#\n]*)", read("Makefile"), re.MULTILINE)
    assert found, f"the Makefile has no target {target!r}"
    return found


def matrices(job: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = job.get("strategy", {}).get("matrix", {})
    return found


def targets_of_the_workflow() -> set[str]:
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"].values()
    commands = "\n".join(step["run"] for job in jobs for step in job["steps"] if "run" in step)
    named = set(re.findall(r"^make ([a-z-]+)", commands, re.MULTILINE))
    return named.union(*(matrices(job).get("target", []) for job in jobs))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_targets_that_exist(page: str) -> None:
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", read(page), re.DOTALL))
    for target in set(TARGET.findall(code)):
        rule(target)


def test_contributing_names_paths_that_exist() -> None:
    named = set(PATH.findall(read("CONTRIBUTING.md")))
    assert len(named) > 10
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_the_workflow_runs_what_the_gate_runs() -> None:
    commands = "\n".join(line for line in read(".ci/run").splitlines() if not line.startswith("#"))
    gate = set(re.findall(r"\b(?:make|last) ([a-z-]+)", commands))
    assert "test" in gate
    parts = re.search(r"^test:.*\n\t\$\(MAKE\) (?:-\S+ )*(.*)$", read("Makefile"), re.MULTILINE)
    assert parts
    wanted = (gate - {"test"}) | set(parts[1].split())
    assert targets_of_the_workflow() == wanted


def test_the_workflow_tries_each_python_and_the_oldest_and_newest_airflow() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    declared = {text.rpartition(" ")[2] for text in project["classifiers"] if "Python :: 3." in text}
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    for name in ("unit", "oldest"):
        assert set(matrices(jobs[name])["python"]) == declared
    newest, oldest = (
        re.search(rf"^{name} \?= (\S+)$", read("Makefile"), re.MULTILINE)
        for name in ("AIRFLOW", "OLDEST_AIRFLOW")
    )
    assert newest
    assert newest[1] in matrices(jobs["unit"])["airflow"]
    assert oldest
    assert oldest[1] in matrices(jobs["oldest"])["airflow"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_has_what_github_wants_of_it(form: Path) -> None:
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        assert content.keys() <= {"blank_issues_enabled", "contact_links"}
        return
    assert content["name"]
    assert content["description"]
    ids = [field["id"] for field in content["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for field in content["body"]:
        assert field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert field["attributes"].get("value" if field["type"] == "markdown" else "label")


def test_each_hook_of_pre_commit_runs_a_tool_of_the_checkout() -> None:
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    assert all(hook["entry"].startswith(".venv/bin/") for hook in repository["hooks"])
    assert all(hook["language"] == "system" for hook in repository["hooks"])

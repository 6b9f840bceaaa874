from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_asposeocr.emulator.control import faults
from airflow_provider_asposeocr.emulator.options import Options

TEXT = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(Options.model_fields))
def test_every_option_is_documented(name: str) -> None:
    assert f"| `--{name.replace('_', '-').replace('accounts', 'account')}" in TEXT


def _rules(base: type[faults.Rule]) -> list[type[faults.Rule]]:
    return [rule for child in base.__subclasses__() for rule in [child, *_rules(child)]]


@pytest.mark.parametrize("rule", [r for r in _rules(faults.Rule) if r.__name__.endswith("Fault")])
def test_every_fault_rule_is_documented(rule: type[faults.Rule]) -> None:
    (kind,) = rule.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]  # always a Literal
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{kind}` |")]

    assert f"| {rule.default_method or 'any'} |" in row
    for field in set(rule.model_fields) - set(faults.Rule.model_fields):
        assert f"`{field}`" in row

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_asposeocr.emulator.control import faults
from airflow_provider_asposeocr.emulator.options import Options

TEXT = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")


def _plain(text: str) -> str:
    """Without what only the page has: code marks, dashes of options, a capital and a full stop."""
    return text.replace("`", "").replace("--", "").replace("_", "-").strip(" .").lower()


@pytest.mark.parametrize("name", sorted(set(Options.model_fields) - {"accounts", "operations"}))
def test_every_option_is_documented_with_the_words_of_its_help(name: str) -> None:
    (row,) = [line for line in TEXT.splitlines() if re.match(rf"\| `--{name.replace('_', '-')}[` ]", line)]
    assert _plain(re.split(r"(?<!\\)\|", row)[3]) == _plain(Options.model_fields[name].description or "")


def test_further_accounts_are_documented() -> None:
    assert "| `--account ID:SECRET` |" in TEXT


def test_further_operations_are_documented() -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith("| `--operation JSON` |")]
    assert _plain(Options.model_fields["operations"].description or "") in _plain(row)


def _rules(base: type[faults.Rule]) -> list[type[faults.Rule]]:
    return [rule for child in base.__subclasses__() for rule in [child, *_rules(child)]]


@pytest.mark.parametrize("rule", [r for r in _rules(faults.Rule) if r.__name__.endswith("Fault")])
def test_every_fault_rule_is_documented(rule: type[faults.Rule]) -> None:
    (kind,) = rule.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]  # always a Literal
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{kind}` |")]

    assert f"| {rule.default_method or 'any'} |" in row
    for field in set(rule.model_fields) - set(faults.Rule.model_fields):
        assert f"`{field}`" in row

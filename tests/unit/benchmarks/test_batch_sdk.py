"""The benchmark of batches compares programs that send the same requests."""

from __future__ import annotations

import ast
from typing import Any

from tests.benchmarks.batch_movers import WAIT_SECONDS
from tests.benchmarks.measuring import CHECKOUT
from tests.support.batch_engine import STEPS


def test_the_sdk_makes_the_same_steps_with_the_same_waits() -> None:
    """Its program runs where the provider is not installed, so it has a copy of both."""
    tree = ast.parse((CHECKOUT / "tests" / "benchmarks" / "batch_sdk.py").read_text())
    constants: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            (target,) = node.targets if isinstance(node, ast.Assign) else (node.target,)
            constants[ast.unparse(target)] = node.value
    steps = ast.literal_eval(constants["STEPS"])
    assert list(steps) == [(step.operation, dict(step.settings)) for step in STEPS]
    assert ast.literal_eval(constants["WAIT_SECONDS"]) == WAIT_SECONDS

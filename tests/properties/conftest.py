"""
Counts the inputs that the properties have really been tried on.

Invariant: an input counts once the property has held for it; what hypothesis threw away does not. A thorough run that
tried a reader on fewer inputs than promised fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.support.tried import GLANCE, INPUTS, PROMISED, QUICK, THOROUGH, TRIED, broken_promises

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

# Also for the properties among the unit tests, which are tried on a hundred inputs otherwise.
settings.register_profile(GLANCE, settings.get_profile("project"), max_examples=INPUTS[GLANCE])
settings.register_profile(THOROUGH, settings.get_profile("project"))
settings.register_profile(QUICK, settings.get_profile("project"))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a process of pytest-xdist has tried, and what it promised: this process imports no test."""
    output = getattr(node, "workeroutput", {})
    TRIED.update(output.get("tried", {}))
    PROMISED.update(output.get("promised", {}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output |= {"tried": dict(TRIED), "promised": dict(PROMISED)}
    elif session.exitstatus == pytest.ExitCode.OK and broken_promises():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if not TRIED:
        return
    terminalreporter.section("inputs tried")
    for name, count in sorted(TRIED.items()):
        terminalreporter.write_line(f"{count:>9,}  {name}")
    terminalreporter.write_line(f"{TRIED.total():>9,}  in all")
    for name in broken_promises():
        terminalreporter.write_line(f"FAILED: fewer inputs than promised: {name}", red=True)

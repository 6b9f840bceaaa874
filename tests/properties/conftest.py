"""
Counts the inputs that the properties have really been tried on.

Invariant: an input counts once the property has held for it; what hypothesis threw away does not. A thorough run that
tried fewer inputs than promised fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.tried import QUICK, THOROUGH, TRIED

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

#: What a thorough run promises in all.
LEAST_INPUTS = 100_000

settings.register_profile(THOROUGH, settings.get_profile("project"))
settings.register_profile(QUICK, settings.get_profile("project"))


def _is_thorough() -> bool:
    return settings.get_current_profile_name() == THOROUGH


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _is_thorough() and session.exitstatus == pytest.ExitCode.OK and TRIED.total() < LEAST_INPUTS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if not TRIED:
        return
    terminalreporter.section("inputs tried")
    for name, count in sorted(TRIED.items()):
        terminalreporter.write_line(f"{count:>9,}  {name}")
    terminalreporter.write_line(f"{TRIED.total():>9,}  in all")
    if _is_thorough() and TRIED.total() < LEAST_INPUTS:
        terminalreporter.write_line(f"FAILED: {LEAST_INPUTS:,} inputs were promised.", red=True)

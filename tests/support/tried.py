"""
Helpers of the property tests: the number of inputs, and their count.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

#: Names of the profiles; ``--hypothesis-profile=thorough`` chooses another one, and `make check` the shortest.
GLANCE, QUICK, THOROUGH = "glance", "quick", "thorough"
#: On how many inputs a property is tried.
INPUTS = {GLANCE: 15, QUICK: 150, THOROUGH: 5000}
#: What a thorough run promises of each reader of results: what they read comes from outside.
READERINPUTS = 100_000
#: Inputs for which each property has held.
TRIED: Counter[str] = Counter()
#: How many a thorough run promises, by the same names.
PROMISED: dict[str, int] = {}


def holds_for(
    *, share: float = 1.0, reads_results: bool = False, **inputs: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Make a test of a property.

    :param share: Its number of inputs, compared with the others'; less for a slow one.
    :param reads_results: Whether a thorough run tries it on :data:`READERINPUTS`, whatever its share is.
    :param inputs: Where its arguments come from.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        name = f"{function.__module__}: {function.__name__}"

        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> None:
            function(*args, **kwargs)
            TRIED[name] += 1

        profile = settings.get_current_profile_name()
        is_thorough = profile == THOROUGH
        all_of_them = is_thorough and reads_results
        in_a_round = INPUTS.get(profile, INPUTS[QUICK]) * (1.0 if all_of_them else share)
        base = settings.get_profile("project")
        chosen = settings(
            base,
            max_examples=max(1, round(in_a_round)),
            suppress_health_check=[HealthCheck.too_slow],  # Other work on the machine is no defect.
            # Hypothesis repeats its inputs in CI, and each round would have the same ones.
            derandomize=base.derandomize and not all_of_them,
        )(given(**inputs)(counted))
        if not all_of_them:
            return chosen
        PROMISED[name] = READERINPUTS
        return in_rounds(chosen, name)

    return decorate


def in_rounds(test: Callable[..., None], name: str) -> Callable[..., None]:
    """Repeat a test until it has been tried on what is promised: hypothesis keeps all inputs of a round in memory."""

    def rounds() -> None:
        before = -1
        while before < TRIED[name] < PROMISED[name]:
            before = TRIED[name]
            test()

    rounds.__name__, rounds.__module__ = test.__name__, test.__module__
    return rounds


def broken_promises() -> list[str]:
    """Return the properties of this run that were tried on fewer inputs than promised."""
    return sorted(name for name, count in TRIED.items() if count < PROMISED.get(name, 0))

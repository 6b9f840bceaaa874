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

#: Names of the profiles; ``--hypothesis-profile=thorough`` chooses the other one.
QUICK, THOROUGH = "quick", "thorough"
_INPUTS = {QUICK: 150, THOROUGH: 5000}
#: Inputs for which each property has held.
TRIED: Counter[str] = Counter()


def holds_for(
    *, share: float = 1.0, **inputs: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Make a test of a property.

    :param share: Its number of inputs, compared with the others'; less for a slow one.
    :param inputs: Where its arguments come from.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> None:
            function(*args, **kwargs)
            TRIED[f"{function.__module__}: {function.__name__}"] += 1

        profile = THOROUGH if settings.get_current_profile_name() == THOROUGH else QUICK
        chosen = settings(
            settings.get_profile("project"),
            max_examples=max(1, round(_INPUTS[profile] * share)),
            suppress_health_check=[HealthCheck.too_slow],  # Other work on the machine is no defect.
        )
        return chosen(given(**inputs)(counted))

    return decorate

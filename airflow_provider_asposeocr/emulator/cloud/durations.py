"""
The duration of the emulator's tasks: a fixed number of seconds, or a random distribution.

Invariant: the same text and the same seed give the same series of durations, and no duration is negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_FORMS = "a number, uniform:A,B, exponential:MEAN or lognormal:MEAN,SIGMA"


@dataclass(frozen=True)
class Duration:
    """
    A distribution of durations in seconds.

    :param kind: ``fixed``, ``uniform``, ``exponential`` or ``lognormal``.
    :param first: The number, the lower end, or the mean.
    :param second: The upper end of ``uniform``; the standard deviation of the logarithm for ``lognormal``.
    """

    kind: str
    first: float
    second: float = 0.0

    def sample(self, generator: random.Random) -> float:
        """
        Draw one duration.

        :param generator: Source of randomness; seeded by the caller.
        :return: Seconds, 0 or more.
        """
        draw: dict[str, Callable[[], float]] = {
            "fixed": lambda: self.first,
            "uniform": lambda: generator.uniform(self.first, self.second),
            "exponential": lambda: generator.expovariate(1 / self.first) if self.first else 0.0,
            "lognormal": lambda: self._lognormal(generator),
        }
        return max(0.0, draw[self.kind]())

    def _lognormal(self, generator: random.Random) -> float:
        # The mean of a lognormal variable is exp(mu + sigma^2/2); the user gives the mean, not mu.
        if not self.first:
            return 0.0
        return generator.lognormvariate(math.log(self.first) - self.second**2 / 2, self.second)


def parse_duration(text: str) -> Duration:
    """
    Parse a duration of the command line.

    :param text: A number of seconds, ``uniform:A,B``, ``exponential:MEAN`` or ``lognormal:MEAN,SIGMA``.
    :raises ValueError: if the text is none of these, or a number in it is negative or not finite.
    """
    kind, colon, arguments = text.strip().partition(":")
    if not colon:
        kind, arguments = "fixed", kind
    wanted = {"fixed": 1, "uniform": 2, "exponential": 1, "lognormal": 2}.get(kind)
    try:
        numbers = [float(part) for part in arguments.split(",")]
    except ValueError:
        numbers = []
    if wanted != len(numbers) or not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise ValueError(f"A duration is {_FORMS}, in seconds and not negative; {text!r} is none of these.")
    if kind == "uniform" and numbers[0] > numbers[1]:
        raise ValueError(f"In uniform:A,B the lower end A comes first; in {text!r} A is larger than B.")
    return Duration(kind, *numbers)

"""The words with which a user says what happens to results that lack something."""

from __future__ import annotations

from typing import Literal, get_args

#: A field that ``extract`` asks for is absent: its value is ``None``, or the task fails.
OnAbsent = Literal["none", "fail"]
ON_ABSENT: tuple[OnAbsent, ...] = get_args(OnAbsent)

#: A gate of quality is not passed: the document fails, is skipped, is marked, or is marked for a person.
OnLowQuality = Literal["fail", "skip", "mark", "review"]
ON_LOW_QUALITY: tuple[OnLowQuality, ...] = get_args(OnLowQuality)

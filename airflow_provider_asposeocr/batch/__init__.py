"""
Many documents in one Airflow task.

Invariant: nothing here knows an operator, a trigger or a hook. Decisions are pure functions and classes; the other modules
do the I/O.
"""

from __future__ import annotations

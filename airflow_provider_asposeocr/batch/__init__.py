"""
Many documents in one Airflow task.

Invariant: nothing here knows an operator, a trigger or a hook. What decides is pure; the rest reads and writes.
"""

from __future__ import annotations

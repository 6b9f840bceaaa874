"""How long a test waits for an event that must come."""

from __future__ import annotations

PATIENCE_SECONDS = 600.0
"""
Longest wait for an event, in seconds. Only a defect makes a test wait this long; so the limit is far above what the slowest
machine needs. A process that starts Python and imports Airflow took over a minute on two cores with a load of 17.
"""

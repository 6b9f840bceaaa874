"""One Airflow task that takes many documents through one or several operations of the cloud."""

from __future__ import annotations

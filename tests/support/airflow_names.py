"""Names of Airflow that the tests use and that moved between the versions the provider runs on."""

from __future__ import annotations

try:
    from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException, TaskDeferred
    from airflow.sdk.serde import deserialize, serialize
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Airflow 3.1
    # The ignores: mypy reads the newest Airflow, in which these are other objects.
    from airflow.exceptions import (  # type: ignore[no-redef]
        AirflowRescheduleException,
        AirflowSkipException,
        TaskDeferred,
    )
    from airflow.serialization.serde import deserialize, serialize  # type: ignore[no-redef]
    from airflow.serialization.serialized_objects import (  # type: ignore[assignment, attr-defined]
        SerializedDAG as DagSerialization,
    )

__all__ = [
    "AirflowRescheduleException",
    "AirflowSkipException",
    "DagSerialization",
    "TaskDeferred",
    "deserialize",
    "serialize",
]

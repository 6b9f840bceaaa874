"""
Read the options of the section ``[aspose_ocr]`` of Airflow's configuration.

Invariant: the values are read when a task runs, not when this module is imported. Therefore parsing a DAG does not read
them, and a changed value takes effect without a new deployment of DAGs.
"""

from __future__ import annotations

from airflow.configuration import conf

from airflow_provider_asposeocr.get_provider_info import CONFIG

SECTION = "aspose_ocr"
#: Measured: LocalExecutor fails tasks whose trigger fires up to five seconds after the deferral.
LOCAL_EXECUTOR_DELAY_SECONDS = 8.0


def default_seconds(name: str) -> float:
    """
    Return a default of the section ``[aspose_ocr]``.

    :param name: Name of the option, for example ``timeout_seconds``.
    """
    fallback = CONFIG[SECTION]["options"][name]["default"]
    return float(conf.getfloat(SECTION, name, fallback=float(fallback)))


def default_number(name: str) -> float:
    """
    Return a number of the section ``[aspose_ocr]`` that is no duration.

    :param name: Name of the option, for example ``batch_polls_per_second``.
    """
    return default_seconds(name)


def default_text(name: str) -> str:
    """
    Return a text of the section ``[aspose_ocr]``.

    :param name: Name of the option, for example ``installation``.
    """
    fallback = str(CONFIG[SECTION]["options"][name]["default"])
    return str(conf.get(SECTION, name, fallback=fallback))


def default_flag(name: str) -> bool:
    """
    Return a yes or no of the section ``[aspose_ocr]``.

    :param name: Name of the option, for example ``previews``.
    """
    fallback = CONFIG[SECTION]["options"][name]["default"] == "True"
    return bool(conf.getboolean(SECTION, name, fallback=fallback))


def event_delay_seconds() -> float:
    """Return the shortest time in seconds between a deferral and its event, see ``[aspose_ocr] event_delay_seconds``."""
    configured = default_seconds("event_delay_seconds")
    if configured >= 0:
        return configured
    if "LocalExecutor" not in conf.get("core", "executor", fallback=""):
        return 0.0
    heartbeat = conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)
    return max(LOCAL_EXECUTOR_DELAY_SECONDS, float(heartbeat) + 3.0)

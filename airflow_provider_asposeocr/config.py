"""
Defaults for all tasks, from Airflow's configuration.

Invariant: the values are read when a task runs, not when this module is imported. So parsing a DAG stays cheap, and a
changed value takes effect without a new deployment of DAGs.
"""

from __future__ import annotations

from airflow.configuration import conf

from airflow_provider_asposeocr.get_provider_info import CONFIG

SECTION = "aspose_ocr"


def default_seconds(name: str) -> float:
    """
    Return a default of the section ``[aspose_ocr]``.

    :param name: Name of the option, for example ``timeout_seconds``.
    """
    fallback = CONFIG[SECTION]["options"][name]["default"]
    return float(conf.getfloat(SECTION, name, fallback=float(fallback)))

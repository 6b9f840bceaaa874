"""
Ask Airflow for a plan: which run it belongs to, and the states of earlier runs.

Invariant: if Airflow does not answer, the state is "not known", and nothing is removed.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.config import default_text
from airflow_provider_asposeocr.ingestion.errors import RegisterError, RegisterUnreachableError
from airflow_provider_asposeocr.ingestion.plan_folders import UNKNOWN_RUN, PlannedRun
from airflow_provider_asposeocr.lifecycle.kills import map_index_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import Context

log = logging.getLogger(__name__)


def planned_run(context: Context, now: float) -> PlannedRun:
    """
    Say which run plans.

    :param context: Airflow's context.
    :param now: Seconds since the epoch.
    """
    ti: Any = context["ti"]
    installation, index = default_text("installation"), map_index_of(ti.map_index)
    return PlannedRun(installation, ti.dag_id, ti.run_id, ti.task_id, ti.try_number, now, index)


def run_states(ti: Any) -> Callable[[str, str], str | None]:
    """
    Return a function that asks Airflow for the state of a run.

    :param ti: The running task instance, through which Airflow is asked.
    """

    def state_of(dag_id: str, run_id: str) -> str | None:
        try:
            if not ti.get_dr_count(dag_id=dag_id, run_ids=[run_id]):
                return UNKNOWN_RUN
            return str(ti.get_dagrun_state(dag_id=dag_id, run_id=run_id))
        except Exception as error:  # any error of Airflow's API
            log.info("Airflow does not return the state of a run: %s", shown(error))
            return None

    return state_of


@contextmanager
def storage_errors(register: str, what: str) -> Iterator[None]:
    """
    Raise the errors of the register's storage as errors of the register.

    :param register: URI of the register.
    :param what: What is done with it, for messages.
    """
    name = repr(shown(register, 300))
    try:
        yield
    except AsposeOcrError:
        raise
    except (PermissionError, ValueError, ImportError) as error:
        raise RegisterError(f"The register {name} cannot be {what}: {shown(error)}.", billed="no") from error
    except Exception as error:  # each storage library has its own root class
        what_happened = f"{type(error).__name__}: {shown(error)}"
        raise RegisterUnreachableError(
            f"The register {name} cannot be {what}: {what_happened}.", billed="no"
        ) from error

"""A test file of a user who prepares a database of their own and imports Airflow at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow import settings
from airflow.sdk import DAG, task

if TYPE_CHECKING:
    from airflow_provider_asposeocr.testing.dag_runs import DagRunner

assert settings.engine is not None
OWN_DATABASE = str(settings.engine.url)


def in_the_database() -> str:
    """Name the database that Airflow would write to now."""
    from airflow.utils.session import create_session

    with create_session() as session:
        return str(session.get_bind().engine.url)


def test_a_dag_made_in_a_test_runs_on_a_database_of_its_own(aspose_ocr_run_dag: DagRunner) -> None:
    with DAG("made_here") as dag:

        @task
        def answer() -> int:
            return 42

        answer()

    assert in_the_database() != OWN_DATABASE
    run = aspose_ocr_run_dag(dag)
    assert (run.dag_id, run.state, run.task_states) == ("made_here", "success", {"answer": "success"})
    assert run.xcom("answer") == 42
    with pytest.raises(KeyError, match=r"'answer' pushed no 'other'; there are .*return_value"):
        run.xcom("answer", "other")


def test_the_database_of_the_user_is_back() -> None:
    assert in_the_database() == OWN_DATABASE

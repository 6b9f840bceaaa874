"""The example in which a person corrects invoices, on the oldest Airflow, where the triggerer waits for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.environments import oldest_python
from tests.support.reviewed_invoices import FIELDS, asked_about, told

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.airflow


def test_an_answer_through_rest_is_in_the_table(tmp_path: Path) -> None:
    with asked_about(tmp_path, oldest_python()) as asked:
        assert asked.rows().keys() == {"right.png"}
        request = asked.rest.get(asked.request)
        assert told(request["body"])["problem"] == "1000.0 and a VAT of 190.0 are not 1790.0."
        # This Airflow also asks for the parameters of the DAG, as docs/flows.md says.
        assert {name for name in request["params"] if name not in FIELDS} == {
            "inbox",
            "outbox",
            "postgres_conn_id",
        }
        entered = {name: field["value"] for name, field in request["params"].items()}
        typed = {**entered, "total_amount": "1190.00"}
        asked.rest.patch(asked.request, {"chosen_options": ["Correct"], "params_input": typed})
        assert asked.wait_for_end() == "success"
        row = asked.rows()["wrong.png"]
        assert row == {**asked.as_read(), "source": row["source"], "total_amount": "1190.00"}

"""Invoices that do not fit go to a person, who answers through REST: a real Airflow, PostgreSQL and OCR engine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.invoice_pages import INVOICES, DrawnInvoice, drawn_invoice
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.distributed.own_services import own_database
from tests.support.airflow_stack import SECRET, connection
from tests.support.patience import PATIENCE_SECONDS
from tests.support.postgres_rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "invoices_review.py"
DAG = "aspose_ocr_invoices_review"
TABLE = "SELECT regexp_replace(source, '.*/', ''), total_amount FROM reviewed_invoices ORDER BY source"
#: Airflow 3.3 waits without a trigger, an older one with it.
WAITING = ("awaiting_input", "deferred")


class Misprint(DrawnInvoice):
    """An invoice whose sum is wrong on the page."""

    @property
    def total(self) -> Decimal:
        return self.net + self.vat + 1


def misprint(invoice: DrawnInvoice) -> Misprint:
    return Misprint(**vars(invoice))


@pytest.fixture
def database() -> Iterator[str]:
    with own_database() as url:
        yield url


@pytest.fixture
def airflow(database: str, tmp_path: Path) -> Iterator[LocalAirflow]:
    """Run an Airflow with this example alone, connected to an emulator that reads, and to the database."""
    dags = tmp_path / "dags"
    dags.mkdir()
    shutil.copy(EXAMPLE, dags)
    engine = ("--engine", "rapidocr", "--client-id", "tests", "--client-secret", SECRET)
    with EmulatorProcess(*engine) as cloud:
        variables = {
            "AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(cloud.url),
            "AIRFLOW_CONN_POSTGRES_DEFAULT": database,
        }
        running = LocalAirflow(tmp_path / "home", dags, variables)
        try:
            yield running.start(PATIENCE_SECONDS)
        finally:
            running.stop()


class Review:
    """The requests for an answer of one run."""

    def __init__(self, rest: AirflowRest, run_id: str) -> None:
        self.rest, self.run_id = rest, run_id

    def path(self, map_index: int) -> str:
        return f"/dags/{DAG}/dagRuns/{self.run_id}/taskInstances/review.ask/{map_index}/hitlDetails"

    def asked_about(self, file: str) -> int:
        """Return the map index of the request about an invoice."""
        bodies = {index: self.rest.get(self.path(index))["body"] for index in range(2)}
        (found,) = (index for index, body in bodies.items() if file in body)
        return found

    def answer(self, file: str, option: str, **entered: Any) -> None:
        fields = dict.fromkeys(("issue_date", "currency", "net_amount", "vat", "total_amount"))
        body = {"chosen_options": [option], "params_input": {**fields, **entered}}
        self.rest.patch(self.path(self.asked_about(file)), body)


@pytest.mark.airflow
def test_a_person_corrects_what_does_not_fit(airflow: LocalAirflow, database: str, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    right, wrong, refused = INVOICES[0], misprint(INVOICES[1]), misprint(INVOICES[2])
    for invoice in (right, wrong, refused):
        drawn_invoice(invoice).save(inbox / invoice.file)
    rest = AirflowRest(airflow.base_url, airflow.check)
    run_id = rest.start(DAG, {"inbox": f"file://{inbox}/", "outbox": f"file://{tmp_path}/out/"})
    for index in range(2):
        rest.wait_for_task_state(DAG, run_id, "review.ask", WAITING, PATIENCE_SECONDS, map_index=index)
    # What fits does not wait for a person.
    assert rows(database, TABLE) == [(right.file, right.total)]

    review = Review(rest, run_id)
    review.answer(wrong.file, "Correct", total_amount=float(wrong.net + wrong.vat))
    # One answer does not wait for another one.
    corrected = review.asked_about(wrong.file)
    rest.wait_for_task_state(
        DAG, run_id, "review.book_corrected", "success", PATIENCE_SECONDS, map_index=corrected
    )
    expected = [(right.file, right.total), (wrong.file, wrong.net + wrong.vat)]
    assert rows(database, TABLE) == expected

    review.answer(refused.file, "Refuse")
    assert rest.wait_for_run(DAG, run_id, PATIENCE_SECONDS) == "success"
    assert rows(database, TABLE) == expected

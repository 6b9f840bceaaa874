"""Invoices that do not fit go to a person, who answers through REST: a real Airflow, PostgreSQL and OCR engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from demo.invoice_pages import INVOICES, DrawnInvoice, drawn_invoice
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.distributed.own_services import own_database
from tests.support.airflow_stack import PATIENT, SECRET, connection
from tests.support.answering_cloud import AnsweringCloud
from tests.support.patience import PATIENCE_SECONDS
from tests.support.postgres_rows import rows
from tests.support.reviewed_invoices import DAG, FIELDS, WAITING, told, wait_until_it_left_its_worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "invoices_review.py"
TABLE = "SELECT regexp_replace(source, '.*/', ''), total_amount FROM reviewed_invoices ORDER BY source"
#: What the cloud answers about a picture with these words after it; a PNG ends before them.
ANSWERS = {
    b"no invoice": "[]",
    b"a template": json.dumps(
        {
            "supplier_name": "{{ 7 * 6 }} ```",
            "issue_date": "2026-03-04",
            "currency": "EUR",
            "net_amount": 1,
            "total_amount": 2,
        }
    ),
}


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
    options = Options(engine="rapidocr", client_id="tests", client_secret=SECRET)
    # With sqlite, a task fails also where another process has written at the same time.
    with own_database() as metadata, Emulator(options, AnsweringCloud(options, ANSWERS)) as cloud:
        variables = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.replace("postgresql:", "postgresql+psycopg2:"),
            "AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(cloud.url),
            "AIRFLOW_CONN_POSTGRES_DEFAULT": database,
            **PATIENT,
        }
        running = LocalAirflow(tmp_path / "home", dags, variables)
        try:
            yield running.start(PATIENCE_SECONDS)
        finally:
            running.stop()


class Review:
    """The requests for an answer of one run."""

    def __init__(self, airflow: LocalAirflow, rest: AirflowRest, run_id: str, count: int) -> None:
        self.airflow, self.rest, self.run_id, self.count = airflow, rest, run_id, count

    def wait_for(self, task_id: str, map_index: int, *states: str) -> None:
        """Wait until a task is in a state. Fail if it fails: the run does not end while another one waits for a person."""

        def look() -> bool | None:
            tasks = self.rest.task_instances(DAG, self.run_id)
            for each in tasks:
                if each["state"] in ("failed", "upstream_failed"):
                    logs = self.rest.logs(DAG, self.run_id, each["task_id"], map_index=each["map_index"])
                    raise AssertionError(f"{each['task_id']} has failed:\n{logs}")
            return True if any(_is(each, task_id, map_index, states) for each in tasks) else None

        what = f"{task_id}[{map_index}] to be {' or '.join(states)}"
        self.rest.wait_until(look, what, PATIENCE_SECONDS)

    def wait_until_all_ask(self) -> None:
        # The request is there before the task waits; what answers it then depends on the speed of both.
        for index in range(self.count):
            self.wait_for("review.ask", index, *WAITING)
            wait_until_it_left_its_worker(self.rest, self.airflow, index)

    def told(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return, for each file, the map index of its request, and what the request tells."""
        found = {}
        for index in range(self.count):
            body: str = self.rest.get(self.path(index))["body"]
            assert all(line.count("`") == 2 for line in body.splitlines())
            found[Path(told(body)["source"]).name] = (index, told(body))
        return found

    def path(self, map_index: int) -> str:
        return f"/dags/{DAG}/dagRuns/{self.run_id}/taskInstances/review.ask/{map_index}/hitlDetails"

    def answer(self, file: str, option: str, **entered: Any) -> int:
        """Answer about an invoice, and return its map index."""
        index, _ = self.told()[file]
        body = {"chosen_options": [option], "params_input": {**dict.fromkeys(FIELDS), **entered}}
        self.rest.patch(self.path(index), body)
        return index


def _is(task: dict[str, Any], task_id: str, map_index: int, states: tuple[str, ...]) -> bool:
    return (task["task_id"], task["map_index"]) == (task_id, map_index) and task["state"] in states


@pytest.mark.airflow
def test_a_person_corrects_what_does_not_fit(airflow: LocalAirflow, database: str, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    right, wrong, refused, unread = INVOICES[0], misprint(INVOICES[1]), INVOICES[2], INVOICES[3]
    for invoice, mark in ((right, b""), (wrong, b""), (refused, b"a template"), (unread, b"no invoice")):
        drawn_invoice(invoice).save(inbox / invoice.file)
        with (inbox / invoice.file).open("ab") as file:
            file.write(mark)
    (inbox / "invoice-9.png").write_bytes(b"no picture at all")
    rest = AirflowRest(airflow.base_url, airflow.check)
    run_id = rest.start(DAG, {"inbox": f"file://{inbox}/", "outbox": f"file://{tmp_path}/out/"})
    review = Review(airflow, rest, run_id, 4)
    review.wait_until_all_ask()
    # What fits does not wait for a person.
    assert rows(database, TABLE) == [(right.file, right.total)]
    asked = {file: about for file, (_, about) in review.told().items()}
    assert asked.keys() == {wrong.file, refused.file, unread.file, "invoice-9.png"}
    net, vat, total = (float(amount) for amount in (wrong.net, wrong.vat, wrong.total))
    assert asked[wrong.file]["problem"] == f"{net} and a VAT of {vat} are not {total}."
    assert asked[refused.file]["supplier_name"] == "{{ 7 * 6 }} ```"
    assert "it is no JSON object" in asked[unread.file]["problem"]

    corrected = review.answer(wrong.file, "Correct", total_amount=str(wrong.net + wrong.vat))
    # One answer does not wait for another one.
    review.wait_for("review.book_corrected", corrected, "success")
    expected = [(right.file, right.total), (wrong.file, wrong.net + wrong.vat)]
    assert rows(database, TABLE) == expected

    for name in (refused.file, "invoice-9.png"):
        review.answer(name, "Refuse")
    typed = {"issue_date": str(unread.issued), "currency": unread.currency, "total_amount": "2450"}
    review.answer(unread.file, "Correct", **typed)
    assert rest.wait_for_run(DAG, run_id, PATIENCE_SECONDS) == "success"
    assert rows(database, TABLE) == [*expected, (unread.file, unread.total)]

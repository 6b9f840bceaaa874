"""A run of the example in which a person corrects invoices, up to the moment at which the person is asked."""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.support.airflow_stack import CHECKOUT, PATIENT, SECRET, connection
from tests.support.airflow_tasks import PNG
from tests.support.answering_cloud import AnsweringCloud
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

DAG = "aspose_ocr_invoices_review"
DAG_FILE = Path(__file__).with_name("review_dag.py")
#: Airflow 3.3 waits without a trigger, an older one with it.
WAITING = ("awaiting_input", "deferred")
FIELDS = ("supplier_name", "issue_date", "currency", "net_amount", "vat", "total_amount")
#: What the cloud reads on the invoice whose amounts do not fit.
MISREAD = {
    "supplier_name": "nordlicht gmbh",
    "issue_date": "2026-03-04",
    "currency": "eur",
    "net_amount": 1000.0,
    "vat": 190.0,
    "total_amount": 1790.0,
}


def told(body: str) -> dict[str, Any]:
    """Read what a person is told: a line of Markdown for each field."""
    found = {}
    for line in body.splitlines():
        name, _, code = line.removeprefix("- ").partition(": ")
        found[name] = json.loads(code.removeprefix("`").removesuffix("`"))
    return found


def wait_until_it_left_its_worker(rest: AirflowRest, airflow: LocalAirflow, map_index: int) -> None:
    """
    Wait until the scheduler has seen the process of a task end that asks a person.

    Where the answer comes before, Airflow 3.3.2 takes the end of the process for the end of the task, which then fails.
    """
    line = re.compile(rf"TaskInstance Finished: .*task_id=review\.ask, .*map_index={map_index},")

    def look() -> bool | None:
        return True if line.search(airflow.log("scheduler")) else None

    rest.wait_until(
        look, f"the scheduler to see the process of review.ask[{map_index}] end", PATIENCE_SECONDS
    )


@dataclass
class AskedAbout:
    """A run that waits for a person to answer about one invoice."""

    airflow: LocalAirflow
    rest: AirflowRest
    run_id: str
    table: Path

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the last row of each invoice that was written, by the name of its file."""
        lines = self.table.read_text(encoding="utf-8").splitlines() if self.table.exists() else []
        return {Path(row["source"]).name: row for row in map(json.loads, lines)}

    def as_read(self) -> dict[str, str]:
        """Return what the reader makes of the invoice that does not fit: amounts are texts, and a currency has capitals."""
        return {name: str(value) for name, value in {**MISREAD, "currency": "EUR"}.items()}

    @property
    def request(self) -> str:
        """The path of what the person is asked, in Airflow's REST API."""
        return f"/dags/{DAG}/dagRuns/{self.run_id}/taskInstances/review.ask/0/hitlDetails"

    def wait_for_end(self) -> str:
        """Wait until the run has ended, and return its state."""
        return self.rest.wait_for_run(DAG, self.run_id, PATIENCE_SECONDS)


@contextmanager
def asked_about(folder: Path, python: Path | str = sys.executable) -> Iterator[AskedAbout]:
    """
    Read two invoices, of which one does not fit, and wait until a person is asked about it.

    :param folder: For all files.
    :param python: The interpreter with Airflow and the provider.
    """
    inbox, dags = folder / "inbox", folder / "dags"
    for each in (inbox, dags):
        each.mkdir()
    (dags / DAG_FILE.name).write_bytes(DAG_FILE.read_bytes())
    (inbox / "right.png").write_bytes(PNG)
    (inbox / "wrong.png").write_bytes(PNG + b"misread")
    options = Options(engine="canned", client_id="tests", client_secret=SECRET)
    with Emulator(options, AnsweringCloud(options, {b"misread": json.dumps(MISREAD)})) as cloud:
        env = {
            "AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(cloud.url),
            "ASPOSE_OCR_TEST_EXAMPLE": str(CHECKOUT / "example_dags" / "invoices_review.py"),
            "ASPOSE_OCR_TEST_TABLE": str(folder / "table.jsonl"),
            **PATIENT,
        }
        with LocalAirflow(folder / "airflow", dags, env, python=python) as airflow:
            rest = AirflowRest(airflow.base_url, airflow.check)
            rest.wait_for_dag(DAG, PATIENCE_SECONDS)
            run_id = rest.start(DAG, {"inbox": f"file://{inbox}/", "outbox": f"file://{folder}/outbox/"})
            # The request is there before the task waits; what answers it then depends on the speed of both.
            rest.wait_for_task_state(DAG, run_id, "review.ask", WAITING, PATIENCE_SECONDS, map_index=0)
            wait_until_it_left_its_worker(rest, airflow, 0)
            yield AskedAbout(airflow, rest, run_id, folder / "table.jsonl")

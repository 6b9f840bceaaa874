"""The demo of `make demo-invoices`, `python -m demo.invoices`: a folder of invoices becomes a typed table in PostgreSQL.

Invariant: it exits with 0 only if each amount and date in the table is the one that was drawn, and leaves no process behind.
It writes into one database, which it makes if it does not exist.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from demo.environment import FOLDER, Clock, demo_environment, end_on_signals
from demo.inbox import environment
from demo.invoice_pages import INVOICES, DrawnInvoice, draw_invoices
from demo.processes import CHECKOUT, ServiceError
from demo.rest_session import RestError
from demo.run import DemoError, why_failed

if TYPE_CHECKING:
    from collections.abc import Sequence

DAG = "aspose_ocr_invoices"
SERVER = "ASPOSE_OCR_DEMO_POSTGRES"
DEFAULT_SERVER = "postgresql://postgres@127.0.0.1:5432"
DATABASE = "aspose_ocr_demo"
COLUMNS = ("file", "supplier", "issued", "due", "currency", "net", "vat", "total")
QUERY = """
SELECT regexp_replace(source, '.*/', ''), supplier_name, issue_date, due_date, currency, net_amount, vat, total_amount
FROM invoices WHERE source LIKE %s ORDER BY source
"""
RUN_SECONDS = 600.0


def no_server(server: str, why: object) -> str:
    """Say that there is no database, and what to do.

    :param server: URL of the server, perhaps with a password, which is not shown.
    :param why: what the driver says.
    """
    parts = urlsplit(server)
    return (
        f"No PostgreSQL answers at {parts.hostname}:{parts.port or 5432} ({str(why).strip()}). Start one, for example with "
        "'docker run -e POSTGRES_HOST_AUTH_METHOD=trust -p 127.0.0.1:5432:5432 postgres', or set "
        f"{SERVER}=postgresql://user:password@host:port"
    )


def prepare_database(server: str) -> None:
    """Make the demo's database, and remove the table of an earlier demo.

    :param server: URL of the server.
    :raises DemoError: if there is no server, or it refuses; it says what to do.
    """
    import psycopg2  # Comes with apache-airflow-providers-postgres.

    try:
        connection = psycopg2.connect(f"{server}/postgres", connect_timeout=10)
    except psycopg2.OperationalError as error:
        raise DemoError(no_server(server, error)) from error
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
    connection.close()
    query(server, "DROP TABLE IF EXISTS invoices")


def query(server: str, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement in the demo's database.

    :param server: URL of the server.
    :param statement: SQL.
    :param parameters: its parameters.
    :return: the rows, if it has any.
    """
    import psycopg2  # As above.

    connection = psycopg2.connect(f"{server}/{DATABASE}")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def read_invoices(server: str, clock: Clock) -> list[tuple[Any, ...]]:
    """Draw the invoices, run the DAG, and read the table.

    :param server: URL of the server.
    :param clock: tells the user what happens.
    :return: the rows of the table.
    :raises DemoError: if the run failed, with the end of a failed task's log.
    """
    folder = FOLDER / "invoices"
    inbox, outbox = folder / "inbox", folder / "outbox"
    variables = {**environment(inbox, outbox), "AIRFLOW_CONN_POSTGRES_DEFAULT": f"{server}/{DATABASE}"}
    with demo_environment(folder, [CHECKOUT / "example_dags"], clock, variables) as running:
        draw_invoices(inbox)
        clock.say(f"{len(INVOICES)} invoices in {inbox}/; running {DAG}")
        run_id = running.rest.start(DAG)
        state = running.rest.wait_for_run(DAG, run_id, RUN_SECONDS)
        clock.say(f"the run ended as {state}")
        if state != "success":
            raise DemoError(why_failed(running, DAG, run_id))
    return query(server, QUERY, (f"%{inbox}/%",))


def truth_of(invoice: DrawnInvoice) -> tuple[Any, ...]:
    """Return the row that an invoice should have; names are not compared, because the cloud writes them in lower case."""
    return (
        invoice.file,
        invoice.supplier.lower(),
        invoice.issued,
        invoice.due,
        invoice.currency,
        invoice.net,
        invoice.vat,
        invoice.total,
    )


def differences(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Say what is otherwise in the table than on the pages.

    :param rows: the rows of the table.
    :return: a line for each value.
    """
    found = {row[0]: row for row in rows}
    said = [f"{invoice.file} has no row" for invoice in INVOICES if invoice.file not in found]
    for invoice in INVOICES:
        for name, drawn, read in zip(COLUMNS, truth_of(invoice), found.get(invoice.file, ()), strict=False):
            if drawn != read:
                said.append(f"{invoice.file}: {name} is {drawn} on the page and {read} in the table")
    return said


def table(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lay out rows in columns.

    :param rows: the rows, the first one with the names of the columns.
    """
    texts = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def main() -> int:
    """Run the demo; returns the exit code."""
    end_on_signals()
    server = os.environ.get(SERVER, DEFAULT_SERVER).rstrip("/")
    try:
        prepare_database(server)
        rows = read_invoices(server, Clock())
    except ModuleNotFoundError as error:
        print(f"The demo failed: {error}. `make demo-invoices` installs what it needs.", file=sys.stderr)
        return 1
    except (DemoError, RestError, ServiceError, OSError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return 130
    print(f"\nThe table invoices of the database {DATABASE}:\n")
    print("\n".join(table([COLUMNS, *rows])))
    wrong = differences(rows)
    print("\n" + "\n".join(wrong or ["Every value is the one on the page."]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

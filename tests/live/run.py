"""
Try the provider on the live service: ``make test-live``.

It sends billed requests with the credentials in the environment, and writes what it saw into docs/compatibility.md.

Invariant: without credentials nothing is sent; with them, what will be billed is said first, and a table is written however
the run ends.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.table import replaced
from tests.live.report import Circumstances, Row, Secrets, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.checks import Check, Live

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENT = CHECKOUT / "docs" / "compatibility.md"
MARKERS = "live service"
CLIENT_ID, CLIENT_SECRET = "ASPOSE_OCR_LIVE_CLIENT_ID", "ASPOSE_OCR_LIVE_CLIENT_SECRET"
BASE_URL = "ASPOSE_OCR_LIVE_BASE_URL"
DEFAULT_BASE_URL = "https://api.aspose.cloud"
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """
    Run the checks.

    :param arguments: Of the command line.
    :return: 0 if all is as documented or nothing was to be done, 1 if a check failed, 2 for credentials of which half is
        missing, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.live.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--table", type=Path, default=DOCUMENT, help="document with the table's markers")
    table: Path = parser.parse_args(arguments).table
    client_id, secret = os.environ.get(CLIENT_ID), os.environ.get(CLIENT_SECRET)
    base_url = os.environ.get(BASE_URL) or DEFAULT_BASE_URL
    if bool(client_id) != bool(secret):
        print(f"Nothing was sent: set both {CLIENT_ID} and {CLIENT_SECRET}, or none.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        _stay_in(Path(folder), base_url, client_id, secret)
        from tests.live import checks

        _announce(checks.CHECKS, base_url, checks.MOST_SUBMITS, table)
        if not client_id or not secret:
            print(
                f"\nNothing was sent: there are no credentials. Set {CLIENT_ID} and {CLIENT_SECRET} to run this"
                f" ({BASE_URL} for another address)."
            )
            return 0
        return _run_and_report(checks.CHECKS, checks.Live(), base_url, secret, table)


def _stay_in(folder: Path, base_url: str, client_id: str | None, secret: str | None) -> None:
    """Keep Airflow's home and what the client remembers of refused credentials in a folder, and define the connections."""
    os.environ["AIRFLOW_HOME"] = str(folder)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    for conn_id, password in (("LIVE", secret), ("LIVE_WRONG_SECRET", secrets.token_hex(16))):
        connection = {"conn_type": "aspose_ocr", "host": base_url, "login": client_id, "password": password}
        os.environ[f"AIRFLOW_CONN_ASPOSE_OCR_{conn_id}"] = json.dumps(connection)


def _announce(checks: tuple[Check, ...], base_url: str, most: int, table: Path) -> None:
    planned = sum(check.billed for check in checks)
    print(
        f"The provider is tried on {base_url}. {planned} billed requests are planned, {most} at most are sent:"
    )
    for check in checks:
        bill = f"{check.billed} billed" if check.billed else "not billed"
        print(f"  - {check.what} ({bill})")
    print(f"What is seen is written into {table}.", flush=True)


def _run_and_report(checks: tuple[Check, ...], live: Live, base_url: str, secret: str, table: Path) -> int:
    hidden = Secrets()
    hidden.add(secret)
    rows: list[Row] = []
    code = 0
    try:
        for row in _outcomes(checks, live, hidden):
            rows.append(row)
            print(f"{row.verdict}: {row.what}: {row.seen}", flush=True)
    except KeyboardInterrupt:
        code = INTERRUPTED
    rows += [Row(check.what, "not run", "Interrupted.") for check in checks[len(rows) :]]
    text = hidden.hide(render(_circumstances(base_url, live.submits), rows))
    print(f"\n{text}")
    document = replaced(table.read_text(encoding="utf-8"), MARKERS, text)
    table.write_text(document, encoding="utf-8")
    return code or int(any(row.verdict != "as documented" for row in rows))


def _outcomes(checks: tuple[Check, ...], live: Live, hidden: Secrets) -> Iterator[Row]:
    done: dict[object, Row] = {}
    for check in checks:
        needed = done.get(check.needs)
        if needed is not None and needed.verdict != "as documented":
            row = Row(check.what, "not run", f'It needs "{needed.what}".')
        else:
            row = _outcome(check, live)
        hidden.add(live.token())
        row = Row(row.what, row.verdict, hidden.hide(row.seen))
        done[check.run] = row
        yield row


def _outcome(check: Check, live: Live) -> Row:
    try:
        return Row(check.what, "as documented", check.run(live))
    # After any failure of the service or the client, the other checks run, and the table contains the failure.
    except Exception as error:
        return Row(check.what, "failed", str(error) or type(error).__name__)


def _circumstances(base_url: str, submits: int) -> Circumstances:
    from importlib.metadata import version

    from airflow_provider_asposeocr import __version__

    versions = f"airflow-provider-asposeocr {__version__} on Airflow {version('apache-airflow')}"
    return Circumstances(dt.datetime.now(dt.UTC).date(), base_url, versions, submits)


if __name__ == "__main__":
    sys.exit(main())

"""
Act on the journal of a batch from a command line: ``python -m airflow_provider_asposeocr.batch``.

It runs where Airflow's connections are known, since the journal's URI may name one.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.journal import request_drain
from airflow_provider_asposeocr.batch.left import read_batch, write_manifest_of
from airflow_provider_asposeocr.batch.rows import count_outcomes
from airflow_provider_asposeocr.documents.file_systems import UnusablePathError, object_path

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :param arguments: Words of the command line; ``None`` = those of the process.
    :return: The exit status: 0 = done, 1 = it could not be done, 2 = the command line makes no sense.
    """
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_asposeocr.batch", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, help in (
        ("drain", _drain, "let a batch submit nothing more and end what runs"),
        ("status", _status, "say how far a batch is"),
        ("manifest", _manifest, "write the manifest of a batch whose tries were all killed"),
    ):
        command = commands.add_parser(name, help=help)
        command.set_defaults(run=run)
        command.add_argument("journal", help="URI of the journal's folder, from the task's log or its XCom")
    given = parser.parse_args(arguments)
    try:
        print(given.run(given.journal))
    except UnusablePathError as error:
        print(f"{shown(given.journal, 300)}: {error}.", file=sys.stderr)
        return 2
    except AsposeOcrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _drain(uri: str) -> str:
    request_drain(object_path(uri))
    return (
        f"Asked the batch of {shown(uri, 300)} to submit nothing more. Its running cloud tasks end and are stored, the "
        "rest is 'not_started'. A retry of the task, or another run, goes on with the rest."
    )


def _status(uri: str) -> str:
    left = read_batch(uri)
    counts = count_outcomes(left.batch, left.state)
    running, submits = len(left.running), left.state.submits
    return json.dumps(
        {**counts, "running": running, "submits": submits, "manifest": left.batch.manifest}, indent=2
    )


def _manifest(uri: str) -> str:
    written = write_manifest_of(read_batch(uri))
    return f"Wrote {written.tally.documents} rows to {shown(written.uri, 300)}"


if __name__ == "__main__":
    sys.exit(main())

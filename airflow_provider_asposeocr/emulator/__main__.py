"""
The emulator's command line.

Invariant: the program writes one line to standard output, when it accepts connections. Everything else goes to standard
error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import ValidationError

from airflow_provider_asposeocr.emulator.control.api import is_loopback
from airflow_provider_asposeocr.emulator.emulation import Emulation
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.printable import printable
from airflow_provider_asposeocr.emulator.server import Server, listening_socket, make_worker, url_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo


def _parser() -> argparse.ArgumentParser:
    """Make the parser; all flags but those about the address come from the fields of :class:`Options`."""
    parser = argparse.ArgumentParser(
        prog="aspose-ocr-emulator",
        description="Aspose.OCR Cloud v5 on your own machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port; 0 selects a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="accept requests from other machines; without it --host must be a loopback address",
    )
    undocumented = parser.add_argument_group(
        "undocumented: the vendor does not document what the cloud does in these cases"
    )
    for name, field in Options.model_fields.items():
        extra = field.json_schema_extra
        group = undocumented if isinstance(extra, dict) and extra.get("undocumented") else parser
        _add(group, name, field)
    return parser


def _add(group: argparse._ActionsContainer, name: str, field: FieldInfo) -> None:
    flag = f"--{name.replace('_', '-')}"
    description = (field.description or "").replace("%", "%%")
    if name == "accounts":
        group.add_argument(
            "--account", action="append", default=[], metavar="ID:SECRET", help="one more account; repeatable"
        )
    elif name == "operations":
        group.add_argument(
            "--operation", action="append", default=[], metavar="JSON", help=f"{description}; repeatable"
        )
    elif field.annotation is bool:
        group.add_argument(
            flag, action=argparse.BooleanOptionalAction, default=field.default, help=description
        )
    else:
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
        shown = "" if field.default is None else " (default: %(default)s)"
        group.add_argument(
            flag,
            choices=choices,
            default=field.default,
            help=description + shown,
            metavar=None if choices else "VALUE",
        )


def _options(arguments: dict[str, Any]) -> Options:
    accounts = {}
    for account in arguments.pop("account"):
        client_id, colon, secret = account.partition(":")
        if not (client_id and colon and secret):
            raise ValueError("--account takes ID:SECRET.")
        accounts[client_id] = secret
    declared = [json.loads(operation) for operation in arguments.pop("operation")]
    return Options(accounts=accounts, operations=declared, **arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the emulator until SIGTERM or SIGINT.

    :param argv: Arguments; by default those of the process.
    :return: Exit code: 0, or 2 for bad arguments.
    """
    parser = _parser()
    arguments = vars(parser.parse_args(argv))
    host, port, remote = (arguments.pop(name) for name in ("host", "port", "allow_remote"))
    if not remote and not is_loopback(host):
        parser.error(
            f"--host {printable(host)} is not a loopback address. Add --allow-remote to accept requests from other"
            " machines."
        )
    try:
        options = _options(arguments)
        emulation = Emulation(options, make_worker(options))
    except ValidationError as error:
        parser.error(
            "; ".join(
                f"--{'.'.join(map(str, e['loc'])).replace('_', '-')}: {e['msg']}" for e in error.errors()
            )
        )
    except (ValueError, RuntimeError) as error:
        parser.error(str(error))
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    return _serve(options, emulation, host, port)


def _serve(options: Options, emulation: Emulation, host: str, port: int) -> int:
    try:
        bound = listening_socket("127.0.0.1" if host == "localhost" else host, port)
    except OSError as error:
        emulation.close()
        print(
            f"Cannot listen on {printable(host)}:{port}: {error.strerror}. Does another emulator use this port?",
            file=sys.stderr,
        )
        return 2
    # uvicorn raises the signal again after it has shut down. Then the signal must not end the process.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    line = (
        f"Aspose.OCR Cloud emulator listening on {url_of(bound)}"
        f" (engine {emulation.worker.name}, client id {printable(options.client_id)})"
    )
    Server(emulation, lambda: print(line, flush=True)).run([bound])
    if emulation.queue.is_busy:
        # A thread in the middle of a recognition cannot be stopped, and its result is not needed any more.
        sys.stderr.flush()
        os._exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())

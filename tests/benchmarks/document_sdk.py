"""
The vendor's SDK as its README uses it, in its own environment.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "contract"))

import sdk_driver
from document_meter import serve

_token = ""


def log_in(url: str) -> None:
    global _token
    _token = sdk_driver.documented_token(url, "emulator", "emulator")


def submit(url: str, source: str) -> str:
    return str(sdk_driver.submit(url, _token, "RecognizeImage", source, {}))


def fetch(url: str, operation: str, id: str, destination: str) -> None:
    # Not the driver's own command, which makes JSON of the answer once more.
    method = getattr(sdk_driver.api(operation, url, _token), f"get_{sdk_driver.snake(operation)}")
    Path(destination).write_bytes(base64.b64decode(method(id=id).results[0].data))


if __name__ == "__main__":
    serve({command.__name__: command for command in (log_in, submit, fetch)})

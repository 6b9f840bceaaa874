"""
The simplest script: requests, with the whole document in memory.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import requests
from document_meter import serve

_token = ""


def log_in(url: str) -> None:
    global _token
    form = {"grant_type": "client_credentials", "client_id": "emulator", "client_secret": "emulator"}
    answer = requests.post(f"{url}/connect/token", data=form, timeout=60)
    answer.raise_for_status()
    _token = answer.json()["access_token"]


def _call(method: str, url: str, operation: str, **arguments: Any) -> requests.Response:
    answer = requests.request(
        method,
        f"{url}/v5.0/ocr/{operation}",
        headers={"Authorization": f"Bearer {_token}"},
        timeout=300,
        **arguments,
    )
    answer.raise_for_status()
    return answer


def submit(url: str, source: str, operation: str = "RecognizeImage") -> str:
    image = base64.b64encode(Path(source).read_bytes()).decode()
    return _call("POST", url, operation, json={"image": image}).text


def fetch(url: str, operation: str, id: str, destination: str) -> None:
    answer = _call("GET", url, operation, params={"id": id}).json()
    Path(destination).write_bytes(base64.b64decode(answer["results"][0]["data"]))


def hand_on(url: str, operation: str, id: str) -> str:
    answer = _call("GET", url, operation, params={"id": id}).json()
    image = answer["results"][0]["data"]
    return _call("POST", url, "RecognizeImage", json={"image": image}).text


def cancel(url: str, operation: str, id: str) -> None:
    _call("DELETE", url, operation, params={"id": id})


def status(url: str, id: str) -> str:
    return str(_call("GET", url, "Utilities/GetTaskStatus", params={"id": id}).json()["taskStatus"])


if __name__ == "__main__":
    serve({command.__name__: command for command in (log_in, submit, fetch, hand_on, cancel, status)})

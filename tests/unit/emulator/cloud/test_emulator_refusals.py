"""
The emulator refuses requests without a valid token, and bodies that are too large.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.emulator.cloud.accounts import new_token
from airflow_provider_asposeocr.emulator.cloud.error_responses import Refused
from airflow_provider_asposeocr.emulator.cloud.submission import read_submission
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator, EmulatorProcess
from tests.support.emulator_clients import CloudClient
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = OPERATIONS["RecognizeImage"]
CALLS = [
    ("POST", "RecognizeImage"),
    ("GET", "RecognizeImage?id={id}"),
    ("GET", "Utilities/GetTaskStatus?id={id}"),
    ("DELETE", "RecognizeImage?id={id}"),
]


@pytest.fixture(scope="module")
def another_emulator() -> Iterator[Emulator]:
    """A cloud with the same account and secret, and tokens of its own."""
    with Emulator() as emulator:
        yield emulator


def unsigned_token() -> str:
    """Make a forged token: it has no signature, and names the account of another user."""
    parts = ({"alg": "none", "typ": "at+jwt"}, {"client_id": "emulator", "exp": 2**40})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts) + "."


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_foreign_token_is_refused_and_does_nothing(
    cloud: CloudClient, another_emulator: Emulator, method: str, path: str
) -> None:
    task_id = cloud.submit()
    mine = cloud.headers
    foreign = CloudClient(another_emulator).login().headers["Authorization"].removeprefix("Bearer ")

    for token in (foreign, new_token(), unsigned_token(), mine["Authorization"][7:-1], "emulator", "null"):
        cloud.headers = {"Authorization": f"Bearer {token}"}
        assert cloud.call(method, path.format(id=task_id)).status_code == 401

    (task,) = cloud.emulator.control.tasks()
    assert (task["id"], task["deleted"]) == (task_id, False)
    cloud.headers = mine
    assert cloud.wait(task_id) == "Completed"


@pytest.mark.parametrize("operation", ["RecognizeImage", "Utilities/GetTaskStatus"])
def test_another_accounts_task_reads_like_one_that_never_was(cloud: CloudClient, operation: str) -> None:
    task_id = cloud.submit()
    cloud.wait(task_id)
    stranger = CloudClient(cloud.emulator).login("other", "secret")
    with stranger.session:
        seen = stranger.call("GET", operation, params={"id": task_id})
        invented = stranger.call("GET", operation, params={"id": "0" * 36})

        assert seen.text == invented.text.replace("0" * 36, task_id)
        assert stranger.cancel(task_id).content == stranger.cancel("0" * 36).content == b""

    asked = [
        entry for entry in cloud.emulator.control.journal() if entry["account"] == "other" and entry["id"]
    ]
    assert {entry["task_id"] for entry in asked} == {None}
    assert cloud.fetch(task_id)["taskStatus"] == "Completed"


def send(cloud: CloudClient, head: str, body: bytes = b"", answer: bool = True) -> bytes:
    """Speak HTTP by hand and return all that comes back until the emulator hangs up; fail if it does not."""
    address = ("127.0.0.1", int(cloud.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as connection:
        lines = f"POST /v5.0/ocr/RecognizeImage HTTP/1.1\r\nHost: x\r\nAuthorization: {cloud.headers['Authorization']}"
        connection.sendall(f"{lines}\r\n{head}\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b"")) if answer else b""


def nothing_happened(cloud: CloudClient, folder: Path, before: list[Path]) -> bool:
    return cloud.emulator.control.tasks() == [] and sorted(folder.rglob("*")) == before


def test_a_length_that_promises_too_much_is_refused_although_nothing_comes(
    cloud: CloudClient, canned_folder: Path
) -> None:
    before = sorted(canned_folder.rglob("*"))

    answer = send(cloud, "Content-Length: 9999999999999", b'{"image":"')

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert nothing_happened(cloud, canned_folder, before)


def test_a_client_that_asks_first_is_refused_before_it_sends(cloud: CloudClient) -> None:
    answer = send(cloud, "Content-Length: 9999999999\r\nExpect: 100-continue")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


def test_an_endless_chunked_body_is_cut_off(cloud: CloudClient, canned_folder: Path) -> None:
    before = sorted(canned_folder.rglob("*"))
    piece = b"A" * 65536
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 200_000_000:
            sent += len(piece)
            yield piece

    try:
        assert cloud.call("POST", "RecognizeImage", data=endless()).status_code == 413
    except requests.ConnectionError:
        pass  # The emulator has hung up on a client that would not stop.

    (entry,) = cloud.emulator.control.wait_for_request("POST", "RecognizeImage")
    assert entry["status"] == 413
    assert entry["request_bytes"] < 7_000_000
    assert nothing_happened(cloud, canned_folder, before)


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "5, 6"])
def test_a_length_that_is_no_number_is_refused(cloud: CloudClient, length: str) -> None:
    assert send(cloud, f"Content-Length: {length}", b"{}").startswith(b"HTTP/1.1 400 ")


def test_a_body_that_ends_before_its_length_is_no_submit(cloud: CloudClient, canned_folder: Path) -> None:
    before = sorted(canned_folder.rglob("*"))

    send(cloud, "Content-Length: 1000", b'{"image":"aGk="}', answer=False)

    (entry,) = cloud.emulator.control.wait_for_request("POST", "RecognizeImage")
    assert (entry["status"], entry["answer_lost"]) == (None, True)
    assert nothing_happened(cloud, canned_folder, before)


def test_bytes_after_the_length_are_not_part_of_the_submit(cloud: CloudClient) -> None:
    answer = send(cloud, "Content-Length: 16", b'{"image":"aGk="}' + b"A" * 100)

    assert b"HTTP/1.1 400 " in answer
    posts = [entry for entry in cloud.emulator.control.journal() if entry["path"].endswith("RecognizeImage")]
    assert [entry["request_bytes"] for entry in posts] in ([], [0], [16])


def test_a_compressed_body_is_not_inflated(cloud: CloudClient) -> None:
    bomb = gzip.compress(b'{"image":"' + b"A" * 50_000_000 + b'"}')

    answer = cloud.call("POST", "RecognizeImage", data=bomb, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 400
    assert cloud.emulator.control.journal()[-1]["request_bytes"] == len(bomb) < 100_000


@pytest.mark.parametrize("piece", ["[],", "{},", '"a":1,', "1.5,"])
def test_a_body_of_countless_values_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    monkeypatch.setattr(json, "loads", lambda _: pytest.fail("it was parsed"))
    body = ('{"image":"aGk=","x":[' + piece * 1_000_001 + "0]}").encode()

    with pytest.raises(Refused, match="more than 1000000 values"):
        read_submission(body, IMAGE, Options())


def test_the_largest_regions_are_within_the_values_that_are_taken() -> None:
    rect = {"topLeftX": 0, "topLeftY": 0, "bottomRightX": 9, "bottomRightY": 9}
    body = {"image": "aGk=", "settings": {"regions": [{"order": n, "rect": rect} for n in range(1000)]}}

    assert len(read_submission(json.dumps(body).encode(), IMAGE, Options()).settings["regions"]) == 1000


def peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.process
@pytest.mark.parametrize("declared", [True, False])
def test_an_oversized_body_is_never_held_in_memory(declared: bool) -> None:
    with EmulatorProcess("--engine", "canned", "--max-body-bytes", "100000000") as emulator:
        assert emulator.process is not None
        client = CloudClient(emulator).login()  # type: ignore[arg-type]  # it has the same url
        before = peak_bytes(emulator.process.pid)
        pieces = [b"A" * 1_000_000] * 150

        data: Any = b"".join(pieces) if declared else iter(pieces)
        assert client.call("POST", "RecognizeImage", data=data).status_code == 413

        assert peak_bytes(emulator.process.pid) - before < 30_000_000

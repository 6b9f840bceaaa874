"""No file or database of Airflow contains a secret, a token or a byte of a document after a whole run."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.emulator.cloud import accounts
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from tests.support.airflow_stack import SCAN, watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow

SECRETS = {"secrets": "cl13nt-s3cret-of-the-grep-test", "secrets_wrong": "wr0ng-s3cret-of-the-grep-test"}


def needles(document: bytes) -> dict[str, bytes]:
    """Pieces of a document, as it is and as base64 at each of its three alignments."""
    middle = len(document) // 2
    piece = document[middle : middle + 60]
    found = {"raw": piece[:24]}
    for shift in range(3):
        found[f"base64+{shift}"] = base64.b64encode(piece[shift : shift + 45])[4:-4]
    return found


def leaks(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    return [
        f"{name} in {file.relative_to(folder)}"
        for file in folder.rglob("*")
        if file.is_file()
        for name, needle in wanted.items()
        if needle in file.read_bytes()
    ]


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All tokens that the emulator will have given out."""
    given: list[str] = []
    new_token = accounts.new_token

    def noted() -> str:
        given.append(new_token())
        return given[-1]

    monkeypatch.setattr(accounts, "new_token", noted)
    return given


def conn_id(emulator: Emulator, name: str) -> str:
    """Each emulator has connections of its own in the database."""
    return f"{name}_{emulator.url.rsplit(':', 1)[1]}"


@pytest.fixture
def emulator_with_connections(stack: Stack) -> Iterator[Emulator]:
    options = Options(engine="canned", client_id="grep", client_secret=SECRETS["secrets"], task_seconds="1")
    with Emulator(options) as emulator:
        for name, secret in SECRETS.items():
            fields = {"host": emulator.url, "login": "grep", "password": secret}
            stack.rest.create_connection(conn_id(emulator, name), "aspose_ocr", **fields)
        yield emulator


def test_a_whole_run_leaves_no_secret_and_no_document(
    stack: Stack, emulator_with_connections: Emulator, tokens: list[str]
) -> None:
    message = "Upside\x1b[31m\ndown " + "x" * 9999
    fault = {"kind": "task_error", "path": "DeskewImage", "messages": [message]}
    emulator_with_connections.control.add_faults(fault)
    right, wrong = (conn_id(emulator_with_connections, name) for name in SECRETS)
    conf = {**stack.files, "conn_id": right, "wrong_conn_id": wrong}
    with watched(stack) as rows:
        run_id = stack.rest.start("test_secrets", conf)
        assert stack.rest.wait_for_run("test_secrets", run_id, timeout_seconds=300) == "failed"
    states = {each["task_id"]: each["state"] for each in stack.rest.task_instances("test_secrets", run_id)}

    assert sorted(name for name, state in states.items() if state == "failed") == [
        "fails_in_the_cloud",
        "wrong_secret",
    ]
    (text,) = (path.read_bytes() for path in stack.outbox.glob("[!.]*"))
    wanted = {name: secret.encode() for name, secret in SECRETS.items()}
    wanted |= {f"token {index}": token.encode() for index, token in enumerate(tokens)}
    wanted |= {f"scan {name}": piece for name, piece in needles(SCAN.read_bytes()).items()}
    wanted["text"] = text.strip()
    assert tokens
    assert len(text) > 20
    assert leaks(stack.airflow.home, wanted) == []
    assert not [
        row for row in rows.seen if any(needle.decode("latin-1") in row for needle in wanted.values())
    ]

    # That grep finds what is there.
    assert leaks(stack.airflow.home, {"dag": b"fails_in_the_cloud"})
    assert leaks(SCAN.parent, {"scan": wanted["scan raw"]})

    failed = stack.rest.logs("test_secrets", run_id, "fails_in_the_cloud")
    assert "Upside" in failed
    assert "\x1b[31m" not in failed
    assert "x" * 3000 not in failed


def test_code_that_prints_its_secrets_does_not_get_them_into_its_log(
    stack: Stack, emulator_with_connections: Emulator, tokens: list[str]
) -> None:
    run_id = stack.rest.start("test_careless", {"conn_id": conn_id(emulator_with_connections, "secrets")})
    assert stack.rest.wait_for_run("test_careless", run_id, timeout_seconds=300) == "failed"
    folders = [path for path in stack.airflow.home.rglob("dag_id=test_careless") if path.is_dir()]
    assert folders
    wanted = {"secret": SECRETS["secrets"].encode(), "token": tokens[-1].encode()}
    assert [leak for folder in folders for leak in leaks(folder, wanted)] == []
    log = stack.rest.logs("test_careless", run_id, "careless")
    assert "Account(client_id=" in log
    assert "***" in log

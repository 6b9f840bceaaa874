from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import requests

from airflow_provider_asposeocr.emulator.work.jobs import Job, JobError, JobOutcome, JobResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.server import Emulator

FORM = {"grant_type": "client_credentials", "client_id": "emulator", "client_secret": "emulator"}


class CloudClient:
    """Speaks to an emulator as plainly as possible."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.url = emulator.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.headers: dict[str, str] = {}

    def login(self, client_id: str = "emulator", client_secret: str = "emulator") -> CloudClient:
        form = {**FORM, "client_id": client_id, "client_secret": client_secret}
        answer = self.session.post(f"{self.url}/connect/token", data=form)
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        headers = {**self.headers, **arguments.pop("headers", {})}
        return self.session.request(method, f"{self.url}/v5.0/ocr/{path}", headers=headers, **arguments)

    def post(
        self, operation: str, image: bytes = b"image", settings: Any = None, **arguments: Any
    ) -> requests.Response:
        body: dict[str, Any] = {"image": base64.b64encode(image).decode()}
        if settings is not None:
            body["settings"] = settings
        return self.call("POST", operation, json=body, **arguments)

    def submit(self, operation: str = "RecognizeImage", image: bytes = b"image", settings: Any = None) -> str:
        answer = self.post(operation, image, settings)
        assert answer.status_code == 200, answer.text
        return answer.text

    def fetch(self, task_id: str, operation: str = "RecognizeImage") -> dict[str, Any]:
        answer = self.call("GET", operation, params={"id": task_id})
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def status(self, task_id: str) -> dict[str, Any]:
        return self.fetch(task_id, "Utilities/GetTaskStatus")

    def cancel(self, task_id: str, operation: str = "RecognizeImage") -> requests.Response:
        return self.call("DELETE", operation, params={"id": task_id})

    def run(
        self, operation: str = "RecognizeImage", image: bytes = b"image", settings: Any = None
    ) -> dict[str, Any]:
        task_id = self.submit(operation, image, settings)
        self.wait(task_id)
        return self.fetch(task_id, operation)

    def wait(self, task_id: str, *states: str) -> str:
        """Wait until a task is in one of the states (by default: has ended); asks where the journal does not look."""
        wanted = states or ("Completed", "Error", "NotExist")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = next(task["status"] for task in self.emulator.control.tasks() if task["id"] == task_id)
            if status in wanted:
                return str(status)
        raise AssertionError(f"The task is {status}, not {wanted}.")


class ScriptedWorker:
    """A worker that does what the payload says, once ``gate`` is open."""

    name = "scripted"

    def __init__(self) -> None:
        self.gate: Callable[[], object] = lambda: None
        self.jobs: list[Job] = []

    def __call__(self, job: Job) -> JobOutcome:
        self.jobs.append(job)
        self.gate()
        command, _, argument = job.payload.read_bytes().partition(b":")
        if command == b"refuse":
            raise JobError(argument.decode())
        if command == b"crash":
            raise ZeroDivisionError(argument.decode())
        if command == b"nothing":
            return JobOutcome(())
        result = job.result_dir / "echo"
        result.write_bytes(argument)
        warned = (("slow",), ("blurred",)) if command == b"warn" else ((), ())
        return JobOutcome((JobResult("Text", result),), *warned)


def decoded(answer: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [
        (entry["type"], base64.b64decode(entry["data"], validate=True)) for entry in answer["results"] or []
    ]

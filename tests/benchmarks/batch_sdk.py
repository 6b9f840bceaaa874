"""
Move small documents through three cloud steps with the vendor's SDK 24.11.0 in a pool of 32 threads, as in one ``@task``.

``batch_sdk.py URL DOCUMENTS BYTES`` runs in the SDK's environment and prints the CPU time of its process per document. The
SDK sees the best case: each thread keeps its clients, the token is asked for once, and each step is done at its first poll.
What nobody may leave out is in it: it looks at what a poll says, decodes each result, and stores the last one.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "contract"))

import sdk_driver

THREADS = 32
#: The steps and the wait of :mod:`.batch_movers`, whose modules this environment lacks.
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("UpscaleImage", {}),
    ("BinarizeImage", {}),
    ("RecognizeImage", {"resultType": "Text"}),
)
WAIT_SECONDS = 1.6


class Mover:
    """
    Moves documents.

    :param url: The emulator's.
    :param folder: For sources and results.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._token = sdk_driver.documented_token(url, "emulator", "emulator")
        self._kept = threading.local()

    def _api(self, operation: str) -> Any:
        kept = vars(self._kept)
        if operation not in kept:
            kept[operation] = sdk_driver.api(operation, self._url, self._token)
        return kept[operation]

    def _submit(self, operation: str, content: bytes, settings: dict[str, Any]) -> str:
        method = getattr(self._api(operation), f"post_{sdk_driver.snake(operation)}")
        body = sdk_driver.body_class(method)
        fields: dict[str, Any] = {"image": base64.b64encode(content).decode()}
        if "settings" in body.model_fields:
            fields["settings"] = body.model_fields["settings"].annotation(**settings)
        return str(method(body(**fields)))

    def _wait(self, operation: str, id: str) -> None:
        status = "Pending"
        while status in ("Pending", "Processing"):
            time.sleep(WAIT_SECONDS)
            status = str(self._api("Utilities").get_task_status(id=id).task_status.value)
        if status != "Completed":
            raise RuntimeError(f"{operation} {id} is {status}.")

    def move(self, index: int) -> None:
        """Take one document through all steps."""
        content = (self._folder / f"{index}.png").read_bytes()
        for operation, settings in STEPS:
            id = self._submit(operation, content, settings)
            self._wait(operation, id)
            answer = getattr(self._api(operation), f"get_{sdk_driver.snake(operation)}")(id=id)
            content = base64.b64decode(answer.results[0].data)
        (self._folder / f"{index}.txt").write_bytes(content)


def run(url: str, documents: int, size: int) -> dict[str, float]:
    """Move a number of documents, and return CPU and wall time per document in milliseconds."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(THREADS) as pool:
        folder = Path(name)
        noise = random.Random(1).randbytes(size)
        for index in range(documents):
            start = b"\x89PNG\r\n\x1a\n" + index.to_bytes(8, "big")
            (folder / f"{index}.png").write_bytes((start + noise)[:size])
        mover = Mover(url, folder)
        cpu, wall = time.process_time(), time.monotonic()
        list(pool.map(mover.move, range(documents)))
        spent = {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}
        return {what: seconds * 1000 / documents for what, seconds in spent.items()}


if __name__ == "__main__":
    address, count, bytes_each = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    run(address, max(THREADS, count // 10), bytes_each)
    print(json.dumps(run(address, count, bytes_each)))

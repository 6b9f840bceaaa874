"""
The vendor's SDK for tests: a process in the SDK's environment that takes commands.

Invariant: no proxy and no credentials of this machine reach that process, and it ends with the context manager.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.make_sdk_environments import interpreter, is_complete

if TYPE_CHECKING:
    from types import TracebackType

CHECKOUT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("sdk_driver.py")
#: Names the folder with the environments, where it is not the default one.
VARIABLE = "ASPOSE_OCR_SDK_ENVIRONMENTS"


class SdkError(Exception):
    """
    What the SDK raised.

    :param type: Name of the exception's class.
    :param status: HTTP status, if it carries one.
    :param message: Its text.
    """

    def __init__(self, type: str, status: int | None, message: str) -> None:
        super().__init__(f"{type} ({status}): {message}")
        self.type = type
        self.status = status


class Sdk:
    """
    One release of the SDK, as a context manager.

    :param release: For example ``24.11.0``.
    """

    def __init__(self, release: str) -> None:
        folder = Path(os.environ.get(VARIABLE) or CHECKOUT / ".env-sdk")
        if not is_complete(folder, release):
            pytest.fail(
                f"There is no environment with aspose-ocr-cloud {release} in {folder}. Run"
                f" `python tests/contract/make_sdk_environments.py {folder}`, or set {VARIABLE} to the folder"
                " where it was run.",
                pytrace=False,
            )
        self.release = release
        self._process = subprocess.Popen(
            [str(interpreter(folder, release)), str(DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )

    @property
    def has_token_of_its_own(self) -> bool:
        """24.11.0 lost what 24.8.0 could: asking for a token."""
        return self.release == "24.8.0"

    def call(self, command: str, **arguments: Any) -> Any:
        """
        Run a command of the driver.

        :param command: Name of a function of ``sdk_driver.py``.
        :param arguments: Its arguments.
        :return: What it returned.
        :raises SdkError: if it raised.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, f"the driver in the environment of {self.release} died; stderr says why"
        answer = json.loads(line)
        if "error" in answer:
            raise SdkError(**answer["error"])
        return answer["value"]

    def __enter__(self) -> Sdk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)  # Closes its stdin, which ends it.

"""
The processes of the benchmark of large documents: the programs that transfer them, and the stores.

Invariant: each program that is measured is a process of its own that has imported everything and moved a tiny document
before; the emulator and the stores are others, so that their memory is in no figure. What is missing is named, and nothing
is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.contract.make_sdk_environments import interpreter, is_complete

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
SDK_RELEASE = "24.11.0"
SDK_ENVIRONMENTS = Path(os.environ.get("ASPOSE_OCR_SDK_ENVIRONMENTS") or CHECKOUT / ".env-sdk")
_NEEDED = (
    "s3fs",
    "adlfs",
    "moto",
    "apache-airflow-providers-amazon",
    "apache-airflow-providers-microsoft-azure",
)


def check_what_is_needed() -> None:
    """
    See that everything is there.

    :raises SystemExit: if not; says what, and how to get it.
    """
    azurite = Path(os.environ.get("ASPOSE_OCR_AZURITE") or CHECKOUT / ".env-azurite")
    if not (shutil.which("node") and (azurite / "node_modules" / "azurite").is_dir()):
        raise SystemExit(
            f"There is no node, or no Azurite in {azurite}: run `sh tools/azurite.sh {azurite}`, or set"
            " ASPOSE_OCR_AZURITE."
        )
    missing = [name for name in _NEEDED if not _is_there(name)]
    if missing:
        raise SystemExit(
            f"{sys.executable} lacks {', '.join(missing)}: install the dependency group 'production' of pyproject.toml"
            " (make .venv-production/stamp) and use its interpreter."
        )
    if not is_complete(SDK_ENVIRONMENTS, SDK_RELEASE):
        raise SystemExit(
            f"There is no environment with aspose-ocr-cloud {SDK_RELEASE} in {SDK_ENVIRONMENTS}: run"
            f" `python tests/contract/make_sdk_environments.py {SDK_ENVIRONMENTS}`, or set"
            " ASPOSE_OCR_SDK_ENVIRONMENTS."
        )


def _is_there(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


@dataclass(frozen=True)
class Measured:
    """
    One thing done once.

    :param value: What it returned.
    :param seconds: Wall time.
    :param cpu_seconds: CPU time of the process that did it.
    :param peak_bytes: Memory beyond the idle process.
    """

    value: Any
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class Mover:
    """
    A program that moves documents, as a context manager.

    :param program: Its file in this folder.
    :param environment: Added to its environment.
    """

    def __init__(self, program: str, environment: dict[str, str]) -> None:
        python = (
            interpreter(SDK_ENVIRONMENTS, SDK_RELEASE) if program == "document_sdk.py" else sys.executable
        )
        self._process = subprocess.Popen(
            [str(python), str(HERE / program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **environment},
        )

    @contextmanager
    def fresh(self, environment: dict[str, str] | None = None) -> Iterator[Mover]:
        """
        Let a fresh process of the program take the commands; one at a time.

        :param environment: Added to its environment.
        """
        self._tell({"do": "begin", "environment": environment or {}})
        yield self
        self._tell({"do": "end"})

    def do(self, command: str, **arguments: Any) -> Measured:
        """
        Let the process do something.

        :param command: Name of a command of the program.
        :param arguments: Its arguments.
        :return: What it measured.
        """
        return Measured(**self._tell({"do": command, **arguments}))

    def _tell(self, command: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(command) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended in {command['do']}; stderr says why.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Mover:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # Closes its stdin, which ends it.


@dataclass(frozen=True)
class Store:
    """
    Where documents come from and results go to.

    :param name: For the table.
    :param environment: With which a process reaches it.
    :param source: URI of the large document.
    :param tiny: URI of a tiny one.
    :param folder: URI for results, with a slash at its end.
    """

    name: str
    environment: dict[str, str]
    source: str
    tiny: str
    folder: str


@contextmanager
def stores(folder: Path, document: Path, tiny: Path) -> Iterator[list[Store]]:
    """
    Run moto and Azurite, and put the documents into both.

    :param folder: For their files.
    :param document: The large document.
    :param tiny: The tiny one.
    :return: A context in which there are the local disk, S3 and Azure.
    """
    sys.path.append(str(CHECKOUT / "tests" / "stores"))
    import store_kinds
    import store_servers

    results = folder / "results"
    results.mkdir()
    found = [Store("file", {}, str(document), str(tiny), f"{results}/")]
    with ExitStack() as stack:
        for name, run, kind in (
            ("S3 (moto)", store_servers.moto, store_kinds.S3),
            ("Azure (Azurite)", store_servers.azurite, store_kinds.AzureBlob),
        ):
            (home := folder / name.split()[0]).mkdir()
            server = stack.enter_context(run(home, folder / "strays"))
            places = [kind(server), kind(server)]
            for place, path in zip(places, (document, tiny), strict=True):
                place.put(path.read_bytes())
            # Past the gate, which is there for tests that stop an upload in its middle.
            direct = {
                key: value.replace(f":{server.gate.port}", f":{server.port}")
                for key, value in places[0].environment.items()
            }
            target = places[0].uri.rsplit("/", 1)[0] + "/results/"
            found.append(Store(name, direct, places[0].uri, places[1].uri, target))
        yield found

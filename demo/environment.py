"""The environment of `make demo` and `make airflow`: an emulator per engine, and an Airflow with connections to them.

Invariant: the context manager ends everything that it has started, also after Ctrl-C or SIGTERM. All files are below one
folder of the checkout that git ignores.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.emulators import CONNECTIONS, connection, engines_here, port_of, start_emulator
from demo.local_airflow import LocalAirflow
from demo.processes import CHECKOUT, stop_services
from demo.rest import AirflowRest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from demo.processes import Service

FOLDER = CHECKOUT / ".demo"
EMULATOR_GRACE_SECONDS = 5.0
# The default of ten minutes suits a cloud that bills polls; the emulator is on the same machine and done in seconds.
MAX_POLL_INTERVAL = {"AIRFLOW__ASPOSE_OCR__MAX_POLL_INTERVAL_SECONDS": "4"}
# Most tasks of the demo only wait for an emulator; six slots keep both engines busy.
PARALLELISM = 6


class Clock:
    """Prints lines with the seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line with the elapsed time in front."""
        print(f"[{time.monotonic() - self._started:4.0f} s] {text}", flush=True)


@dataclass(frozen=True)
class DemoEnvironment:
    """A running Airflow and the emulators behind its connections, by engine."""

    airflow: LocalAirflow
    rest: AirflowRest
    emulators: dict[str, Service]

    @property
    def engines(self) -> list[str]:
        """The engines that run, the default one first."""
        return list(self.emulators)

    def check(self) -> None:
        """Raise `ServiceError` if anything has ended on its own."""
        self.airflow.check()
        for emulator in self.emulators.values():
            emulator.check()


@contextmanager
def demo_environment(
    folder: Path, dags: Sequence[Path], clock: Clock, variables: Mapping[str, str] | None = None
) -> Iterator[DemoEnvironment]:
    """Start emulators and Airflow, and end them.

    :param folder: folder for all their files; the files of an earlier run are removed.
    :param dags: folders with DAGs.
    :param clock: prints what happens.
    :param variables: more environment variables of Airflow's components.
    :return: yields the running environment.
    :raises ServiceError: if something did not start; it says what and why.
    """
    _empty(folder)
    emulators: dict[str, Service] = {}
    with ExitStack() as stack:
        stack.callback(lambda: stop_services(emulators.values(), EMULATOR_GRACE_SECONDS))
        for engine, why_not in engines_here().items():
            if why_not is None:
                emulators[engine] = start_emulator(engine, folder)
            else:
                clock.say(f"without {engine}: {why_not}")
        env = {**MAX_POLL_INTERVAL, **(variables or {})}
        for engine, emulator in emulators.items():
            port = port_of(emulator)
            env[f"AIRFLOW_CONN_{CONNECTIONS[engine].upper()}"] = connection(port)
            clock.say(f"emulator of the cloud with {engine} on http://127.0.0.1:{port}")
        clock.say("starting Airflow (database, API server, scheduler, dag-processor, triggerer)")
        airflow = stack.enter_context(LocalAirflow(folder / "airflow", dags, env, parallelism=PARALLELISM))
        clock.say(f"Airflow is up on {airflow.base_url}")
        running = DemoEnvironment(airflow, AirflowRest(airflow.base_url, lambda: running.check()), emulators)
        yield running


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does, so that its context managers are closed."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)

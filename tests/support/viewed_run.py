"""An Airflow with roles and one run with something to see, for the tests of the viewer in a browser."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.support.airflow_stack import CHECKOUT, SCAN, SECRET, connection
from tests.support.patience import PATIENCE_SECONDS
from tests.support.role_server import RoleServer
from tests.support.viewer_browser import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAGS = CHECKOUT / "tests" / "airflow" / "dags" / "viewer_dags.py"
#: As Airflow names a run that a user starts in its UI: with characters that mean something in an address.
RUN_ID = "manual__2026-03-02T08:00:00+00:00"


@contextmanager
def viewed_run(folder: Path, python: Path | str = sys.executable) -> Iterator[Seen]:
    """
    Run the DAG ``viewer`` on a scan with a real OCR engine, and serve it to users with roles.

    :param folder: For all files.
    :param python: The interpreter with Airflow and the provider.
    """
    inbox, dags = folder / "inbox", folder / "dags"
    for each in (inbox, dags):
        each.mkdir()
    shutil.copy(DAGS, dags)
    for number in range(3):
        shutil.copy(SCAN, inbox / f"scan-{number}.png")
    (inbox / "no-image.png").write_bytes(b"text")
    secrets = ("--client-id", "tests", "--client-secret", SECRET)
    with EmulatorProcess("--engine", "rapidocr", *secrets) as cloud:
        env = {"AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(cloud.url)}
        with LocalAirflow(folder / "airflow", dags, env, python=python) as airflow:
            rest = AirflowRest(airflow.base_url, airflow.check)
            conf = {"scan": str(SCAN), "inbox": f"{inbox}/", "outbox": f"file://{folder}/outbox/"}
            run_id = rest.start("viewer", conf, RUN_ID)
            with RoleServer(airflow) as server:
                assert rest.wait_for_run("viewer", run_id, timeout_seconds=PATIENCE_SECONDS) == "success"
                yield Seen(server, rest, run_id, folder, airflow, cloud.control)

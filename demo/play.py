"""The playground, `python -m demo.play`: Airflow with its UI and the emulators, until Ctrl-C.

Invariant: as the demo's: nothing is left running, and all files are below one folder.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from demo.environment import FOLDER, Clock, DemoEnvironment, demo_environment, end_on_signals
from demo.inbox import create_pool, environment, fill_inbox
from demo.processes import CHECKOUT, ServiceError
from demo.rest_session import RestError

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAY = FOLDER / "play"
INBOX, OUTBOX = PLAY / "inbox", PLAY / "outbox"
VIEWER_DAG = "demo_viewer"
# The task whose first document has words: its page shows them in boxes.
VIEWER_TASK = "read.fetch"
VIEWER_SECONDS = 600.0
DAGS = [CHECKOUT / "example_dags", CHECKOUT / "demo" / "dags"]


def welcome(base_url: str, engines: Sequence[str]) -> str:
    """Say where Airflow is, who may log in, and what to do. Pure.

    :param base_url: the address of the API server.
    :param engines: the OCR engines that run; each has a DAG of the demo.
    """
    lines = [
        f"Open {base_url} (there is no login: every visitor is an administrator), for example:",
        *(f"  {base_url}/dags/demo_{engine}   unpause it and press Trigger" for engine in engines),
        "The example DAGs (aspose_ocr_...) can be triggered with their defaults.",
        f"They read from {INBOX}/ and write to {OUTBOX}/.",
        f"Logs: {PLAY}",
        "Ctrl-C ends everything.",
    ]
    return "\n".join(lines)


def where_to_look(base_url: str, run_id: str) -> str:
    """Say where the results of a run can be seen. Pure.

    :param base_url: the address of the API server.
    :param run_id: a run of `VIEWER_DAG`.
    """
    view = f"{base_url}/aspose-ocr/view/{VIEWER_DAG}/{run_id}"
    lines = [
        "See what was read:",
        f"  {view}/{VIEWER_TASK}/0   a scan, with a box around each word",
        f"  {view}   all documents of the run",
        f"  {base_url}/dags/{VIEWER_DAG}/runs/{run_id}   the run in Airflow's UI: the tab OCR results",
    ]
    return "\n".join(lines)


def show_results(running: DemoEnvironment) -> None:
    """Run the DAG whose results are worth a look, and print where they are.

    :param running: the playground. A run that fails, or does not start, is no reason to end it.
    """
    print(f"\nReading some scans, which takes a minute or two ({VIEWER_DAG}) ...", flush=True)
    try:
        # A busy machine may take minutes to read all DAGs.
        running.rest.wait_for_dag(VIEWER_DAG, VIEWER_SECONDS)
        run_id = running.rest.start(VIEWER_DAG)
    except RestError as error:
        print(f"No scans were read: {error}", flush=True)
        return
    try:
        state = running.rest.wait_for_run(VIEWER_DAG, run_id, timeout_seconds=VIEWER_SECONDS)
    except RestError as error:
        state = str(error)
    if state != "success":
        print(f"That run has not succeeded: {state}")
    print(where_to_look(running.airflow.base_url, run_id), flush=True)


def main() -> int:
    """Run until Ctrl-C; returns the exit code."""
    end_on_signals()
    try:
        with demo_environment(PLAY, DAGS, Clock(), environment(INBOX, OUTBOX)) as running:
            fill_inbox(INBOX)
            create_pool(running.rest)
            print(f"\n{welcome(running.airflow.base_url, running.engines)}", flush=True)
            show_results(running)
            while True:
                running.check()
                time.sleep(1)
    except (RestError, ServiceError, OSError) as error:
        print(f"The playground failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEverything that was started has been ended.")
        return 0


if __name__ == "__main__":
    sys.exit(main())

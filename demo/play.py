"""The playground, `python -m demo.play`: Airflow with its UI and the emulators, until Ctrl-C.

Invariant: as the demo's: nothing is left running, and all files are below one folder.
"""

from __future__ import annotations

import sys
import time

from demo.environment import FOLDER, Clock, DemoEnvironment, demo_environment, end_on_signals
from demo.inbox import create_pool, environment, fill_inbox
from demo.processes import CHECKOUT, ServiceError
from demo.rest_session import RestError

PLAY = FOLDER / "play"
INBOX, OUTBOX = PLAY / "inbox", PLAY / "outbox"
VIEWER_DAG = "demo_viewer"
VIEWER_SECONDS = 600.0
DAGS = [CHECKOUT / "example_dags", CHECKOUT / "demo" / "dags"]


def show_results(running: DemoEnvironment) -> None:
    """Run the DAG whose results are worth a look, and print where they are.

    :param running: the playground. A run that fails is no reason to end it.
    """
    print(f"\nReading some scans, which takes a minute or two ({VIEWER_DAG}) ...", flush=True)
    run_id = running.rest.start(VIEWER_DAG)
    try:
        state = running.rest.wait_for_run(VIEWER_DAG, run_id, timeout_seconds=VIEWER_SECONDS)
    except RestError as error:
        state = str(error)
    if state != "success":
        print(f"That run has not succeeded: {state}")
    print("See what was read, with a box around each word:")
    print(f"  {running.airflow.base_url}/dags/{VIEWER_DAG}/runs/{run_id}   the tab OCR results")
    print(
        f"  {running.airflow.base_url}/aspose-ocr/view/{VIEWER_DAG}/{run_id}   the same page by itself",
        flush=True,
    )


def main() -> int:
    """Run until Ctrl-C; returns the exit code."""
    end_on_signals()
    try:
        with demo_environment(PLAY, DAGS, Clock(), environment(INBOX, OUTBOX)) as running:
            fill_inbox(INBOX)
            create_pool(running.rest)
            print(f"\nOpen {running.airflow.base_url} (no password), for example:")
            for engine in running.engines:
                print(f"  {running.airflow.base_url}/dags/demo_{engine}   unpause it and press Trigger")
            print("The example DAGs (aspose_ocr_...) can be triggered with their defaults.")
            print(f"They read from {INBOX}/ and write to {OUTBOX}/.")
            print(f"Logs: {PLAY}\nCtrl-C ends everything.", flush=True)
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

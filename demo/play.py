"""The playground, `python -m demo.play`: Airflow with its UI and the emulators, until Ctrl-C.

Invariant: as the demo's: nothing is left running, and all files are below one folder.
"""

from __future__ import annotations

import sys
import time

from demo.processes import CHECKOUT, ServiceError
from demo.stage import FOLDER, Clock, end_on_signals, stage


def main() -> int:
    """Run until Ctrl-C; returns the exit code."""
    end_on_signals()
    try:
        with stage(
            FOLDER / "play", [CHECKOUT / "example_dags", CHECKOUT / "demo" / "dags"], Clock()
        ) as running:
            print(f"\nOpen {running.airflow.base_url} (no password), for example:")
            for engine in running.engines:
                print(f"  {running.airflow.base_url}/dags/demo_{engine}   unpause it and press Trigger")
            print("The example DAGs want, when triggered, a scan and an outbox on this machine:")
            print(f"  {CHECKOUT / 'demo' / 'scans' / '01-75dpi.png'}   {FOLDER / 'play' / 'output'}/")
            print(f"Logs and results: {FOLDER / 'play'}\nCtrl-C ends everything.", flush=True)
            while True:
                running.check()
                time.sleep(1)
    except (ServiceError, OSError) as error:
        print(f"The playground failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEverything that was started has been ended.")
        return 0


if __name__ == "__main__":
    sys.exit(main())

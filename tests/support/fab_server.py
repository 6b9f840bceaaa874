"""
An API server with the FAB auth manager, which most installations have, beside a local Airflow.

It runs in an environment of its own (`make .venv-fab/stamp`), with the database of the other one.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Self

from tests.support.environments import fab_python
from tests.support.role_server import RoleServer

if TYPE_CHECKING:
    from demo.local_airflow import LocalAirflow

#: Name and role; the password is the name. The last role is the tests' own: it may read all but XComs.
FAB_USERS = {"vivian": "Viewer", "ugo": "User", "nora": "NoXComs"}
_MAY_READ = ("DAGs", "DAG Runs", "Task Instances", "Website")
SETUP_SECONDS = 600.0


class FabServer(RoleServer):
    """
    The server, as a context manager.

    :param airflow: A running Airflow, whose database it shares; FAB's tables are added.
    """

    def __init__(self, airflow: LocalAirflow) -> None:
        super().__init__(
            airflow,
            python=fab_python(),
            AIRFLOW__CORE__AUTH_MANAGER="airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            AIRFLOW__API__SECRET_KEY="of the tests alone",
        )

    def __enter__(self) -> Self:
        self._run("-m", "airflow", "fab-db", "migrate")
        self._run("-m", "tests.support.fab_server")
        return super().__enter__()

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [self._python, *arguments],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SETUP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}"


def main() -> None:
    """Create the users; run by the interpreter with FAB's provider."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        security = builder.sm
        security.sync_roles()
        role = security.add_role("NoXComs")
        for resource in _MAY_READ:
            security.add_permission_to_role(role, security.create_permission("can_read", resource))
        for name, role_name in FAB_USERS.items():
            words = {"username": name, "first_name": name, "last_name": name, "email": f"{name}@example.org"}
            if not security.add_user(**words, role=security.find_role(role_name), password=name):
                sys.exit(f"The user {name} was not created.")


if __name__ == "__main__":
    main()

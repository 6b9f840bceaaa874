"""A second API server beside a local Airflow, with roles instead of administrators, and with a path before all addresses."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import requests

from demo.processes import Service, ServiceError, free_port, stop_services

if TYPE_CHECKING:
    from pathlib import Path

    from demo.local_airflow import LocalAirflow

#: Name and role; the password is the name.
USERS = {"vera": "viewer", "ulla": "user"}
START_SECONDS = 180.0


class RoleServer:
    """
    The server, as a context manager.

    :param airflow: A running Airflow, whose database it shares.
    :param path: Path before all addresses, as behind a proxy; "/" at its end.
    :param python: The interpreter; by default that of ``airflow``.
    :param environment: More variables; they win.
    """

    def __init__(
        self, airflow: LocalAirflow, path: str = "/", *, python: Path | None = None, **environment: str
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{path}".rstrip("/")
        passwords = airflow.home / "passwords.json"
        passwords.write_text(json.dumps({name: name for name in USERS}))
        self._log = airflow.home / f"logs-api-server-{self.port}.txt"
        self._env = {
            **airflow.env,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}{path}",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{name}:{role}" for name, role in USERS.items()
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            **environment,
        }
        self._python = str(python or airflow.python)
        self._service: Service | None = None
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        command = [self._python, "-m", "airflow", "api-server"]
        self._service = Service("api-server with roles", command, self._env, self._log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            self._service.check()
            if time.monotonic() > deadline:
                self.__exit__()
                raise ServiceError("the API server with roles did not answer in time")
            time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        if self._service is not None:
            stop_services([self._service], 5.0)

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._service is not None
        return self._service.pid

    def token(self, name: str) -> str:
        """Log a user in; returns the token, which is asked for once."""
        if name not in self._tokens:
            body = {"username": name, "password": name}
            answer = requests.post(f"{self.url}/auth/token", json=body, timeout=60)
            answer.raise_for_status()
            self._tokens[name] = answer.json()["access_token"]
        return self._tokens[name]

    def get(self, path: str, name: str | None = "vera", **arguments: Any) -> requests.Response:
        """Request an address as a user; ``None`` = without a login."""
        return self.request("GET", path, name, **arguments)

    def request(self, method: str, path: str, name: str | None, **arguments: Any) -> requests.Response:
        """Send a request as a user."""
        headers = dict(arguments.pop("headers", {}))
        if name is not None:
            headers["Authorization"] = f"Bearer {self.token(name)}"
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=120, **arguments)

    def write_xcom(
        self, name: str, dag_id: str, run_id: str, task_id: str, value: Any, key: str = "return_value"
    ) -> None:
        """Write an XCom as a user, as Airflow's UI does."""
        xcoms = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries"
        answer = self.request("PATCH", f"{xcoms}/{key}", name, json={"value": value, "map_index": -1})
        if answer.status_code == 404:
            answer = self.request("POST", xcoms, name, json={"key": key, "value": value, "map_index": -1})
        answer.raise_for_status()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/v2/version", timeout=10).status_code == 200
        except requests.RequestException:
            return False

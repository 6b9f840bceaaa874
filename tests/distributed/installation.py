"""
A distributed Airflow on this machine: PostgreSQL, Redis, two Celery workers, two triggerers.

Invariant: workers and triggerers are hosts of their own as far as one machine allows: each has its name, its session,
its temporary files and its log files. They share what hosts would share too: databases, storage, the API server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import requests

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.airflow_settings import as_environment
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.distributed.inbox_place import VARIABLE
from tests.distributed.own_services import own_database, own_redis
from tests.distributed.s3_server import LOGS_CONNECTION, LOGS_FOLDER, S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

#: Where everything of the installation is, and stays after the run.
FOLDER = Path(os.environ.get("DISTRIBUTED_FOLDER", Path(__file__).resolve().parents[2] / ".distributed"))
DAGS = Path(__file__).parent / "dags"
WORKERS = ("celery-worker-1", "celery-worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
#: For the queue that the others leave alone; a test starts it.
LATE_TRIGGERER = "triggerer-3"
COMPONENTS = ("api-server", "scheduler", "dag-processor", *TRIGGERERS, *WORKERS)
#: Not "emulator": a word that common stands in logs by itself, and the masker would mask it everywhere.
ACCOUNT = "storm"
SECRET = "s3cr3t-of-the-storm-account"
WORKER_SLOTS = 3
PRELOADED = [
    "airflow_provider_asposeocr.operators.batch",
    "airflow_provider_asposeocr.operators.fetch",
    "airflow_provider_asposeocr.operators.operations",
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.amazon.aws.log.s3_task_handler",
    "airflow.providers.common.io.xcom.backend",
]
#: How often DAG files are parsed. A watcher begins, or ends, at the parse after its DAG's pause.
PARSE_SECONDS = int(os.environ.get("DISTRIBUTED_PARSE_SECONDS", "60"))
#: Whether triggerers have queues. A triggerer with queues takes no watcher of an asset.
QUEUES = os.environ.get("DISTRIBUTED_QUEUES", "1") != "0"
#: Another triggerer takes over the triggers of one whose heartbeat is older.
TRIGGERER_THRESHOLD_SECONDS = 10


@dataclass
class Installation:
    """
    What a test talks to.

    :param airflow: The processes.
    :param rest: Airflow's REST API.
    :param cloud: The emulated cloud.
    :param cloud_url: Where it listens.
    :param database_url: Airflow's database.
    :param s3: Object storage; task logs go there.
    :param inbox: Folder of the inbox on the disk and of its results.
    """

    airflow: LocalAirflow
    rest: AirflowRest
    cloud: EmulatorControl
    cloud_url: str
    database_url: str
    s3: S3Server
    inbox: Path

    def local_logs(self) -> list[Path]:
        """Task logs that are still on the disk of the host that wrote them, because it died before it sent them away."""
        return [path for path in self.airflow.home.glob("logs-*/**/*.log") if path.stat().st_size]

    def results(self) -> list[dict[str, Any]]:
        """Ask the cloud for its tasks, each with the SHA-256 of its result (of the first, if there are several)."""
        with requests.Session() as session:
            session.trust_env = False  # Loopback needs no proxy.
            form = {"grant_type": "client_credentials", "client_id": ACCOUNT, "client_secret": SECRET}
            token = session.post(f"{self.cloud_url}/connect/token", data=form, timeout=30).json()[
                "access_token"
            ]
            session.headers["Authorization"] = f"Bearer {token}"
            return [task | {"result": self._result(session, task)} for task in self.cloud.tasks()]

    def _result(self, session: requests.Session, task: dict[str, Any]) -> str | None:
        url = f"{self.cloud_url}/v5.0/ocr/{task['operation']}"
        results = session.get(url, params={"id": task["id"]}, timeout=30).json()["results"]
        return hashlib.sha256(base64.b64decode(results[0]["data"])).hexdigest() if results else None

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """
        Ask Airflow's database, which costs the API server nothing.

        :param query: SQL with ``%s`` for values.
        """
        connection = psycopg2.connect(self.database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, values)
                return list(cursor.fetchall())
        finally:
            connection.close()


@contextmanager
def installed(home: Path) -> Iterator[Installation]:
    """
    Start everything, and end it.

    :param home: Existing folder for all files; the logs stay there.
    :return: yields the running installation.
    """
    emulator = EmulatorProcess(
        *("--engine", "canned", "--client-id", ACCOUNT, "--client-secret", SECRET),
        *("--task-seconds", "uniform:1,4"),
    )
    with own_database() as database_url, own_redis() as redis_url, S3Server(home) as s3, emulator:
        secrets_file = home / "connections.json"
        secrets_file.write_text(json.dumps(_connections(emulator.url, s3.url)))
        environment = as_environment(_settings(home, database_url, redis_url, secrets_file))
        environment[VARIABLE] = f"{home}/inbox"
        with LocalAirflow(
            home / "airflow",
            DAGS,
            environment,
            components=COMPONENTS,
            # Tasks of a killed worker count as running until their heartbeat times out; the others shall go on
            # meanwhile. But what is queued has to be run soon, see task_queued_timeout.
            parallelism=WORKER_SLOTS * len(WORKERS) + 6,
            arguments={
                # Workers take all queues of the DAGs. No triggerer takes "nobody" until a test starts the late one.
                **dict.fromkeys(WORKERS, ("--queues", "default,ocr,nobody")),
                **(dict.fromkeys(TRIGGERERS, ("--queues", "default,ocr")) if QUEUES else {}),
                LATE_TRIGGERER: ("--queues", "nobody"),
            },
            own_env={
                host: {"AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "airflow" / f"logs-{host}")}
                for host in (*WORKERS, *TRIGGERERS, LATE_TRIGGERER)
            },
        ) as airflow:
            rest = AirflowRest(airflow.base_url, airflow.check)
            yield Installation(
                airflow, rest, emulator.control, emulator.url, database_url, s3, home / "inbox"
            )


def _connections(cloud_url: str, s3_url: str) -> dict[str, dict[str, Any]]:
    """The secrets backend is a file; nothing about the accounts is in Airflow's database or environment."""
    return {
        "aspose_ocr_default": {
            "conn_type": "aspose_ocr",
            "host": cloud_url,
            "login": ACCOUNT,
            "password": SECRET,
        },
        LOGS_CONNECTION: {
            "conn_type": "aws",
            "login": "logs",
            "password": "logs-secret",
            "extra": json.dumps({"endpoint_url": s3_url, "region_name": "us-east-1"}),
        },
    }


def _settings(home: Path, database_url: str, redis_url: str, secrets_file: Path) -> dict[str, dict[str, Any]]:
    # SQLAlchemy 2.1 reads a bare "postgresql://" as psycopg 3.
    database = database_url.replace("postgresql://", "postgresql+psycopg2://")
    return {
        "core": {
            "executor": "CeleryExecutor",
            "xcom_backend": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        },
        "database": {"sql_alchemy_conn": database},
        "celery": {
            "broker_url": redis_url,
            "result_backend": f"db+{database}",
            "worker_concurrency": WORKER_SLOTS,
            # Every task is a fork of the worker and does not import again what the worker has imported. Imports are most of
            # a task's CPU.
            "extra_celery_config": json.dumps({"imports": PRELOADED}),
        },
        # Messages of a killed worker come back to the queue after this long, and then also those of tasks that
        # still run. The scheduler notices both kinds of loss itself and sooner (below), so it is a day.
        "celery_broker_transport_options": {"visibility_timeout": 86_400},
        "scheduler": {
            # A worker is killed with tasks that run: each is failed after this long without a heartbeat, and retried.
            "task_instance_heartbeat_timeout": 30,
            "task_instance_heartbeat_timeout_detection_interval": 3,
            # And with tasks that it has taken from the queue but not begun: they look queued, and no worker will run them.
            # They are queued again after this long; by default 10 minutes, and only twice.
            "task_queued_timeout": 40,
            "task_queued_timeout_check_interval": 5,
            "num_stuck_in_queued_retries": 20,
            # A scheduler takes over what its predecessor has queued.
            "orphaned_tasks_check_interval": 10,
        },
        # Where the API server is so busy that it answers later, the supervisor says again that the task begins. The second
        # answer is that it runs already, and the task fails before it has begun.
        "workers": {"execution_api_timeout": 30},
        # The DAGs do not change; with two cores the others need them more.
        "dag_processor": {"min_file_process_interval": PARSE_SECONDS, "refresh_interval": PARSE_SECONDS},
        "triggerer": {
            "job_heartbeat_sec": 2,
            "triggerer_health_check_threshold": TRIGGERER_THRESHOLD_SECONDS,
            "queues_enabled": QUEUES,
        },
        "secrets": {
            "backend": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
            "backend_kwargs": json.dumps({"connections_file_path": str(secrets_file)}),
        },
        "logging": {
            "remote_logging": True,
            "remote_base_log_folder": LOGS_FOLDER,
            "remote_log_conn_id": LOGS_CONNECTION,
        },
        "common.io": {"xcom_objectstorage_path": f"file://{home}/xcom", "xcom_objectstorage_threshold": 0},
    }

"""
The metadata of the provider for Airflow: connection form, configuration options, modules.

Invariant: this module imports nothing, because every component and every command of Airflow calls it. ``package-name`` is
the name of the distribution; with another name Airflow does not start.
"""

from __future__ import annotations

from typing import Any


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": schema}


def _option(description: str, type: str, default: str) -> dict[str, Any]:
    return {
        "description": description,
        "type": type,
        "default": default,
        "example": None,
        "version_added": "0.1.0",
    }


CONN_FIELDS: dict[str, dict[str, Any]] = {
    "evaluation_mode": _field(
        "Evaluation mode",
        "Call the trial endpoints, which need no account and mask a tenth of the words.",
        type=["boolean", "null"],
        default=False,
    ),
    "request_timeout_seconds": _field(
        "Request timeout (seconds)",
        "Longest wait for the next bytes of an answer; 60 by default.",
        type=["number", "null"],
        exclusiveMinimum=0,
        maximum=3600,
    ),
    "connect_timeout_seconds": _field(
        "Connect timeout (seconds)",
        "Longest wait for a connection; 10 by default.",
        type=["number", "null"],
        exclusiveMinimum=0,
        maximum=600,
    ),
    "max_requests_per_second": _field(
        "Status requests per second",
        "Most status requests per second that one triggerer makes over this connection; 20 by default.",
        type=["number", "null"],
        exclusiveMinimum=0,
        maximum=1000,
    ),
    "max_connections": _field(
        "Connections per triggerer",
        "Most connections that one triggerer keeps to the cloud for this account; 16 by default.",
        type=["integer", "null"],
        minimum=2,
        maximum=1000,
    ),
    "ca_bundle": _field(
        "CA bundle",
        "File with the certificates to trust, on every worker, triggerer and API server.",
        type=["string", "null"],
    ),
    "proxy": _field(
        "Proxy",
        "URL of a proxy; by default the proxy environment variables are followed.",
        type=["string", "null"],
        format="password",
    ),
    "token_url": _field(
        "Token URL",
        "Where tokens are issued; /connect/token of the base URL by default.",
        type=["string", "null"],
    ),
}

CONFIG: dict[str, dict[str, Any]] = {
    "aspose_ocr": {
        "description": "Defaults for all tasks of the Aspose.OCR Cloud provider.",
        "options": {
            "inline_wait_seconds": _option(
                "How long a task waits in its worker before it defers. A deferral costs a second worker process, and "
                "most cloud tasks take a few seconds. With 0 the task defers at once.",
                "float",
                "5",
            ),
            "poll_interval_seconds": _option(
                "Shortest time between two polls of one task. Until typical durations are known, the first poll is made "
                "after twice this time.",
                "float",
                "0.8",
            ),
            "max_poll_interval_seconds": _option(
                "Longest time between two polls of one task; the interval grows with the age of the task.",
                "float",
                "600",
            ),
            "timeout_seconds": _option(
                "How long a task waits for its cloud task before it cancels it.", "float", "3600"
            ),
            "error_budget_seconds": _option(
                "How long polls may fail in a row before the wait fails. The default outlasts the ten minutes of the "
                "vendor's lock-out.",
                "float",
                "900",
            ),
            "batch_polls_per_second": _option(
                "Most polls per second of one batch. The connection's limit for a triggerer holds besides while the batch "
                "is deferred.",
                "float",
                "200",
            ),
            "defer_idle_seconds": _option(
                "Shortest time without work for which a batch leaves its worker. A deferral costs up to 0.75 seconds of CPU "
                "in Airflow's processes, and some seconds of latency.",
                "float",
                "20",
            ),
            "installation": _option(
                "Name of this Airflow installation. Set it where batches of two installations share a state folder and may "
                "have DAGs, runs and tasks of the same names.",
                "string",
                "",
            ),
            "preview_roots": _option(
                "Folders from which the viewer in Airflow's UI may show files, divided by commas; a file elsewhere is not "
                "shown. Empty = no limit: a file is shown if its size and checksum are those of the manifest.",
                "string",
                "",
            ),
            "previews": _option(
                "Whether fetches and batches store pictures of the pages of their documents, for the page of results in "
                "Airflow's UI. It needs the extra 'preview' on workers.",
                "boolean",
                "False",
            ),
            "event_delay_seconds": _option(
                "Shortest time between a deferral and its event. The LocalExecutor fails a task whose trigger fires "
                "before Airflow has noticed the exit of the worker process. -1 stands for the time that the "
                "LocalExecutor needs if it is configured, and for 0 otherwise.",
                "float",
                "-1",
            ),
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """
    Describe the provider to Airflow.

    :return: The provider's metadata in the form of Airflow's ``provider_info.schema.json``.
    """
    integration = "Aspose.OCR Cloud"
    root = "airflow_provider_asposeocr"
    return {
        "package-name": "airflow-provider-asposeocr",
        "name": integration,
        "description": "Recognize images and PDF documents with Aspose.OCR Cloud v5.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://docs.aspose.cloud/ocr/",
                "tags": ["service"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "aspose_ocr",
                "hook-class-name": f"{root}.hooks.aspose_ocr.AsposeOcrHook",
                "hook-name": integration,
                "ui-field-behaviour": {
                    # The field Port is shown although the base URL can contain the port. If the field is empty, the Test
                    # button of Airflow 3.3.1 and 3.3.2 fails: the UI sends port 0, and the API takes that for another
                    # host (apache/airflow#73298).
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "login": "Client id",
                        "password": "Client secret",
                        "host": "Base URL",
                    },
                    "placeholders": {
                        "host": "https://api.aspose.cloud",
                        "port": "443 for https; the Test button of Airflow 3.3.2 needs it",
                        "login": "from the vendor's dashboard; empty in evaluation mode",
                    },
                },
                "conn-fields": CONN_FIELDS,
            }
        ],
        "hooks": [{"integration-name": integration, "python-modules": [f"{root}.hooks.aspose_ocr"]}],
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [
                    f"{root}.operators.submit",
                    f"{root}.operators.operations",
                    f"{root}.operators.fetch",
                    f"{root}.operators.batch",
                    f"{root}.operators.cancel",
                    f"{root}.operators.plan_inbox",
                ],
            }
        ],
        "sensors": [{"integration-name": integration, "python-modules": [f"{root}.sensors.aspose_ocr"]}],
        "triggers": [
            {
                "integration-name": integration,
                "python-modules": [
                    f"{root}.triggers.task",
                    f"{root}.triggers.start",
                    f"{root}.triggers.batch",
                    f"{root}.triggers.inbox",
                ],
            }
        ],
        "extra-links": [f"{root}.links.AsposeOcrResultLink"],
        "plugins": [{"name": "aspose_ocr", "plugin-class": f"{root}.plugin.AsposeOcrPlugin"}],
        "config": CONFIG,
    }

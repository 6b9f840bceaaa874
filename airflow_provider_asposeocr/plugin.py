"""
The plugin of the viewer: two tabs in Airflow's UI, and the pages that the API server shows in them.

Invariant: Airflow imports its plugins in each process that runs a task. Therefore this module imports nothing of the viewer;
the API server loads it with the first request to one of its addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from airflow_provider_asposeocr import operators

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

#: Where the API server mounts the viewer, below the path of ``[api] base_url``.
PREFIX = "/aspose-ocr"
_WITHOUT_RESULTS = ("AsposeOcrCancelTasksOperator", "AsposeOcrPlanInboxOperator")
#: Operators whose task instances have results, and so the tab, where Airflow can choose (after 3.3). Airflow compares the
#: names of classes, so that a subclass has the link alone. Of a run it compares no operators.
WITH_RESULTS = [name for name in operators.__all__ if name not in _WITHOUT_RESULTS]


class LazyViewer:
    """
    An ASGI application that imports the viewer with its first request.

    Airflow mounts any ASGI application, and looks at none of its attributes. The viewer needs no start and no end.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request."""
        if self._app is None:
            from airflow_provider_asposeocr.viewer.app import make_app

            self._app = make_app()
        await self._app(scope, receive, send)


def _address(path: str) -> str:
    # A path that begins with a slash leaves the folder below which a proxy may serve Airflow.
    base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{base}{PREFIX}{path}"


class AsposeOcrPlugin(AirflowPlugin):
    """What Airflow mounts and shows."""

    name = "aspose_ocr"
    fastapi_apps = [{"app": LazyViewer(), "url_prefix": PREFIX, "name": "Aspose.OCR results"}]
    # Airflow's UI replaces the words in braces. A query could not take them: the plus sign of a run id would become a blank.
    external_views = [
        {
            "name": "OCR result",
            "href": _address("/view/{DAG_ID}/{RUN_ID}/{TASK_ID}/{MAP_INDEX}"),
            "destination": "task_instance",
            "url_route": "aspose-ocr-result",
            "applies_to": {"operators": WITH_RESULTS},
        },
        {
            "name": "OCR results",
            "href": _address("/view/{DAG_ID}/{RUN_ID}"),
            "destination": "dag_run",
            "url_route": "aspose-ocr-results",
        },
    ]

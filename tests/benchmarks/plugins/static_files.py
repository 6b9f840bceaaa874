"""
A plugin of Airflow that serves files of a folder: what the viewer is measured against.

The files pass the same server, the same middleware and the same network as those of the viewer.
"""

from __future__ import annotations

import os

from airflow.plugins_manager import AirflowPlugin
from starlette.staticfiles import StaticFiles


class StaticFilesPlugin(AirflowPlugin):
    """What Airflow mounts."""

    name = "static_files"
    fastapi_apps = [
        {
            "app": StaticFiles(directory=os.environ["STATIC_FILES_FOLDER"]),
            "url_prefix": "/static-files",
            "name": "Static files",
        }
    ]

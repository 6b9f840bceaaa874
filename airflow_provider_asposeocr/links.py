"""
The address of the page that shows the results of a task instance.

Invariant: an address is made from the ids of a task instance and from Airflow's configuration alone. So it is the same
before and after a deferral, and it is right before there is a result; the page says then that there is none yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

#: Where the API server serves the page, below Airflow's own address.
VIEW = "/aspose-ocr/view"


def instance_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """
    Return how the addresses of the viewer name a task instance.

    :param dag_id: The task instance, as the next three.
    :param map_index: Its place in a mapped task; -1 = the task is not mapped.
    :return: A part of a path, quoted, without slashes at the ends.
    """
    return "/".join(quote(part, safe="") for part in (dag_id, run_id, task_id, str(map_index)))


def result_path(ti: Any) -> str:
    """
    Return the path of the page of a task instance, for a link within Airflow's UI.

    :param ti: A task instance or its key: an object with ``dag_id``, ``run_id``, ``task_id`` and ``map_index``.
    :return: An absolute path. It begins with the path of ``[api] base_url``, because Airflow may be behind a proxy that
        serves it below a folder.
    """
    map_index = -1 if ti.map_index is None else int(ti.map_index)
    base = urlsplit(_base_url()).path.rstrip("/")
    return f"{base}{VIEW}/{instance_path(ti.dag_id, ti.run_id, ti.task_id, map_index)}"


def result_url(ti: Any) -> str:
    """
    Return the address of the page of a task instance, for a log.

    :param ti: As in :func:`result_path`.
    :return: A URL; the path alone where ``[api] base_url`` does not say under which name a browser finds Airflow.
    """
    base = urlsplit(_base_url())
    # The option may contain a password, which is no business of a log.
    host = base.netloc.rpartition("@")[2]
    return f"{base.scheme}://{host}{result_path(ti)}" if base.scheme and host else result_path(ti)


def _base_url() -> str:
    return conf.get("api", "base_url", fallback=None) or ""


class AsposeOcrResultLink(BaseOperatorLink):
    """
    The link "OCR result" of a task instance.

    Airflow's UI shows no tab of a plugin to users that may not list plugins (FAB's viewers). This link leads them to the
    same page. The worker makes it each time its process ends, also at a deferral and after it, with a fresh object of the
    operator.
    """

    name = "OCR result"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the link.

        :param operator: The operator; not used.
        :param ti_key: The task instance or its key.
        :return: A path within Airflow's UI.
        """
        return result_path(ti_key)

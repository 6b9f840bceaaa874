"""
Reports to OpenLineage: which documents a task has read, which files it has written, and which cloud task made them.

Invariant: the OpenLineage provider alone calls these functions. A report must not hide the inlets and outlets of the
user, which it would leave out otherwise, and an error costs the lineage and nothing else.
"""

from __future__ import annotations

import logging
from posixpath import dirname
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.uris import canonical_uri, source_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.documents.manifest import Manifest

log = logging.getLogger(__name__)

#: Folders that a batch has read from and that are named. An event with ten thousand documents would be refused by servers.
MOST_FOLDERS = 100


def dataset_of(uri: str) -> tuple[str, str]:
    """
    Name a file or folder as OpenLineage does.

    :param uri: Its absolute path or URI.
    :return: Namespace and name, without connection and secrets: ``("s3://bucket", "key")``, ``("file", "/data/page.png")``.
    """
    scheme, _, rest = canonical_uri(source_uri(uri)).partition("://")
    if scheme == "file":
        return "file", rest
    host, _, key = rest.partition("/")
    return f"{scheme}://{host}", key or "/"


def lineage_of_submit(operator: Any, ref: TaskRef | None) -> Any:
    """
    Tell what a submit has read: the original document, at the beginning of a chain.

    :param operator: The operator.
    :param ref: Its cloud task; ``None`` where it has none.
    :return: OpenLineage's ``OperatorLineage``; ``None`` where its library is missing.
    """

    def fill(lineage: Any) -> None:
        if ref is not None:
            lineage.inputs += _inputs([ref.source_uri])
            lineage.run_facets.update(_cloud_task(ref))

    return _lineage(operator, fill)


def lineage_of_fetch(operator: Any, manifest: Manifest | None) -> Any:
    """
    Tell what a fetch has written, and of which document.

    :param operator: The operator.
    :param manifest: Its manifest; ``None`` where it has failed before that.
    :return: As in :func:`lineage_of_submit`.
    """

    def fill(lineage: Any) -> None:
        if manifest is None:
            return
        lineage.inputs += _inputs([manifest.source])
        lineage.outputs += [_output(result.uri, result.bytes, 1) for result in manifest.results]
        if manifest.task is not None:
            lineage.run_facets.update(_cloud_task(manifest.task))

    return _lineage(operator, fill)


def lineage_of_batch(
    operator: Any, sources: Iterable[str], destination: str, files: int, size_bytes: int, manifest: str
) -> Any:
    """
    Tell what a batch has read and written: by folder, because it may have ten thousand documents.

    :param operator: The operator.
    :param sources: The URIs of its documents; nothing where it has failed before it listed them.
    :param destination: URI of the folder of its results.
    :param files: How many files it has written.
    :param size_bytes: Their size.
    :param manifest: URI of its manifest, which names every document and every file.
    :return: As in :func:`lineage_of_submit`.
    """

    def fill(lineage: Any) -> None:
        folders = sorted({dirname(source) for source in sources})
        lineage.inputs += _inputs(folders[:MOST_FOLDERS])
        if folders:
            lineage.outputs += [_output(destination, size_bytes, files), _output(manifest, None, 1)]

    return _lineage(operator, fill)


def _lineage(operator: Any, fill: Callable[[Any], None]) -> Any:
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from airflow.providers.openlineage.extractors.manager import ExtractorManager
    except ImportError:
        return None
    lineage: Any = OperatorLineage()
    try:
        fill(lineage)
        if lineage.inputs or lineage.outputs:
            # OpenLineage reads the user's own only if the report is empty.
            ExtractorManager().extract_inlets_and_outlets(lineage, operator)
            lineage.inputs, lineage.outputs = (_once(each) for each in (lineage.inputs, lineage.outputs))
    except Exception as error:  # of a library whose versions differ
        log.warning("The report to OpenLineage is incomplete: %s: %s", type(error).__name__, shown(error))
    return lineage


def _once(datasets: Sequence[Any]) -> list[Any]:
    return list({(each.namespace, each.name): each for each in reversed(datasets)}.values())[::-1]


def _inputs(uris: Iterable[str | None]) -> list[Any]:
    from openlineage.client.event_v2 import Dataset

    named = [dataset_of(uri) for uri in uris if uri]
    return [Dataset(namespace=namespace, name=name) for namespace, name in named]


def _output(uri: str, size_bytes: int | None, files: int) -> Any:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    namespace, name = dataset_of(uri)
    written = statistics.OutputStatisticsOutputDatasetFacet(size=size_bytes, fileCount=files)
    return OutputDataset(namespace=namespace, name=name, outputFacets={"outputStatistics": written})


def _cloud_task(ref: TaskRef) -> dict[str, Any]:
    from openlineage.client.facet_v2 import external_query_run

    source = f"aspose_ocr://{ref.conn_id}/{ref.operation}"
    return {"externalQuery": external_query_run.ExternalQueryRunFacet(externalQueryId=ref.id, source=source)}

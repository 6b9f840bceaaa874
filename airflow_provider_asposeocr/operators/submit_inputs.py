"""What goes into a submit: its document, the upstream cloud tasks, and what makes it the same as that of another try."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, TaskError
from airflow_provider_asposeocr.api.responses import TaskRef, is_task_ref, parse_task_ref
from airflow_provider_asposeocr.documents.sources import identity_of as source_identity
from airflow_provider_asposeocr.documents.sources import parse_source
from airflow_provider_asposeocr.lifecycle.identity import Identity, digest
from airflow_provider_asposeocr.parameters import one_document, rendered

if TYPE_CHECKING:
    from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
    from airflow_provider_asposeocr.operators.submit import AsposeOcrSubmitOperator


def upstreams_of(operator: AsposeOcrSubmitOperator) -> list[TaskRef]:
    """
    Return the cloud tasks whose results go into a submit.

    :param operator: The operator, rendered.
    """
    inputs = [rendered(getattr(operator, name)) for name in operator.input_fields]
    return [parse_task_ref(value) for value in inputs if is_task_ref(value)]


def upstream_of(operator: AsposeOcrSubmitOperator, error: AsposeOcrError) -> TaskRef | None:
    """
    Return the upstream cloud task that an error is about, because then it is the one to clear.

    :param operator: The operator, rendered.
    :param error: The error that ends the operator's task.
    """
    if not isinstance(error, TaskError):
        return None
    return next((upstream for upstream in upstreams_of(operator) if upstream.id == error.task_id), None)


def identity_of(operator: AsposeOcrSubmitOperator, hook: AsposeOcrHook, source: Any) -> Identity:
    """
    Return what makes a submit the same as that of another try.

    :param operator: The operator, rendered.
    :param hook: The hook of the account. Its connection is read after the source was checked: a mistake in a DAG is told
        even where the connection is missing.
    :param source: Its rendered source.
    :raises SourceError: if the source cannot be meant.
    :raises InvalidConnectionError: if there is no connection, or it has mistakes.
    """
    name, version = source_identity(parse_source(one_document(operator, "source", source)))
    return Identity(
        operation=operator.operation,
        source=name,
        version=version,
        settings=digest(operator._requested_settings()),
        account=digest(hook.account.owner),
    )


def name_of(source: Any) -> str | None:
    """
    Return the name of a document before it is read. Errors in the source are raised when it is read.

    :param source: The rendered source of an operator.
    """
    if is_task_ref(source):
        name = source.source_name if isinstance(source, TaskRef) else source.get("source_name")
        return name if isinstance(name, str) else None
    return PurePosixPath(str(source)).name

"""What a submit sends, and what its answer says, the same in a thread and in an event loop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import SubmitUnknownError
from airflow_provider_asposeocr.api.http import endpoints
from airflow_provider_asposeocr.api.http.wire import FileBody, TextBody
from airflow_provider_asposeocr.api.responses import parse_task_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.files.contents import Content
    from airflow_provider_asposeocr.api.http.messages import Answer, Body, Request
    from airflow_provider_asposeocr.api.operations import Operation


@dataclass(frozen=True)
class Submitted:
    """
    An accepted task.

    :param operation: Name of the operation that knows it; the trial variant in evaluation mode.
    :param id: The cloud's id.
    :param submitted_at: When it was sent, which is when the cloud's 24 hours begin at the earliest.
    """

    operation: str
    id: str
    submitted_at: datetime


def document_request(
    account: Account, operation: Operation, document: Content, settings: Mapping[str, Any]
) -> Request:
    """
    Make the request that starts a task.

    :param account: Who is billed.
    :param operation: What to do with the document.
    :param document: Local file that goes in, or its bytes. Its body is made while it is sent.
    :param settings: Settings in the server's spelling, see :func:`.settings.validate_settings`.
    :raises SourceError: if the operation reads a text and the file is none.
    :raises OSError: if there is no such file.
    """
    body: Body
    sent = settings if operation.has_settings else None
    if operation.sends_text:
        body = TextBody(document, sent, operation.body_field)
    else:
        body = FileBody(document, sent, operation.body_field)
    return endpoints.submit_request(account, operation, body)


def parse_submitted(operation: Operation, answer: Answer, sent_at: float) -> Submitted:
    """
    Read the answer to a submit.

    :param operation: What was submitted.
    :param answer: The answer, which is a success.
    :param sent_at: When the submit began, in seconds since the epoch.
    :raises SubmitUnknownError: if the answer has no id, so that it is not known whether the cloud accepted the document.
    """
    try:
        id = parse_task_id(answer.body)
    except ValueError as error:
        raise SubmitUnknownError(
            f"The cloud answered {answer.status} to the submit of {operation.name}, but {error}.",
            operation=operation.name,
            http_status=answer.status,
        ) from None
    return Submitted(operation.name, id, datetime.fromtimestamp(sent_at, UTC))

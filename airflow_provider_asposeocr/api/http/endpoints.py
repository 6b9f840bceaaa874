"""
The requests of the API, made without sending anything: token, submit, status, fetch, cancel.

Invariant: pure. Every request is tested exhaustively, and both clients send the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow_provider_asposeocr.api.http.messages import Body, Kind, Request
from airflow_provider_asposeocr.api.operations import STATUS_PATH, Operation

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.account import Account


def token_request(account: Account) -> Request:
    """
    Ask for a token with client credentials (vendor's docs, "Authorization").

    :param account: Whose token.
    """
    form = urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": account.client_id,
            "client_secret": account.client_secret,
        }
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Request("token", "POST", account.issuer_url, headers, authorized=False, body=form.encode())


def submit_request(account: Account, operation: Operation, body: Body) -> Request:
    """
    Start a task.

    :param account: Who is billed.
    :param operation: What to do.
    :param body: The JSON body, see :mod:`.wire`.
    """
    headers = {"Content-Type": "application/json", "Accept": "text/plain"}
    return Request(
        "submit",
        "POST",
        account.url(operation.path),
        headers,
        authorized=operation.needs_token,
        body=body,
        operation=operation.name,
    )


def _task_request(
    kind: Kind, method: str, account: Account, path: str, operation: Operation, id: str
) -> Request:
    return Request(
        kind,
        method,
        f"{account.url(path)}?id={quote(id, safe='')}",
        {"Accept": "application/json"},
        authorized=operation.needs_token,
        operation=operation.name,
        task_id=id,
    )


def status_request(account: Account, operation: Operation, id: str) -> Request:
    """
    Ask for the status of a task, without its results.

    :param account: Whose task.
    :param operation: The operation that submitted it.
    :param id: The task's id.
    """
    return _task_request("status", "GET", account, STATUS_PATH, operation, id)


def fetch_request(account: Account, operation: Operation, id: str, kind: Kind = "fetch") -> Request:
    """
    Ask for a task's results on the path that submitted it, the only one sure to know the id.

    :param account: Whose task.
    :param operation: The operation that submitted it.
    :param id: The task's id.
    :param kind: ``status`` where the answer is taken as that of a poll.
    """
    return _task_request(kind, "GET", account, operation.path, operation, id)


def cancel_request(account: Account, operation: Operation, id: str) -> Request:
    """
    Remove a task from the cloud's queue.

    :param account: Whose task.
    :param operation: The operation that submitted it.
    :param id: The task's id.
    """
    return _task_request("cancel", "DELETE", account, operation.path, operation, id)

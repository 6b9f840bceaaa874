"""
What an answer that is no success, or no answer at all, means: the error to raise.

Invariant: this module does no I/O and has no clock and no randomness of its own. Every decision is tested exhaustively,
and both clients behave alike.
"""

from __future__ import annotations

import email.utils
import json
import re
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.base_url import place_of
from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.http.messages import Answer, Failure, Kind, Request

_VERBS: dict[Kind, str] = {
    "token": "ask for a token",
    "submit": "submit",
    "status": "read the status of",
    "fetch": "fetch the result of",
    "cancel": "cancel",
}


def retry_after_seconds(answer: Answer, now: float) -> float | None:
    """
    Read ``Retry-After``.

    :param answer: The answer.
    :param now: Seconds since the epoch, for the form that names a date.
    :return: Seconds from now, never negative; ``None`` where the header is missing or makes no sense.
    """
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    parsed = email.utils.parsedate_tz(value) if value else None
    if parsed is None:
        return None
    try:
        return max(0.0, email.utils.mktime_tz(parsed) - now)
    except (ValueError, OverflowError):
        return None


def explanation(answer: Answer) -> str:
    """
    Say what an error answer says.

    :param answer: The answer; its body may be a ``ProblemDetails`` object, an OAuth error, HTML or anything else.
    :return: Its gist in one line, fit to be shown; empty where the body is.
    """
    text = answer.body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return shown(text.strip(), 200)
    if not isinstance(parsed, dict):
        return shown(text.strip(), 200)
    parts = [
        parsed.get(key) for key in ("title", "detail", "error", "error_description", "errors", "message")
    ]
    return shown("; ".join(str(part) for part in parts if part).strip() or text.strip(), 300)


def _described(request: Request, what: str) -> str:
    task = f" {request.operation}" if request.operation else ""
    return f"Could not {_VERBS[request.kind]}{task}: {what.rstrip('.')}."


def _billed_before(request: Request) -> errors.Billed | None:
    """A request about a task costs nothing more than the task did."""
    return "already" if request.kind in ("status", "fetch", "cancel") else None


def about_task(request: Request, error: errors.AsposeOcrError) -> errors.AsposeOcrError:
    """
    Name the task whose answer could not be understood.

    :param request: What was asked.
    :param error: What is wrong with the answer.
    :return: The error itself, to be raised.
    """
    error.billed = _billed_before(request) or error.billed
    return error.about(request.operation, request.task_id)


def held_back_error(request: Request, seconds: float) -> errors.RateLimitedError:
    """
    Say that a request was not sent because the cloud has asked another one to come back later.

    :param request: What was to be asked.
    :param seconds: How long that still holds.
    """
    asked = f"the cloud asks all requests of this connection to wait, for another {seconds:.0f} s"
    error = errors.RateLimitedError(
        _described(request, asked),
        operation=request.operation,
        task_id=request.task_id,
        retry_after_seconds=seconds,
        billed=_billed_before(request),
    )
    error.held_back = True
    return error


def asks_all_to_wait(request: Request, error: errors.AsposeOcrError) -> bool:
    """
    Return whether a refusal applies to the pace of all requests and not only to one request.

    :param request: The request. A refusal of the token endpoint is about the credentials; existing tokens stay valid.
    :param error: The error of the answer.
    """
    if request.kind == "token":
        return False
    return error.http_status == 429 or (error.http_status == 503 and error.retry_after_seconds is not None)


def failure_error(request: Request, failure: Failure) -> errors.AsposeOcrError:
    """
    Say what a missing answer means.

    :param request: What was asked.
    :param failure: How it failed.
    :return: The error to raise when no further attempt is made.
    """
    # The libraries quote URLs, that of a proxy with its password among them.
    detail = shown(re.sub(r"//\S*@", "//", failure.detail), 300)
    cls: type[errors.AsposeOcrError] = errors.CloudUnreachableError
    if failure.cause == "certificate":
        cls = errors.CertificateError
        detail = f"the certificate of the server is not trusted: {detail}"
    elif request.kind == "submit" and failure.sent:
        cls = errors.SubmitUnknownError
        detail = f"the request was sent and no answer came: {detail}"
    elif failure.cause == "proxy":
        cls = errors.ProxyUnreachableError
        detail = f"the proxy {failure.proxy} cannot be used: {detail}"
    elif failure.cause == "scheme":
        cls = errors.SchemeMismatchError
        detail = f"the URL says https and {place_of(request.url)} answers in plain HTTP: {detail}"
    return cls(
        _described(request, detail),
        operation=request.operation,
        task_id=request.task_id,
        billed=_billed_before(request),
    )


#: What each refusal means. 402 and 403 are not documented by the vendor; its Java SDK takes 403 for a bad token.
_REFUSALS: dict[int, type[errors.AsposeOcrError]] = {
    401: errors.AccessDeniedError,
    402: errors.QuotaExceededError,
    403: errors.AccessDeniedError,
    408: errors.CloudUnavailableError,
    429: errors.RateLimitedError,
}


#: Words of a refusal that is about money. Gateways say "quota" and "limit" about mere pace too, hence not in a 429.
_MONEY = re.compile(
    r"\b(payments?|billing|subscriptions?|plan|credits?|balance|per month|monthly)\b", re.IGNORECASE
)
_QUOTA = re.compile(r"\b(quota|limit)\b", re.IGNORECASE)


def _refusal(request: Request, answer: Answer, detail: str) -> type[errors.AsposeOcrError]:
    """Name a refusal; how a used-up plan reads is not documented, so it is taken from its words where it has some."""
    cls = _REFUSALS.get(answer.status, errors.RequestRejectedError)
    if answer.status == 403 and (_MONEY.search(detail) or _QUOTA.search(detail)):
        return errors.QuotaExceededError
    # A poll costs nothing that a wait could save, and one with Retry-After says when it is over.
    paced = request.kind == "status" or "retry-after" in answer.headers
    if answer.status == 429 and _MONEY.search(detail) and not paced:
        return errors.QuotaExceededError
    return cls


def _token_refusal(status: int) -> type[errors.AsposeOcrError]:
    """Wrong credentials answer 400, the lock-out 429 with Retry-After (vendor's platform docs, rate limits)."""
    if status == 429:
        return errors.CredentialsLockedError
    if status in (400, 401, 403):
        return errors.CredentialsRejectedError
    # Anything else, for example a 404, is not the answer of a token endpoint.
    return errors.CloudUnavailableError if status >= 500 or status == 408 else errors.UnexpectedResponseError


def _is_page(answer: Answer) -> bool:
    """Whether a web page came where the API answers in JSON."""
    return answer.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))


#: What servers answer to plain HTTP on a port for https: nginx, Apache, Go, Traefik, Tomcat.
_TLS_WANTED = re.compile(
    r"plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled server port"
    r"|HTTP request to an HTTPS server|requires TLS",
    re.IGNORECASE,
)


def _not_the_cloud(request: Request, answer: Answer, detail: str) -> errors.AsposeOcrError | None:
    """Recognize answers that a proxy or the port gives instead of the cloud; they say nothing about credentials."""
    error: errors.AsposeOcrError
    if answer.status == 407:
        what = "a proxy answered 407, it wants a user and a password"
        error = errors.ProxyUnreachableError(_described(request, what))
    elif answer.status == 400 and request.url.startswith("http:") and _TLS_WANTED.search(detail):
        what = f"the URL says http and {place_of(request.url)} wants https"
        error = errors.SchemeMismatchError(_described(request, what))
    else:
        return None
    error.http_status = answer.status
    error.billed = _billed_before(request) or error.billed
    return error.about(request.operation, request.task_id)


def answer_error(request: Request, answer: Answer, now: float) -> errors.AsposeOcrError:
    """
    Say what an answer that is no success means.

    :param request: What was asked.
    :param answer: What came.
    :param now: Seconds since the epoch.
    :return: The error to raise when no further attempt is made.
    """
    status = answer.status
    detail = explanation(answer)
    if (error := _not_the_cloud(request, answer, detail)) is not None:
        return error
    if request.kind == "token":
        # The token endpoint's words are left out: a gateway may echo the form with the secret.
        cls, detail = _token_refusal(status), "a web page, as of another server" if _is_page(answer) else ""
    elif request.kind == "submit" and (status < 400 or status >= 500 or status == 408):
        # A redirect too may come from behind the point where the task was accepted.
        cls = errors.SubmitUnknownError
    elif status >= 500:
        cls = errors.CloudUnavailableError
    elif status < 400:
        cls = errors.UnexpectedResponseError
    else:
        cls = _refusal(request, answer, detail)
    answering = place_of(request.url) if cls is errors.UnexpectedResponseError else "the cloud"
    said = f"{answering} answered {status}" + (f" ({detail})" if detail else "")
    wait = retry_after_seconds(answer, now)
    if wait is not None:
        said += f" and asks to wait {wait:.0f} s"
    return cls(
        _described(request, said),
        operation=request.operation,
        task_id=request.task_id,
        http_status=status,
        retry_after_seconds=wait,
        billed=_billed_before(request),
    )

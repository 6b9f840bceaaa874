"""
Answers that say no.

Invariant: the one shape the vendor's OpenAPI document declares (``ProblemDetails``) is used for all of them; only
401 is declared, the other statuses are undocumented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TITLES = {
    400: "One or more validation errors occurred.",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
}


class Refused(Exception):
    """
    The request is not served.

    :param status: HTTP status of the answer.
    :param detail: What is wrong, for people.
    :param errors: For a 400: field to sentences, as in ASP.NET's ``ValidationProblemDetails``.
    :param headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Mapping[str, Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers

    def response(self) -> JSONResponse:
        """Return the answer: a ``ProblemDetails`` object."""
        body: dict[str, object] = {
            "type": f"https://httpstatuses.io/{self.status}",
            "title": _TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors is not None:
            body["errors"] = {field: list(sentences) for field, sentences in self.errors.items()}
        return JSONResponse(
            body, self.status, self.headers, media_type="application/problem+json; charset=utf-8"
        )


def unauthorized(detail: str) -> Refused:
    """Return the refusal of a call without a valid token (401 is documented, its headers are not)."""
    return Refused(401, detail, headers={"WWW-Authenticate": "Bearer"})


def invalid(field: str, sentence: str) -> Refused:
    """Return the refusal of a request with one bad field."""
    return Refused(400, sentence, errors={field: [sentence]})

"""
Error responses (``ProblemDetails``).

The vendor's OpenAPI document declares this object for 401 only. The emulator uses it for all other statuses, too, because
the vendor does not document their bodies.
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
    Raised to refuse a request with an error response.

    :param status: HTTP status of the answer.
    :param detail: What is wrong, as a sentence.
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
    """Make the refusal of a request without a valid token (the vendor documents the 401, and not its headers)."""
    return Refused(401, detail, headers={"WWW-Authenticate": "Bearer"})


def invalid(field: str, sentence: str) -> Refused:
    """Make the refusal of a request with one invalid field."""
    return Refused(400, sentence, errors={field: [sentence]})

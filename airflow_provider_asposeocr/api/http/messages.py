"""
The messages between client and cloud: a request, a complete answer, or the failure of one.

Invariant: plain data. Both transports take and make the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["token", "submit", "status", "fetch", "cancel"]
Cause = Literal["certificate", "proxy", "scheme"]


class Body(Protocol):
    """A request body of known length that can be sent more than once."""

    def __len__(self) -> int:
        """Return the number of bytes."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Begin from the start."""
        ...


@dataclass(frozen=True)
class Request:
    """
    One request to the cloud.

    :param kind: What it is for; decides how failures are taken.
    :param method: Of HTTP.
    :param url: Whole, of the API or of the token endpoint.
    :param headers: Beside those of the token and of the body; by default none.
    :param authorized: Whether it carries the bearer token.
    :param body: Bytes, or an upload that streams.
    :param operation: The operation's name, for messages.
    :param task_id: The cloud task's id, for messages.
    """

    kind: Kind
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    authorized: bool = True
    body: bytes | Body | None = field(default=None, repr=False)
    operation: str | None = None
    task_id: str | None = None


def is_success(status: int) -> bool:
    """
    Tell whether a request did what it is for.

    :param status: HTTP status code; redirects are none, since they are not followed.
    """
    return 200 <= status < 300


@dataclass(frozen=True)
class Answer:
    """
    A complete answer.

    :param status: HTTP status code.
    :param headers: Header fields, found by their names in lower case; those of the libraries are found by any spelling.
    :param body: The body, or its first 64 KiB where a sink took the whole.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the request did what it is for."""
        return is_success(self.status)


@dataclass(frozen=True)
class Failure:
    """
    No complete answer.

    :param sent: Whether the whole request may have reached the cloud. ``False`` means: certainly not.
    :param detail: What the library said.
    :param cause: What is at fault, where that is known: ``certificate``, the server's certificate is not trusted;
        ``proxy``, the proxy does not answer or refuses; ``scheme``, the URL says https and the port speaks plain HTTP.
    :param proxy: Host and port of the proxy that the request went through, by default none.
    """

    sent: bool
    detail: str
    cause: Cause | None = None
    proxy: str = ""

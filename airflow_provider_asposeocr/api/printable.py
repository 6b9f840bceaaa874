"""
Text that comes from outside, made fit to be shown.

Invariant: nothing that the cloud, a gateway or a file name says reaches a log, an exception or a screen with
control characters in it or at a length that drowns everything else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError

SHOWN_CHARACTERS = 500


#: Parameters of presigned URLs and SAS tokens (S3, Google Cloud Storage, CloudFront, Azure) whose values open a file.
_SIGNATURE = re.compile(
    r"(?i)([?&;](?:x-(?:amz|goog)-(?:signature|credential|security-token)|sig|signature|token|access_token|sas|"
    r"awsaccesskeyid|googleaccessid|policy|key-pair-id)=)([^&;#\s'\"<>]+)"
)
_PASSWORD = re.compile(r"(//)[^/\s:@'\"]*:[^/\s@'\"]*@")


def without_signatures(text: str) -> str:
    """
    Replace what opens a file or an account in the URLs of a text: signatures in queries, and passwords.

    :param text: Any text.
    :return: The text with ``***`` in their place.
    """
    return _PASSWORD.sub(r"\1***@", _SIGNATURE.sub(r"\1***", text))


def signatures_in(text: str) -> list[str]:
    """
    List what :func:`without_signatures` replaces in queries, for a masker of secrets.

    :param text: Any text.
    """
    return [value for _, value in _SIGNATURE.findall(text)]


def shown(text: object, limit: int = SHOWN_CHARACTERS) -> str:
    """
    Make a foreign text safe to log or to show.

    Blanks at either end stay, because they may be what is wrong with a value; only messages of exceptions lose them.

    :param text: What to show; anything but a string is converted first.
    :param limit: Longest result in characters, because an error page can be megabytes long.
    :return: The text with control and other unprintable characters escaped, without signatures and passwords of URLs,
        cut to the limit.
    """
    whole = str(text).strip() if isinstance(text, BaseException) else str(text)
    # Signatures go before the cut, which may go through one.
    cut = without_signatures(whole[: 2 * limit + 1000])[: limit + 1]
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)
    return escaped if len(escaped) <= limit else f"{escaped[: limit - 1]}…"


def shown_all(texts: Iterable[object], limit: int = SHOWN_CHARACTERS) -> str:
    """
    Join several foreign texts into one that is safe to log or to show.

    :param texts: What to show, in this order.
    :param limit: Longest result in characters.
    :return: The texts, each escaped, separated by ``"; "``.
    """
    return shown("; ".join(shown(str(text).strip(), limit) for text in texts), limit)


def validation_problems(error: ValidationError, whole: str = "value") -> list[str]:
    """
    Say what pydantic found wrong, without the input and without its links.

    :param error: The failed validation.
    :param whole: What to call the value itself where no field of it is to blame.
    :return: One text per problem, ``field: what is wrong``. They may quote names from the input: show them with
        :func:`shown` or :func:`shown_all`.
    """
    return [
        f"{'.'.join(map(str, item['loc'])) or whole}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    ]

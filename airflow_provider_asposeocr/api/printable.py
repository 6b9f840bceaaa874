"""
Escape and shorten untrusted text before it is shown.

Invariant: text from the cloud, from a gateway or from a file name reaches a log, an exception or a screen only without
control characters and with a limited length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError

SHOWN_CHARACTERS = 500


#: Parameters of presigned URLs and SAS tokens (S3, Google Cloud Storage, CloudFront, Azure) whose values give access to a
#: file.
_SIGNATURE = re.compile(
    r"(?i)([?&;](?:x-(?:amz|goog)-(?:signature|credential|security-token)|sig|signature|token|access_token|sas|"
    r"awsaccesskeyid|googleaccessid|policy|key-pair-id)=)([^&;#\s'\"<>]+)"
)
_PASSWORD = re.compile(r"(//)[^/\s:@'\"]*:[^/\s@'\"]*@")


def without_signatures(text: str) -> str:
    """
    Replace the secrets in the URLs of a text: signatures in queries, and passwords.

    :param text: Any text.
    :return: The text with ``***`` in their place.
    """
    return _PASSWORD.sub(r"\1***@", _SIGNATURE.sub(r"\1***", text))


def signatures_in(text: str) -> list[str]:
    """
    Return the values that :func:`without_signatures` replaces in queries, for Airflow's masker.

    :param text: Any text.
    """
    return [value for _, value in _SIGNATURE.findall(text)]


def shown(text: object, limit: int = SHOWN_CHARACTERS) -> str:
    """
    Make an untrusted text safe to log or to show.

    Blanks at both ends are kept, because they may be the cause of an error; only those of exception messages are removed.

    :param text: The text; other objects are converted to text first.
    :param limit: Longest result in characters, because an error page can be megabytes long.
    :return: The text with control and other unprintable characters escaped, without signatures and passwords of URLs,
        cut to the limit.
    """
    whole = str(text).strip() if isinstance(text, BaseException) else str(text)
    # Signatures are replaced before the text is cut, because the cut may go through one.
    cut = without_signatures(whole[: 2 * limit + 1000])[: limit + 1]
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)
    return escaped if len(escaped) <= limit else f"{escaped[: limit - 1]}…"


#: PostgreSQL's JSON has no NUL, and UTF-8 no half of a pair of surrogates.
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """
    Replace the characters of an untrusted text that a database or an encoding refuses.

    :param text: The text, for example one that is to become an XCom.
    :return: The text with U+FFFD in their places.
    """
    return _NOT_STORABLE.sub("\ufffd", text)


def shown_all(texts: Iterable[object], limit: int = SHOWN_CHARACTERS) -> str:
    """
    Join several untrusted texts into one that is safe to log or to show.

    :param texts: The texts, in this order.
    :param limit: Longest result in characters.
    :return: The texts, each escaped, separated by ``"; "``.
    """
    return shown("; ".join(shown(str(text).strip(), limit) for text in texts), limit)


def validation_problems(error: ValidationError, whole: str = "value") -> list[str]:
    """
    Describe the problems that pydantic found, without the input and without its links.

    :param error: The failed validation.
    :param whole: Name of the value itself, for problems that are not about one field.
    :return: One text per problem, ``field: what is wrong``. They may quote names from the input: show them with
        :func:`shown` or :func:`shown_all`.
    """
    return [
        f"{'.'.join(map(str, item['loc'])) or whole}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    ]

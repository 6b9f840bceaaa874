"""
The answers of the viewer when it cannot show a file or a page. Pure.

Invariant: an answer is one sentence of ours. It has no text of an exception, and does not tell apart why a file was not
verified: users can write a manifest into an XCom, and could otherwise ask which files the API server has.
"""

from __future__ import annotations


class RefusedError(Exception):
    """
    The viewer does not show what was asked for.

    :param status: HTTP status.
    :param sentence: What the page says.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


#: The file is missing, differs from the manifest, or is in a folder that is not allowed.
NOT_VERIFIED = (
    "This file is gone, was changed since the manifest was written, or may not be shown from where it is."
)
#: The storage did not answer.
STORAGE_FAILED = "The storage did not answer. Try again; the log of the API server says more."
TOO_LARGE = "This file is larger than the viewer shows. Open it where it is stored."
NO_CHECKSUM = "The manifest has no checksum of this file, so that the viewer cannot verify it. Open it where it is stored."
NO_SUCH_TASK = "Airflow has no such task instance."
NO_SUCH_FILE = "The manifest has no such file."
NO_SUCH_DOCUMENT = "The manifest has no such document."
BROKEN = "The viewer could not do this. The log of the API server says more."


def not_verified() -> RefusedError:
    """Return the one answer about a file that is not what the manifest says."""
    return RefusedError(409, NOT_VERIFIED)

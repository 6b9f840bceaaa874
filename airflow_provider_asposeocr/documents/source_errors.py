"""The errors of storages that documents are read from, as errors for the user."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError, SourceError, SourceUnreadableError
from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def source_errors(what: str, *, denied: str, unusable: str, unanswered: str) -> Iterator[None]:
    """
    Raise what a storage library raises as an error that says what could not be read. Errors of the provider pass.

    :param what: What is read, with which the messages begin.
    :param denied: Goes on with the message where the storage does not allow it.
    :param unusable: The same where the path makes no sense, or a package for its storage is missing.
    :param unanswered: The same for all other errors; a retry may help.
    :raises SourceError: or, for all other errors, :class:`.SourceUnreadableError`.
    """
    try:
        yield
    except AsposeOcrError:
        raise
    except PermissionError as error:
        raise SourceError(f"{what} {denied}: {shown(error)}.") from error
    except (ValueError, ImportError) as error:
        raise SourceError(f"{what} {unusable}: {shown(error)}.") from error
    except Exception as error:  # each storage library has its own root class
        raise SourceUnreadableError(
            f"{what} {unanswered}: {type(error).__name__}: {shown(error)}."
        ) from error

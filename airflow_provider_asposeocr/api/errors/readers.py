"""Errors of what is made of a result after the download: its readers, chosen fields, and gates of quality."""

from __future__ import annotations

from airflow_provider_asposeocr.api.errors.base import Remedies
from airflow_provider_asposeocr.api.errors.tasks import ResultError


class ReaderError(ResultError):
    """A reader cannot give what was asked of a result. The result itself is what the cloud has made."""

    remedies = Remedies(
        hook="Use the file itself: it is kept as the cloud sent it. Submitting the document again is billed again.",
        task="Use the file itself: it is kept as the cloud sent it. Or correct the DAG and clear this task, which bills "
        "nothing.",
    )


class ResultUnreadableError(ReaderError):
    """A result does not have the form that its reader knows."""


class ResultTooLargeError(ReaderError):
    """A result is larger, or has more parts, than its reader takes."""


class FieldAbsentError(ReaderError):
    """A field that was asked for with ``extract`` is not in the results, and ``on_absent`` is ``fail``."""

    remedies = Remedies(
        hook="Set on_absent='none' where the field may be missing.",
        task="Set on_absent='none' where the field may be missing, and clear this task: the cloud keeps the result for 24 "
        "hours, and the files that were written are kept. With if_exists='fail', remove them first.",
    )


class LibraryMissingError(ReaderError):
    """A package that is needed to read a result, or to hand its rows on, is not installed."""

    remedies = Remedies(
        hook="Install the package and read the file again: it is kept as the cloud sent it.",
        task="Install the package in the workers and clear this task. Files that were written are kept.",
        parse="Install the package where DAGs are parsed, and in the workers.",
    )


class LowQualityError(ResultError):
    """A result has not passed a gate of quality, and ``on_low_quality`` is ``fail``."""

    remedies = Remedies(
        hook="Look at the file, which is kept; submit the document again with other steps or settings, which is billed "
        "again.",
        task="Look at the file, which is kept; read the document again with other steps or settings, which is billed again, "
        "or change quality and clear this task, which bills nothing.",
    )

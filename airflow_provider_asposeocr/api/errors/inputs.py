"""Errors of what a user gives: sources, settings, connections. Nothing was sent."""

from __future__ import annotations

from airflow_provider_asposeocr.api.errors.base import AsposeOcrError, Remedies


class InputError(AsposeOcrError):
    """The request cannot be made; this was found before anything was sent."""

    remedies = Remedies(
        hook="Correct what was passed.",
        task="Correct the DAG or its input, then clear the task.",
        form="Correct the connection.",
        parse="Correct the DAG.",
    )


class InvalidConnectionError(InputError):
    """The Airflow connection does not exist, or some of its fields or extras are invalid."""

    remedies = Remedies(
        hook="Correct the Airflow connection.",
        task="Correct the Airflow connection, then clear the task.",
        form="Correct the connection, save it and test again.",
    )


class SettingsError(InputError, ValueError):
    """A setting is unknown, does not apply to the operation, or has a value that the cloud does not know."""

    remedies = Remedies(
        hook="Correct the settings; strict_settings=False passes settings that this version does not know.",
        task="Correct the settings, then clear the task; strict_settings=False passes settings that this version does "
        "not know.",
        parse="Correct the settings in the DAG; strict_settings=False passes settings that this version does not know.",
    )


class SourceError(InputError):
    """The source is missing, empty, unreadable or of a type that the operation does not read."""

    remedies = Remedies(
        hook="Check the source.",
        task="Check the source, then clear the task.",
        parse="Correct the source in the DAG.",
    )


class SourceContentError(SourceError):
    """The source was read, and its content is empty or of a type that the operation does not read."""


class SourceUnreadableError(SourceError):
    """The storage of the source did not answer; nothing was sent."""

    retryable = True
    remedies = Remedies("Check the storage and its connection if it persists.")


class TrialNotAvailableError(InputError):
    """The connection is in evaluation mode and the operation has no trial variant."""

    remedies = Remedies(
        hook="Use a connection with an account, or one of the operations that have a trial variant.",
        task="Use a connection with an account, or one of the operations that have a trial variant, then clear the task.",
    )

"""Errors of the register; the error of one document is one of the client's."""

from __future__ import annotations

from airflow_provider_asposeocr.api.errors import AsposeOcrError, Billed, InputError, Remedies


class RegisterError(AsposeOcrError):
    """
    The register of documents cannot be used: it may not be written, or another version of the provider wrote it.

    Without it, a batch would not know which documents other batches have sent.
    """

    billed: Billed = "already"
    remedies = Remedies(
        "Allow the connection of the register to create, read and list files there, or name another folder."
    )


class RegisterUnreachableError(RegisterError):
    """The storage of the register did not answer."""

    retryable = True
    remedies = Remedies("Check the storage of the register and its connection if it persists.")


class ResultsMissingError(InputError):
    """
    A document was read before, and its results were deleted or changed since.

    :cvar billed: The earlier run was billed, and its results are lost; this run has sent nothing.
    """

    billed: Billed = "already"
    remedies = Remedies(
        "Restore the results, or set on_missing_result='again' to read the document again, which is billed again; a plan of "
        "an inbox takes it again with include_failed=True. To have this one document read again, use "
        "python -m airflow_provider_asposeocr.ingestion forget."
    )


class AttemptsUsedUpError(InputError):
    """A document has failed in earlier runs as often as ``max_attempts`` allows; it was not sent again."""

    billed: Billed = "already"
    remedies = Remedies(
        "Correct the document: another content counts as a new document. To have the same content read again, use "
        "python -m airflow_provider_asposeocr.ingestion forget."
    )

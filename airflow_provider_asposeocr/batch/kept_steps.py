"""
Keep the results of the steps before the last one, for people who want to see what each step has done.

Invariant: a kept file has a name that is made of checksums, the number of the step and the name of its operation alone. So
no text of a document becomes part of a path, no file of one document takes the place of another one's, and no later run
overwrites what an earlier manifest names. No document fails because of a file that could not be kept.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.files.contents import opened
from airflow_provider_asposeocr.api.files.file_kinds import HEAD_BYTES
from airflow_provider_asposeocr.api.files.filetypes import suffix_for
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.manifest import StoredResult
from airflow_provider_asposeocr.previews.storing import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.documents.sources import Document
    from airflow_provider_asposeocr.documents.stored_files import Writer

log = logging.getLogger(__name__)

#: Folder of all kept results, below the destination. Listings of documents skip names that begin with a dot.
FOLDER = ".aspose-ocr/steps"


def keep_result(
    document: Document, number: int, step: Step, destination: str, writer: Writer
) -> dict[str, Any]:
    """
    Store the result of a step that is not the last one. Blocks.

    :param document: The result, as the next step reads it.
    :param number: Index of the step that made it, from 0.
    :param step: That step.
    :param destination: URI of the folder of the batch's results, with a slash at its end.
    :param writer: Writes it.
    :return: What the journal says about it: ``type``, ``uri``, ``bytes`` and ``sha256``; or ``warning``, a sentence
        that says why it was not stored. Nothing is raised.
    """
    folder = f"{destination}{FOLDER}"
    try:
        with opened(document.content) as stream:
            suffix = suffix_for(step.row, document.result_type, stream.read(HEAD_BYTES))
        source = document.source_sha256 or document.sha256
        name = f"{source[:32]}/{number + 1}-{step.operation.replace('/', '-')}-{document.sha256[:16]}{suffix}"
        target = object_path(folder) / name
        writer.write(document.content, target)
    except Exception as error:  # each storage library has its own root class
        what = f"{type(error).__name__}: {shown(error)}"
        text = f"The result of {step.operation} was not kept: it cannot be written to {shown(folder, 200)}: {what}."
        log.warning("%s", text)
        return {"warning": text}
    return {
        "type": document.result_type,
        "uri": str(target),
        "bytes": document.size_bytes,
        "sha256": document.sha256,
    }


def kept_result(kept: Mapping[str, Any] | None) -> StoredResult | None:
    """
    Describe a kept result, for a manifest.

    :param kept: What :func:`keep_result` returned; ``None`` = nothing was to be kept.
    :return: The result; ``None`` = there is none.
    """
    return StoredResult.model_validate(kept) if kept and "uri" in kept else None


def kept_pages(kept: Mapping[str, Any] | None, destination: str) -> list[dict[str, Any]]:
    """
    Describe the pictures of a kept result, for a manifest.

    :param kept: As of :func:`kept_result`. With previews it has the pictures, too, as :class:`.Previews` lists them.
    :param destination: URI of the folder of the batch's results, with a slash at its end.
    :return: As :func:`.described`; empty if there are none.
    """
    return described(kept.get("pages", ()), kept.get("sha256", ""), destination) if kept else []


def kept_warnings(kept: Mapping[str, Any] | None) -> list[str]:
    """
    Return what could not be kept, as sentences.

    :param kept: As of :func:`kept_pages`.
    """
    return [kept[name] for name in ("warning", "preview_warning") if name in kept] if kept else []

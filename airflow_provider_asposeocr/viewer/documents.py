"""
Make the view of one document, as JSON for the page. Pure.

Invariant: a view has no content of a file, only fields of the manifest, and addresses of the viewer. The page shows all of
it as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.documents.uris import source_name
from airflow_provider_asposeocr.viewer.answers import NO_CHECKSUM, TOO_LARGE
from airflow_provider_asposeocr.viewer.kinds import kind_of
from airflow_provider_asposeocr.viewer.manifests import claims_of, read_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.documents.manifest import Manifest
    from airflow_provider_asposeocr.viewer.places import Place

    _Files = Iterator[dict[str, Any] | None]

#: Largest document that serves as its own thumbnail, if it has no preview.
_MOST_THUMBNAIL_BYTES = 512 * 1024
_FIRST_CHARACTERS = 300


def document_view(place: Place, manifest: Manifest) -> dict[str, Any]:
    """
    Show a document.

    :param place: The task instance that has stored it.
    :param manifest: What it has stored.
    """
    row = manifest.index or 0
    view = manifest.model_dump(
        mode="json",
        include={
            "index", "documents", "source", "bytes", "outcome", "final", "response_status_code", "messages",
            "warnings", "shortfall", "maybe_billed_twice", "duplicate_of",
        },
    )  # fmt: skip
    return view | {
        "name": _name(manifest),
        "error": manifest.error and manifest.error.model_dump(mode="json", by_alias=True),
        "task": manifest.task and manifest.task.to_dict(),
        "steps": _steps(place, manifest, row),
        "read_from": _read_from(manifest),
        "results": [
            {"type": result.type, "skipped": result.skipped, **file}
            for result, file in zip(manifest.results, _files(place, manifest, row, "results"), strict=False)
            if file is not None
        ],
        "source_file": next(iter(_files(place, manifest, row, "source")), None),
        "pages": list(_pages(manifest.pages, *_pictures(place, manifest, row))),
    }


def _name(manifest: Manifest) -> str:
    if manifest.source:
        return source_name(manifest.source) or manifest.source
    return (manifest.task and manifest.task.source_name) or manifest.file_stem or "document"


def _read_from(manifest: Manifest) -> dict[str, Any] | None:
    """
    Say what the last step was sent, in whose pixels the boxes of its results are.

    :return: ``None`` = the source. Otherwise ``operation``, which has made it, and ``step``, its index among the steps; both
        are ``None`` in a chain of single tasks, whose last reference does not name the ones before.
    """
    if manifest.steps:
        made_by = len(manifest.steps) - 2
        return {"step": made_by, "operation": manifest.steps[made_by].operation} if made_by >= 0 else None
    task = manifest.task
    if task is None or task.input_sha256 in (None, task.source_sha256):
        return None
    return {"step": None, "operation": None}


def _steps(place: Place, manifest: Manifest, row: int) -> list[dict[str, Any]]:
    # One pair of iterators for all steps: the numbers in the addresses go on from step to step.
    pictures = _pictures(place, manifest, row, "step_")
    return [
        {
            **step.model_dump(mode="json", exclude={"result", "pages"}),
            "file": file,
            "pages": list(_pages(step.pages, *pictures)),
        }
        for step, file in zip(manifest.steps, _files(place, manifest, row, "steps"), strict=False)
    ]


def _pictures(place: Place, manifest: Manifest, row: int, prefix: str = "") -> tuple[_Files, _Files]:
    """Return the pictures and the thumbnails of all pages."""
    images, thumbnails = (
        iter(_files(place, manifest, row, f"{prefix}{part}")) for part in ("pages", "thumbnails")
    )
    return images, thumbnails


def _pages(pages: list[dict[str, Any]], images: _Files, thumbnails: _Files) -> Iterator[dict[str, Any]]:
    for page in read_pages(pages):
        yield {
            "number": page.number,
            "width": page.width,
            "height": page.height,
            "image": next(images, None),
            "thumbnail": next(thumbnails, None),
        }


def _files(place: Place, manifest: Manifest, row: int, part: str) -> list[dict[str, Any] | None]:
    """Return for each file of a document its URI, and its address in the viewer or the reason why it has none."""
    found: list[dict[str, Any] | None] = []
    for number, claim in enumerate(claims_of(manifest, part)):
        if claim is None:
            found.append(None)
            continue
        kind = kind_of(claim.uri)
        refused = NO_CHECKSUM if claim.sha256 is None else None
        if claim.size_bytes is not None and claim.size_bytes > kind.most_bytes:
            refused = TOO_LARGE
        found.append(
            {
                "uri": claim.uri,
                "bytes": claim.size_bytes,
                "kind": kind.name,
                "address": None if refused else f"data/file/{place.path}/{row}/{part}/{number}",
                "refused": refused,
            }
        )
    return found


def card_view(place: Place, manifest: Manifest) -> dict[str, Any]:
    """
    Show a document in a gallery.

    :param place: The task instance that has stored it.
    :param manifest: What it has stored.
    """
    row = manifest.index or 0
    results = [file for file in _files(place, manifest, row, "results") if file is not None]
    texts = [file for file in results if file["kind"] == "text" and file["address"]]
    inline = next((result.text for result in manifest.results if result.text is not None), None)
    words = manifest.first_words if inline is None else inline
    return {
        "name": _name(manifest),
        "outcome": manifest.outcome,
        "error": manifest.error and manifest.error.name,
        "say": (manifest.error and manifest.error.message) or "",
        "thumbnail": _thumbnail(place, manifest, row),
        "words": words and words[:_FIRST_CHARACTERS],
        "text": texts[0]["address"] if words is None and texts else None,
    }


def _thumbnail(place: Place, manifest: Manifest, row: int) -> str | None:
    files = [*_files(place, manifest, row, "thumbnails"), *_files(place, manifest, row, "source")]
    for file in files:
        if file and file["kind"] == "image" and file["address"]:
            is_small = file["bytes"] is not None and file["bytes"] <= _MOST_THUMBNAIL_BYTES
            return str(file["address"]) if is_small else None
    return None

"""
Store pictures of pages beside the results of their document.

Invariant: a picture has a name that is made from checksums alone. No text of a document or of the cloud becomes part of a
path, and a later run overwrites no picture that an earlier manifest names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.files.work_folder import work_folder
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.stored_files import Writer, copy_to_local
from airflow_provider_asposeocr.previews.making import render_pages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.documents.manifest import Manifest

#: Folder of all pictures, below that of the results. Listings of documents skip names that begin with a dot.
FOLDER = ".aspose-ocr/previews"
#: Largest document that a fetch reads again for its pictures.
MOST_SOURCE_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Previews:
    """
    The stored pictures of a document.

    :param pages: A list per page: number, width, height, then size and checksum of the picture and of the small one. The
        journal of a batch keeps them in this form, since the URIs are four times as long.
    :param warning: Why pages have no picture; ``None`` where all have.
    """

    pages: Sequence[Sequence[Any]] = ()
    warning: str | None = None


def preview_folder(destination: str) -> ObjectStoragePath:
    """
    Return the folder of all pictures of a destination.

    :param destination: URI of the results: a folder with a slash at its end, or a file.
    """
    path = object_path(destination)
    return (path if destination.endswith("/") else path.parent) / FOLDER


def make_previews(
    document: Path, sha256: str, folder: ObjectStoragePath, spool: Path, writer: Writer
) -> Previews:
    """
    Make and store the pictures of a document. Blocks.

    :param document: The document, a local file.
    :param sha256: Its checksum in hex.
    :param folder: What :func:`preview_folder` returned.
    :param spool: Existing empty local folder for the pictures until they are stored.
    :param writer: Writes them.
    :return: What was stored. Nothing is raised: a picture that cannot be made or stored is a warning.
    """
    rendered = render_pages(document, spool)
    pages: list[list[Any]] = []
    try:
        for page in rendered.pages:
            row: list[Any] = [page.number, page.width, page.height]
            for local, suffix in ((page.picture, ""), (page.thumbnail, "-small")):
                content = local.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                writer.write(local, folder / _name(sha256, page.number, digest, suffix))
                row += [len(content), digest]
            pages.append(row)
    except Exception as error:  # each storage library has its own root class
        what = f"{type(error).__name__}: {shown(error)}"
        return Previews(pages, f"Previews cannot be written to {shown(folder, 200)}: {what}.")
    return Previews(pages, rendered.warning)


def _name(sha256: str, number: int, digest: str, suffix: str) -> str:
    return f"{sha256[:32]}/{number}-{digest[:8]}{suffix}.webp"


def described(pages: Sequence[Sequence[Any]], sha256: str, destination: str) -> list[dict[str, Any]]:
    """
    Describe stored pictures, for a manifest.

    :param pages: What :attr:`Previews.pages` has.
    :param sha256: Checksum of the document.
    :param destination: As in :func:`preview_folder`.
    :return: ``{"number", "width", "height", "image", "thumbnail"}`` for each page. A picture is ``{"uri", "bytes", "sha256",
        "type"}``.
    """
    if not pages:
        return []
    folder = str(preview_folder(destination))

    def picture(number: int, size: int, digest: str, suffix: str) -> dict[str, Any]:
        uri = f"{folder}/{_name(sha256, number, digest, suffix)}"
        return {"uri": uri, "bytes": size, "sha256": digest, "type": "image/webp"}

    return [
        {
            "number": number,
            "width": width,
            "height": height,
            "image": picture(number, size, digest, ""),
            "thumbnail": picture(number, small_size, small_digest, "-small"),
        }
        for number, width, height, size, digest, small_size, small_digest in pages
    ]


def with_previews(manifest: Manifest, destination: str) -> Manifest:
    """
    Read the source of a fetched document again, and make and store its pictures. Blocks.

    :param manifest: The manifest of a single fetch.
    :param destination: Where its results were written.
    :return: The manifest with ``pages``. What could not be made is a warning of it; nothing is raised.
    """
    previews = _previews_of_source(manifest, destination)
    pages = described(previews.pages, manifest.sha256 or "", destination)
    warnings = [*manifest.warnings, *([previews.warning] if previews.warning else [])]
    return manifest.model_copy(update={"pages": pages, "warnings": warnings})


def _previews_of_source(manifest: Manifest, destination: str) -> Previews:
    uri, sha256 = manifest.source, manifest.sha256
    if uri is None or sha256 is None:
        return Previews(warning="There is no preview: the task reference does not name the source document.")
    try:
        source, folder = object_path(uri), preview_folder(destination)
        if (source.fs.info(source.path).get("size") or 0) > MOST_SOURCE_BYTES:
            return Previews(
                warning=f"There is no preview: the source has more than {MOST_SOURCE_BYTES} bytes."
            )
        with work_folder() as work:
            spool = work / "pages"
            spool.mkdir()
            _, found = copy_to_local(source, work / "source")
            if found != sha256:
                return Previews(warning="There is no preview: the source has changed since it was submitted.")
            return make_previews(work / "source", sha256, folder, spool, Writer())
    except Exception as error:  # each storage library has its own root class
        what = f"{type(error).__name__}: {shown(error)}"
        return Previews(warning=f"There is no preview: the source {shown(uri, 300)} cannot be read: {what}.")

"""
Read the XComs about a document or a batch, and what the manifest says about each file. Pure.

Invariant: XComs are written by users, too. Only a validated value becomes a :class:`.Manifest`, a :class:`BatchAddress` or a
reference, and none of them is a permission to read a file: :mod:`.verified` decides.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.responses import TaskRef, is_task_ref, parse_task_ref
from airflow_provider_asposeocr.documents.manifest import Manifest, StoredResult, parse_manifest
from airflow_provider_asposeocr.viewer.answers import NO_SUCH_FILE, RefusedError
from airflow_provider_asposeocr.viewer.kinds import Kind, kind_of
from airflow_provider_asposeocr.viewer.verified import Claim

#: Most files and pages of one document that are shown.
MOST_FILES = 1000

#: Parts of a document that are pictures of pages, and the field of :class:`Page` that has them.
_PICTURES = {
    "pages": "image",
    "thumbnails": "thumbnail",
    "step_pages": "image",
    "step_thumbnails": "thumbnail",
}

_Checksum = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class BatchAddress(BaseModel):
    """
    Where the manifest of a batch is: the XCom ``aspose_ocr_batch``.

    :param manifest: URI of the manifest.
    :param size_bytes: Its size; ``None`` as long as the batch has not ended.
    :param sha256: Its checksum in hex; likewise.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    manifest: str
    size_bytes: int | None = Field(default=None, ge=0)
    sha256: _Checksum | None = None

    @property
    def is_written(self) -> bool:
        """Whether there is a manifest to read."""
        return self.sha256 is not None and self.size_bytes is not None


class Outside(BaseModel):
    """An XCom whose value is in another place than Airflow's database, because an XCom backend has put it there."""


class Picture(BaseModel):
    """
    A picture of a page, made by a worker.

    :param uri: Its URI or path.
    :param bytes: Its size in bytes.
    :param sha256: Its checksum in hex.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    uri: str
    bytes: int = Field(ge=0)
    sha256: _Checksum


class Page(BaseModel):
    """
    A page of a document and its pictures.

    :param number: Its number, from 1.
    :param width: Its width in pixels.
    :param height: Its height in pixels.
    :param image: The large picture.
    :param thumbnail: A small one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int = Field(ge=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    image: Picture | None = None
    thumbnail: Picture | None = None


Stored = Manifest | BatchAddress | TaskRef | Outside | None


def read_value(returned: Any, batch: Any = None) -> Stored:
    """
    Read the XComs of a task instance.

    :param returned: Its XCom ``return_value``; ``None`` = there is none.
    :param batch: Its XCom ``aspose_ocr_batch``; likewise.
    :return: What they say; ``None`` = nothing that can be shown.
    """
    if batch is not None:
        try:
            return BatchAddress.model_validate(batch)
        except ValidationError:
            return Outside() if isinstance(batch, str) else None
    if isinstance(returned, str) and returned:
        return Outside()
    try:
        if is_task_ref(returned):
            return parse_task_ref(returned)
        return parse_manifest(returned)
    except AsposeOcrError:
        return None


def read_pages(pages: list[dict[str, Any]]) -> list[Page]:
    """
    Return the pages of a document, or of what a step has made, that have pictures.

    :param pages: What the manifest says of them. Entries that are no pages are left out.
    """
    found = []
    for entry in pages[:MOST_FILES]:
        try:
            found.append(Page.model_validate(entry))
        except ValidationError:
            continue
    return found


def find_file(manifest: Manifest, part: str, number: int) -> tuple[Claim, Kind]:
    """
    Find a file of a document.

    :param manifest: The document.
    :param part: ``results``, ``steps``, ``source``, ``pages``, ``thumbnails``; or ``step_pages`` or ``step_thumbnails``, the
        pictures of what the steps have made, one step after the other.
    :param number: Place in the list, from 0.
    :return: What the manifest says of the file, and its kind. A picture that is not an image is an error.
    :raises RefusedError: if there is no such file.
    """
    claims = claims_of(manifest, part)
    claim = claims[number] if 0 <= number < len(claims) else None
    if claim is None:
        raise RefusedError(404, NO_SUCH_FILE)
    kind = kind_of(claim.uri)
    if part in _PICTURES and kind.name != "image":
        raise RefusedError(404, NO_SUCH_FILE)
    return claim, kind


def claims_of(manifest: Manifest, part: str) -> list[Claim | None]:
    """
    Return what a manifest says of its files.

    :param manifest: The document.
    :param part: See :func:`find_file`.
    :return: One claim for each file; ``None`` where a page has no such picture, or a step no result that was kept.
    """
    if part == "results":
        return [_claim(each) for each in manifest.results[:MOST_FILES]]
    if part == "steps":
        return [_claim(each.result) for each in manifest.steps[:MOST_FILES]]
    if part == "source":
        return [Claim(manifest.source, manifest.sha256, manifest.bytes)] if manifest.source else []
    if part in _PICTURES:
        name = _PICTURES[part]
        lists = [step.pages for step in manifest.steps] if part.startswith("step_") else [manifest.pages]
        return [_claim(getattr(page, name)) for each in lists for page in read_pages(each)][:MOST_FILES]
    return []


def _claim(file: Picture | StoredResult | None) -> Claim | None:
    return Claim(file.uri, file.sha256, file.bytes) if file else None

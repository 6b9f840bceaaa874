"""
The documents of a storm, and what the canned engine makes of them.

Invariant: documents differ, so do their texts, and the text of a document is that of its whole chain: a result of
another document, or of a chain that left out a step, is another text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text, tiny_png

if TYPE_CHECKING:
    from pathlib import Path

#: Airflow task to operation, in the order of the chain: the steps that are billed.
STEPS = {"upscale": "UpscaleImage", "binarize": "BinarizeImage", "recognize": "RecognizeImage"}


@dataclass(frozen=True)
class Document:
    """
    One document.

    :param index: Its number, which is its map index in Airflow.
    :param name: File name without suffix.
    :param inputs: Airflow task to the SHA-256 of what it sends to the cloud, which no other task sends.
    :param results: Airflow task to the SHA-256 of what the cloud makes for it, which no other task's result has.
    :param text: What the cloud recognizes in the end.
    """

    index: int
    name: str
    inputs: dict[str, str]
    results: dict[str, str]
    text: str


def write_documents(folder: Path, count: int, seed: int) -> list[Document]:
    """
    Write documents.

    :param folder: Existing folder.
    :param count: How many.
    :param seed: Of the pictures.
    """
    documents = []
    for index in range(count):
        name = f"document-{index:03}"
        picture = tiny_png(f"{seed} {index}")
        (folder / f"{name}.png").write_bytes(picture)
        upscaled = tiny_png(_sha256(picture))
        binarized = tiny_png(_sha256(upscaled))
        text = canned_text(_sha256(binarized))
        sent, made = (picture, upscaled, binarized), (upscaled, binarized, text.encode())
        documents.append(Document(index, name, _by_step(sent), _by_step(made), text))
    return documents


def _by_step(contents: tuple[bytes, ...]) -> dict[str, str]:
    return {step: _sha256(content) for step, content in zip(STEPS, contents, strict=True)}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

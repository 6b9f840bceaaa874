"""
The plan of a batch: its documents, its steps and where the results go, decided once.

Invariant: the first try writes the plan down as the header of the journal, and later tries read it there. So an index means
the same document at every try, also where the folder has other files by then. Pure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_asposeocr.api.operations import Operation
from airflow_provider_asposeocr.api.printable import shown_all, validation_problems
from airflow_provider_asposeocr.api.responses import OperationName
from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.batch.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.batch.records import Replanned

#: Raise it when a field gets another meaning.
SCHEMA_VERSION = 1
#: Most documents of one batch. The journal, the manifest and the memory of a worker are measured for this number.
MOST_DOCUMENTS = 10_000

Names = Literal["path", "stem"]
NAMES: tuple[Names, ...] = ("path", "stem")


@dataclass(frozen=True, slots=True)
class ListedSource:
    """
    A source document as a listing or a list names it.

    :param uri: Absolute path or URI that it is opened by, with its Airflow connection.
    :param version: What the storage says about the file (ETag, size, time); ``None`` where it was not asked.
    :param size_bytes: Its size; ``None`` where the storage was not asked.
    :param file_stem: Name of its results below the destination, where the list or an earlier batch says it; ``None`` =
        made from the URI.
    :param submitted: Operations of the cloud tasks of an earlier batch, where its manifest names the source.
    """

    uri: str
    version: str | None = None
    size_bytes: int | None = None
    file_stem: str | None = None
    submitted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchDocument:
    """
    A document of a batch.

    :param index: Its place in the list of sources, from 0; also that of its row in the manifest.
    :param source: Absolute path or URI that it is opened by, with its Airflow connection.
    :param version: What the storage said about the file (ETag, size, time) when the sources were listed; ``None`` where
        it was not asked, or says nothing.
    :param file_stem: Name of its results below the destination, with folders and without the suffix of a result's type,
        for example ``2026/page.png``. It is inside of the destination for any name of the source.
    :param size_bytes: Its size when the sources were listed; ``None`` where the storage was not asked.
    :param decided: Of a document that is not sent at all, fields of its row in the manifest, ``outcome`` among them;
        ``None`` = it is sent. Decided by the first try: later ones would take its results for another batch's.
    """

    index: int
    source: str
    version: str | None
    file_stem: str
    size_bytes: int | None = None
    decided: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RegisterPlan:
    """
    The register of a batch.

    :param uri: URI of its folder, with a slash at its end.
    :param fingerprint: What is done with each document, see :func:`.register.fingerprint_of`.
    :param installation: Name of the Airflow installation; may be empty.
    :param pipeline: Name under which the files count as seen; ``None`` where no work list says it.
    :param overwrites: Whether results of an earlier content are overwritten, as the user wants it with
        ``if_exists="overwrite_any"``; by default they are kept, so that the register's records stay true.
    """

    uri: str
    fingerprint: str
    installation: str
    pipeline: str | None
    overwrites: bool = False


@dataclass(frozen=True, kw_only=True)
class Batch:
    """
    The part of a batch that is the same for each try.

    :param key: The batch's key, 16 hex digits.
    :param conn_id: Airflow connection whose account owns the cloud tasks.
    :param destination: URI of the folder of the results, with a slash at its end.
    :param steps: The cloud steps, in their order; at least one.
    :param documents: The documents, in the order of their indexes.
    :param account: Fingerprint of the account that is billed.
    :param manifest: URI of the manifest.
    :param base: URI of the folder that ``names="path"`` is relative to; ``None`` where no name was made by it.
    :param names: How names of results were made.
    :param continues: URI of the manifest whose rows are the sources, for example only the failed ones; else ``None``.
    :param register: The register that its documents are claimed in; ``None`` = none.
    :param dag_id: The Airflow task that the batch belongs to, as the other three.
    """

    key: str
    conn_id: str
    destination: str
    steps: tuple[Step, ...]
    documents: tuple[BatchDocument, ...]
    account: str = ""
    manifest: str = ""
    base: str | None = None
    names: Names = "path"
    continues: str | None = None
    register: RegisterPlan | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None

    @property
    def state(self) -> str:
        """URI of the state folder, with a slash at its end; below it, the manifest has the name of a day and its own."""
        return self.manifest.rsplit("/", 5)[0] + "/"

    def to_header(self) -> dict[str, Any]:
        """Return the plan as plain JSON, for the header of the journal."""
        documents = [
            [
                document.source,
                document.version,
                document.file_stem,
                document.size_bytes,
                document.decided and dict(document.decided),
            ]
            for document in self.documents
        ]
        return {
            "schema_version": SCHEMA_VERSION,
            **{name: getattr(self, name) for name in _PLAIN},
            "steps": [step.to_dict() for step in self.steps],
            "documents": documents,
            **({} if self.register is None else {"register": asdict(self.register)}),
        }


#: Fields that are in the header as they are.
_PLAIN = (
    "key",
    "conn_id",
    "destination",
    "account",
    "manifest",
    "base",
    "names",
    "continues",
    "dag_id",
    "run_id",
    "task_id",
    "map_index",
)


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True)

    operation: OperationName
    settings: dict[str, Any]
    declared: Operation | None = None


class _Header(BaseModel):
    """The plan as JSON. A missing field means that the journal was damaged; only ``register`` may be missing."""

    model_config = ConfigDict(frozen=True)

    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
    key: str
    conn_id: str
    destination: str
    account: str
    manifest: str
    base: str | None
    names: Names
    continues: str | None
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    steps: Annotated[list[_Step], Field(min_length=1)]
    #: Source, version, name of the results, size, and what was decided; the index is the place.
    documents: list[tuple[str, str | None, str, int | None, dict[str, Any] | None]]
    register_plan: RegisterPlan | None = Field(default=None, alias="register")


def parse_header(header: Mapping[str, Any], replanned: Replanned | None = None) -> Batch:
    """
    Read the plan of an earlier try.

    :param header: The header of a journal.
    :param replanned: The steps that a later try was given; by default none were changed.
    :return: The plan.
    :raises JournalError: if it is not one, or one that a newer version wrote; the message says what is wrong.
    """
    what = "The header of the batch's journal cannot be read"
    version = header.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise JournalError(
            f"{what}: its schema_version is {version}, written by a newer version of the provider; this one reads "
            f"{SCHEMA_VERSION}."
        )
    try:
        found = _Header.model_validate({**header, **({"steps": replanned.steps} if replanned else {})})
    except ValidationError as error:
        raise JournalError(f"{what}: {shown_all(validation_problems(error, 'header'))}.") from None
    return Batch(
        **{name: getattr(found, name) for name in _PLAIN},
        steps=tuple(Step(step.operation, step.settings, step.declared) for step in found.steps),
        documents=tuple(BatchDocument(index, *document) for index, document in enumerate(found.documents)),
        register=found.register_plan,
    )

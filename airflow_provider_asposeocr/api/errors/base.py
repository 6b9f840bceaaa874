"""The root of the errors: what each of them answers, where it is shown, and how it crosses the database."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

Billed = Literal["no", "maybe", "yes", "already"]

#: Where an error is shown: ``form``, the result of "Test connection"; ``parse``, an import error of a DAG file;
#: ``task``, the log of one of our operators; ``hook``, everywhere else, that is in code that calls the hook or the client.
Place = Literal["form", "parse", "task", "hook"]

_BILLED_SENTENCES: dict[Billed, str] = {
    "no": "Nothing was billed.",
    "maybe": "It may have been billed.",
    "yes": "The cloud task was accepted and billed.",
    "already": "Nothing more was billed.",
}


@dataclass(frozen=True)
class Remedies:
    """
    What to do about an error, one or two sentences in the imperative for each place where it may be shown.

    :param hook: For code that calls the hook or the client; the other places take it where they have none of their own.
    :param task: For the log of an operator's task.
    :param form: For the result of "Test connection".
    :param parse: For an import error.
    """

    hook: str
    task: str = ""
    form: str = ""
    parse: str = ""

    def at(self, place: Place) -> str:
        """
        Return the remedy for a place.

        :param place: Where the error is shown.
        """
        by_place = {"task": self.task, "form": self.form, "parse": self.parse}
        return by_place.get(place, "") or self.hook


class AsposeOcrError(Exception):
    """
    Root of all errors of the client.

    :param message: What happened, one or two sentences, without secrets. Foreign text in it has been through
        :func:`~airflow_provider_asposeocr.api.printable.shown`.
    :param operation: Name of the cloud's operation, where one was involved.
    :param task_id: Id of the cloud task, where one is known.
    :param http_status: Status code of the answer, where there was one.
    :param retry_after_seconds: How long the cloud asks to wait, where it does.
    :param billed: Whether anything was billed, where the class alone does not say it: a poll that fails costs
        nothing, but its task was billed before.
    """

    #: Whether the same attempt may succeed later without anybody changing anything.
    retryable: ClassVar[bool] = False
    #: ``already`` means that what was billed before stays billed and the failure costs nothing more.
    billed: Billed = "no"
    #: What to do now, by the place where the error is shown.
    remedies: ClassVar[Remedies] = Remedies(
        hook="Read the log.",
        task="Read the task's log.",
        form="Read the log of the component that tested the connection.",
        parse="Read the DAG processor's log.",
    )
    #: Where the error is shown; set with :func:`shown_at`.
    place: Place = "hook"

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        task_id: str | None = None,
        http_status: int | None = None,
        retry_after_seconds: float | None = None,
        billed: Billed | None = None,
    ) -> None:
        super().__init__(message)
        if billed is not None:
            self.billed = billed
        self.message = message
        self.operation = operation
        self.task_id = task_id
        self.http_status = http_status
        self.retry_after_seconds = retry_after_seconds

    @property
    def remedy(self) -> str:
        """What to do now, for the reader at the error's place."""
        return self.remedies.at(self.place)

    def __str__(self) -> str:
        # Here nothing can have been billed, and Airflow retries neither.
        if self.place in ("form", "parse"):
            return f"{self.message} {self.remedy}"
        task = ""
        if self.task_id:
            task = f" [{self.operation or 'task'} {shown(self.task_id, 80)}]"
        retry = "A retry may help." if self.retryable else "A retry does not help."
        return f"{self.message}{task} {_BILLED_SENTENCES.get(self.billed, '')} {retry} {self.remedy}"

    def about(self, operation: str | None, task_id: str | None) -> Self:
        """
        Name the cloud task that the error is about.

        :param operation: The operation that submitted it.
        :param task_id: The cloud's id of it.
        :return: The error itself, to be raised.
        """
        self.operation, self.task_id = operation, task_id
        return self

    def to_dict(self) -> dict[str, Any]:
        """
        Describe the error in JSON, so that a trigger can hand it to the worker.

        :return: ``{"error": class name, "message": …}`` and those attributes that are set.
        """
        attributes = {
            "operation": self.operation,
            "task_id": self.task_id,
            "http_status": self.http_status,
            "retry_after_seconds": self.retry_after_seconds,
            "billed": self.billed,
        }
        described = {name: value for name, value in attributes.items() if value is not None}
        return {"error": type(self).__name__, "message": self.message, **described}


@contextmanager
def shown_at(place: Place) -> Iterator[None]:
    """
    Tell the errors that leave a block where they will be shown.

    :param place: The place.
    """
    try:
        yield
    except AsposeOcrError as error:
        error.place = place
        raise


def _subclasses(cls: type[AsposeOcrError]) -> dict[str, type[AsposeOcrError]]:
    found = {cls.__name__: cls}
    for sub in cls.__subclasses__():
        found |= _subclasses(sub)
    return found


def from_dict(described: dict[str, Any]) -> AsposeOcrError:
    """
    Make an error from its description.

    :param described: What :meth:`AsposeOcrError.to_dict` returned, perhaps by another version.
    :return: The error; :class:`AsposeOcrError` itself where the class is unknown here, so that it stays an error.
    """
    cls = _subclasses(AsposeOcrError).get(str(described.get("error")), AsposeOcrError)
    message = str(described.get("message") or "The trigger reported an error without a message.")
    return cls(
        message,
        operation=_text(described.get("operation")),
        task_id=_text(described.get("task_id")),
        http_status=_number(described.get("http_status"), int),
        retry_after_seconds=_number(described.get("retry_after_seconds"), int, float),
        billed=next((name for name in _BILLED_SENTENCES if name == described.get("billed")), None),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object, *types: type) -> Any:
    """Return a finite number that is not negative as it is, and nothing else."""
    usable = isinstance(value, types) and not isinstance(value, bool)
    return value if usable and 0 <= value < math.inf else None  # type: ignore[operator]  # it is a number

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
    The advice of an error, as one or two sentences in the imperative for each place where it may be shown.

    :param hook: For code that calls the hook or the client; also for the other places if they have no other text.
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
    Base class of all errors of the client.

    :param message: What happened, in one or two sentences, without secrets. Untrusted text in it has been escaped by
        :func:`~airflow_provider_asposeocr.api.printable.shown`.
    :param operation: Name of the cloud's operation, if the error is about one.
    :param task_id: Id of the cloud task, if it is known.
    :param http_status: Status code of the answer, if there was one.
    :param retry_after_seconds: Time after which the cloud allows a retry, if it names one.
    :param billed: Whether anything was billed, if that differs from the class: a poll that fails costs nothing, but its
        task was billed before.
    """

    #: Whether the same attempt may succeed later without any change.
    retryable: ClassVar[bool] = False
    #: ``already`` means that the cloud task was billed before, and the failure adds nothing to the bill.
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
        """The advice for the place where the error is shown."""
        return self.remedies.at(self.place)

    def __str__(self) -> str:
        # In these places nothing can have been billed, and Airflow does not retry.
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
        Return the error as JSON, so that a trigger can send it to the worker.

        :return: ``{"error": class name, "message": …}`` and the attributes that are set.
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
    Set the place where the errors of a block will be shown.

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
    Make an error from its JSON.

    :param described: Result of :meth:`AsposeOcrError.to_dict`, possibly of another version.
    :return: The error; an :class:`AsposeOcrError` if this version does not know the class.
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
    """Return the value if it is a finite number of 0 or more, otherwise ``None``."""
    usable = isinstance(value, types) and not isinstance(value, bool)
    return value if usable and 0 <= value < math.inf else None  # type: ignore[operator]  # it is a number

"""
The parts of a batch's journal together: which ones count, and in which order they are replayed. Pure.

Invariant: each record of a durable commit is replayed exactly once, or an error names the file that is missing or broken.

Each part names the last durable ones before it. So replay follows these names from the newest part of each epoch backwards.
A part that no chain leads to is a commit whose answer was lost: its writer has sent the records again in the next part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.batch.parts import BrokenPartError, Part, PartName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SENT_AGAIN = "its records were sent again in a later part, because no answer had come"


class GapError(ValueError):
    """
    A part that was durable is missing or broken.

    :param name: Name of the part in the journal's folder.
    :param what: What is wrong with it, for a sentence that begins with the name.
    """

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name} {what}")
        self.name = name
        self.what = what


@dataclass(frozen=True)
class Replay:
    """
    What the parts of a journal say together.

    :param header: The header; ``None`` = the journal was never begun.
    :param header_part: Name of the part that has it.
    :param records: All records in the order in which they are replayed.
    :param acknowledged: How many records were durable.
    :param last: Names of the parts that a next commit names as the last durable ones.
    :param parts_to_replay: How many parts were read for the records; many are worth a snapshot.
    :param ignored: Names and reasons of parts that are no commits.
    """

    header: Mapping[str, Any] | None = None
    header_part: str | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: int = 0
    last: tuple[str, ...] = ()
    parts_to_replay: int = 0
    ignored: Mapping[str, str] = field(default_factory=dict)


def arrange(parts: Iterable[Part], broken: Mapping[str, BrokenPartError] | None = None) -> Replay:
    """
    Decide which parts count, and in which order.

    Snapshots come first, then all parts that they do not list, both by epoch and sequence; but a part that a process of a
    later epoch had not read when it took over comes after all that this process wrote. So what was written too late can be
    told from what the next owner knew.

    :param parts: All parts that were found and can be read, in any order.
    :param broken: Names of the parts that are broken, and what is wrong with them. They count as commits that never
        happened, unless another part says that they were durable.
    :return: What they say.
    :raises GapError: if a part is missing or broken that must have been durable.
    """
    broken = broken or {}
    found = {part.name.text: part for part in parts}
    ends = _ends(found.values())
    kept = _chains(found, ends, broken)
    replaced = {name for part in kept for name in part.replaces or ()}
    live = _in_order([part for part in kept if part.name.text not in replaced], found, ends)
    begun = min((part for part in kept if part.header is not None), key=lambda part: part.name, default=None)
    commits = [part for part in live if part.name.sequence]
    if begun is None and commits:
        raise GapError(
            PartName(1, 0).text,
            f"is missing; the journal to which {commits[-1].name.text} belongs began with it",
        )
    last = [part.name.text for part in ends if part.name.sequence and part.name.text not in replaced]
    ignored = dict.fromkeys(found.keys() - replaced - {part.name.text for part in kept}, _SENT_AGAIN)
    return Replay(
        header=begun.header if begun else None,
        header_part=begun.name.text if begun else None,
        records=[dict(record) for part in commits for record in part.records],
        acknowledged=max((part.total for part in kept), default=0),
        last=tuple(last or ([begun.name.text] if begun else [])),
        parts_to_replay=len(commits),
        ignored=ignored | {name: error.why for name, error in broken.items() if name not in replaced},
    )


def _ends(parts: Iterable[Part]) -> list[Part]:
    """Return the newest part of each epoch, in the order of the epochs."""
    return list({part.name.epoch: part for part in sorted(parts, key=lambda part: part.name)}.values())


def _in_order(live: Iterable[Part], found: Mapping[str, Part], ends: Sequence[Part]) -> list[Part]:
    """Sort the parts that are replayed: a late one after the newest epoch whose writer did not know it."""
    known = {end.name.epoch: _behind(end, found) for end in ends if end.name.sequence}

    def place(part: Part) -> tuple[bool, int, bool, PartName]:
        name = part.name
        if part.replaces is not None:
            return False, name.epoch, False, name
        unaware = [epoch for epoch, names in known.items() if epoch > name.epoch and name.text not in names]
        return True, max(unaware, default=name.epoch), bool(unaware), name

    return sorted(live, key=place)


def _behind(end: Part, found: Mapping[str, Part]) -> set[str]:
    """Return the names of a part and of all that it was written after, as far as they were not replaced and deleted."""
    names, todo = set[str](), [end.name.text]
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            todo += found[name].after if name in found else ()
    return names


def _chains(
    found: Mapping[str, Part], ends: Sequence[Part], broken: Mapping[str, BrokenPartError]
) -> list[Part]:
    """Follow the names of the last durable parts from the newest ones backwards."""
    kept: dict[str, Part] = {}
    named: dict[str, str] = {}
    todo = [*ends, *(part for part in found.values() if not part.name.sequence)]
    while todo:
        part = todo.pop()
        if part.name.text not in kept:
            kept[part.name.text] = part
            named |= dict.fromkeys(part.after, part.name.text)
            todo += [found[name] for name in part.after if name in found]
    for name, error in broken.items():
        _check_never_happened(name, error, found)
        # What it names was durable before it was written, and is deleted only after a commit.
        named |= dict.fromkeys(error.head.after if error.head else (), name)
    _check_nothing_missing(
        {name: by for name, by in named.items() if name not in found}, kept.values(), broken
    )
    return list(kept.values())


def _check_never_happened(name: str, error: BrokenPartError, found: Mapping[str, Part]) -> None:
    """Raise for a broken part that may have been a snapshot, because the parts that it replaced may be deleted."""
    own = PartName.parse(name)
    if own is None or error.head is not None or own.sequence <= 1:
        return
    if not any(part.name.epoch == own.epoch and part.name.sequence for part in found.values()):
        raise GapError(name, f"cannot be read: {error.why}")


def _check_nothing_missing(
    missing: Mapping[str, str], kept: Iterable[Part], broken: Mapping[str, BrokenPartError]
) -> None:
    """Raise if a part is missing that no snapshot replaces."""
    snapshots = [part for part in kept if part.replaces is not None]
    replaced = {name for part in snapshots for name in part.replaces or ()}
    # The writer of a snapshot had replayed all earlier epochs. So the snapshot also replaces the parts that an earlier one
    # lists.
    covered = max((part.name.epoch for part in snapshots), default=0)
    for name, by in sorted(missing.items()):
        parsed = PartName.parse(name)
        if name in replaced or (parsed is not None and parsed.epoch < covered):
            continue
        if name in broken:
            raise GapError(name, f"cannot be read: {broken[name].why}")
        raise GapError(name, f"is missing, although {by} says that it was written")

"""What a reducer did, as data: the only thing that passes from drafts to documents.

Each change names a place by its path of segments and says what is to happen there; ``value`` and
``was`` are what people see (frozen Python values, for DevTools and undo), ``encoded`` is what the
document stores. A reducer's changes are coalesced, so what it undid itself is never written, and
each change has an inverse, so undoing is one more ordinary list of changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from crdtstore.persistent import MISSING
from crdtstore.values import Encoded, same

__all__ = [
    "ABSENT",
    "Add",
    "Arrange",
    "Change",
    "Insert",
    "Move",
    "Path",
    "Put",
    "Remove",
    "Splice",
    "coalesce",
    "invert",
]

Path = tuple[str, ...]


ABSENT: Any = MISSING
"""Nothing was there."""


class Put(NamedTuple):
    """Write a register, a map entry or a set element; ``was`` is ``ABSENT`` for a new entry."""

    path: Path
    value: Any
    was: Any
    encoded: Encoded


class Remove(NamedTuple):
    """Remove a map entry, set element, table row or list element.

    ``after`` is the key of the list element before it (``None``: it was the first).
    """

    path: Path
    was: Any
    encoded: Encoded = None
    after: str | None = None


class Add(NamedTuple):
    """Add ``amount`` to a counter."""

    path: Path
    amount: int | float


class Splice(NamedTuple):
    """Replace ``deleted`` by ``inserted`` at code point ``at`` of a text."""

    path: Path
    at: int
    deleted: str
    inserted: str


class Insert(NamedTuple):
    """Insert a row or list element, given as a snapshot, under the key that ends the path.

    ``after`` is the key of the list element it comes right after (``None``: at the front); ``was``
    is the row of a table that it replaces.
    """

    path: Path
    row: Any
    after: str | None = None
    was: Any = ABSENT


class Move(NamedTuple):
    """Move a list element to right after the element ``after`` (``None``: to the front)."""

    path: Path
    after: str | None
    was: str | None


class Arrange(NamedTuple):
    """Bring the elements of a list into the order of ``keys``; written where many would move."""

    path: Path
    keys: tuple[str, ...]
    was: tuple[str, ...]


Change = Put | Remove | Add | Splice | Insert | Move | Arrange


def coalesce(changes: list[Change]) -> list[Change]:
    """Merge what one reducer did to one place, and drop what comes to nothing."""
    if len(changes) == 1:
        return changes
    changes = _without_passing(changes)
    out: list[Change | None] = []
    at: dict[Path, int] = {}
    for change in changes:
        if isinstance(change, (Insert, Move, Arrange, Splice)) or (
            isinstance(change, Remove) and change.encoded is None
        ):
            if not isinstance(change, Splice):  # structure changed: later writes are to new places
                at.clear()
            out.append(change)
            continue
        index = at.get(change.path)
        if index is None:
            at[change.path] = len(out)
            out.append(change)
        else:
            out[index] = _merge(out[index], change)
            if out[index] is None:
                del at[change.path]
    return [change for change in out if change is not None and not _idle(change)]


def _without_passing(changes: list[Change]) -> list[Change]:
    """Drop rows and elements that were inserted and removed again, with all that was done to them.

    One that others were placed after stays, and is removed: where they belong is known by it.
    """
    born: dict[Path, list[int]] = {}
    passing: list[list[int]] = []
    for at, change in enumerate(changes):
        path = change.path
        for depth in range(1, len(path) if born else 0):
            if path[:depth] in born:
                born[path[:depth]].append(at)
        if isinstance(change, Insert) and change.was is ABSENT:
            born[path] = [at]
        elif path in born:
            born[path].append(at)
            if isinstance(change, Remove):
                passing.append(born.pop(path))
    if not passing:
        return changes
    dropped = {at for group in passing for at in group}
    while True:
        anchors = {
            (*change.path[:-1], key)
            for at, change in enumerate(changes)
            if at not in dropped
            for key in _anchors(change)
        }
        kept = {at for group in passing if changes[group[0]].path in anchors for at in group}
        if kept.isdisjoint(dropped):
            return [change for at, change in enumerate(changes) if at not in dropped]
        dropped -= kept


def _anchors(change: Change) -> Iterable[str | None]:
    if isinstance(change, (Insert, Remove)):
        return (change.after,)
    if isinstance(change, Move):
        return (change.after, change.was)
    return (*change.keys, *change.was) if isinstance(change, Arrange) else ()


def _merge(first: Any, then: Any) -> Change | None:
    if isinstance(first, Add):
        return first._replace(amount=first.amount + then.amount)
    was = first.was
    if isinstance(then, Remove):
        return None if was is ABSENT else then._replace(was=was)
    return None if was is not ABSENT and same(was, then.value) else then._replace(was=was)


def _idle(change: Change) -> bool:
    return isinstance(change, Add) and change.amount == 0


def invert(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that take ``changes`` back, last first."""
    return [_inverse(change) for change in reversed(list(changes))]


def _entry(encoded: Encoded) -> Encoded:
    """Mark the removal of an entry, which ``None`` would not: that stands for a row's."""
    return False if encoded is None else encoded


def _inverse(change: Change) -> Change:
    if isinstance(change, Put):
        if change.was is ABSENT:
            return Remove(change.path, change.value, _entry(change.encoded))
        return Put(change.path, change.was, change.value, None)
    if isinstance(change, Remove):
        if change.encoded is None:
            return Insert(change.path, change.was, change.after)
        encoded = None if change.was is None else change.encoded
        return Put(change.path, change.was, ABSENT, encoded)
    if isinstance(change, Add):
        return Add(change.path, -change.amount)
    if isinstance(change, Splice):
        return Splice(change.path, change.at, change.inserted, change.deleted)
    if isinstance(change, Insert):
        if change.was is not ABSENT:
            return Insert(change.path, change.was, change.after, change.row)
        return Remove(change.path, change.row, after=change.after)
    if isinstance(change, Arrange):
        return Arrange(change.path, change.was, change.keys)
    return Move(change.path, change.was, change.after)

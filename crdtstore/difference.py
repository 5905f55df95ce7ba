"""What differs between two states, told from what they do not share.

Snapshots share everything that no change touched, so two states of one store are compared by
identity from the root down, and only what is not the same object on both sides is looked into: the
time it takes is that of the change and not of the state. Rows, entries and list elements are
matched by their lasting keys; an element that moved is out of place for as few as possible, those
outside a longest run of elements that kept their order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from crdtstore.persistent import MISSING
from crdtstore.values import same
from crdtstore.views import (
    FrozenRecord,
    ListSnapshot,
    MapSnapshot,
    SetSnapshot,
    TableSnapshot,
    fields_of,
)

__all__ = ["Difference", "Kind", "ListChange", "compare_lists", "differences", "longest_increasing"]

Kind = Literal["added", "removed", "changed"]


class Difference(NamedTuple):
    """One place that differs, as small as places are: a value, or a whole row, element or entry.

    ``path`` leads there as people write it: a slice, field names, keys, list indices as they are
    now (that of an element which was removed is what it was), and the values of sets themselves.
    ``place`` is the same for every replica and for all time: it has the lasting keys of list
    elements, and the keys that values have in a set. ``before`` is ``None`` for what was added,
    ``after`` for what was removed; an element that moved in a list was both.
    """

    path: tuple[Any, ...]
    place: tuple[str, ...]
    kind: Kind
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what differs between two root states, slice by slice, in a fixed order.

    They may be any two, but it is quick for those of one store. Raises ``TypeError`` for what is
    no root state, nor another mapping of slices by name.
    """
    for name, given in (("before", before), ("after", after)):
        if not isinstance(given, Mapping):
            raise TypeError(
                f"{name} is a root state (store.state, or the state of a commit), got "
                f"{type(given).__name__}: {given!r:.80}"
            )
    # By the class: a slice may be called "items".
    return _named(ItemsView(before), ItemsView(after), (), ())


def _walk(
    before: Any, after: Any, path: tuple[Any, ...], place: tuple[str, ...]
) -> Iterator[Difference]:
    if before is after:
        return
    kind = type(after)
    if isinstance(after, FrozenRecord):
        if isinstance(before, FrozenRecord):
            yield from _named(fields_of(before), fields_of(after), path, place)
            return
    elif kind is type(before):
        if kind is TableSnapshot or kind is MapSnapshot:
            for key, was, now in after._rows.changes_since(before._rows):
                yield from _entry(was, now, (*path, key), (*place, key))
            return
        if kind is SetSnapshot:
            for key, was, now in after._items.changes_since(before._items):
                if was is not MISSING and now is not MISSING and same(was, now):
                    continue
                if was is not MISSING:  # and if both: 1 and True are equal, and so of one key
                    yield Difference((*path, was), (*place, key), "removed", was, None)
                if now is not MISSING:
                    yield Difference((*path, now), (*place, key), "added", None, now)
            return
        if kind is ListSnapshot:
            yield from _elements(before, after, path, place)
            return
        if same(before, after):
            return
    yield Difference(path, place, "changed", before, after)


def _named(before: Any, after: Any, path: Any, place: Any) -> Iterator[Difference]:
    """Compare what has fields: records, and the root state."""
    known = dict(before)
    for name, now in after:
        was = known.pop(name, MISSING)
        if was is not now:
            yield from _entry(was, now, (*path, name), (*place, name))
    for name, was in known.items():
        yield Difference((*path, name), (*place, name), "removed", was, None)


def _entry(was: Any, now: Any, path: Any, place: Any) -> Iterator[Difference]:
    if was is MISSING:
        yield Difference(path, place, "added", None, now)
    elif now is MISSING:
        yield Difference(path, place, "removed", was, None)
    else:
        yield from _walk(was, now, path, place)


def _elements(before: Any, after: Any, path: Any, place: Any) -> Iterator[Difference]:
    change = compare_lists(before, after)
    for key, index in change.removed.items():
        yield Difference((*path, index), (*place, key), "removed", before._rows[key], None)
    for key, index in change.added.items():
        yield Difference((*path, index), (*place, key), "added", None, after._rows[key])
    for key, (old, new) in change.moved.items():
        yield Difference((*path, old), (*place, key), "removed", before._rows[key], None)
        yield Difference((*path, new), (*place, key), "added", None, after._rows[key])
    edited = [
        each
        for each in after._rows.changes_since(before._rows)
        if each[1] is not MISSING and each[2] is not MISSING and each[0] not in change.moved
    ]
    if not edited:
        return
    find: Callable[[str], int] = after._keys.index_of
    if len(edited) > 4:
        find = {key: index for index, key in enumerate(after._keys)}.__getitem__
    for key, was, now in edited:
        try:
            index = find(key)
        except (KeyError, ValueError):  # a row that no order shows
            continue
        yield from _walk(was, now, (*path, index), (*place, key))


class ListChange(NamedTuple):
    """Which elements of a list came, went and moved: their keys, with their indices."""

    removed: dict[str, int]
    added: dict[str, int]
    moved: dict[str, tuple[int, int]]


_NO_CHANGE = ListChange({}, {}, {})


def compare_lists(before: ListSnapshot, after: ListSnapshot) -> ListChange:
    """Tell by their keys which elements of a list came, went and moved, to be read only."""
    if before._keys is after._keys:
        return _NO_CHANGE
    start, end, old_end = after._keys.unlike(before._keys)
    past = {key: start + at for at, key in enumerate(before._keys[start:old_end])}
    present = {key: start + at for at, key in enumerate(after._keys[start:end])}
    kept = [key for key in present if key in past]
    stay = {kept[index] for index in longest_increasing([past[key] for key in kept])}
    return ListChange(
        {key: index for key, index in past.items() if key not in present},
        {key: index for key, index in present.items() if key not in past},
        {key: (past[key], present[key]) for key in kept if key not in stay},
    )


def longest_increasing(numbers: list[int]) -> list[int]:
    """Return the indices of a longest increasing subsequence (patience sorting, Fredman 1975)."""
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, value in enumerate(numbers):
        slot = bisect_left(tails, value)
        if slot == len(tails):
            tails.append(value)
            at.append(index)
        else:
            tails[slot] = value
            at[slot] = index
        before.append(at[slot - 1] if slot else -1)
    out: list[int] = []
    index = at[-1] if at else -1
    while index >= 0:
        out.append(index)
        index = before[index]
    return out[::-1]

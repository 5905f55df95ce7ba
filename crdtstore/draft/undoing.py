"""Taking back, on a draft of now, what once led from one snapshot to another.

What is taken back is found as ``differences`` finds it, so it costs what the change cost. Only the
change itself is taken back: a counter goes back by as much as it had gone on, of a text the words
that were typed are cut out and those that were cut out are put in, whatever was written elsewhere
meanwhile. What is not there any more (a row, an element, the words) is left alone, and told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crdtstore.difference import compare_lists
from crdtstore.draft.records import RecordDraft, read, write
from crdtstore.draft.texts import edits
from crdtstore.persistent import MISSING
from crdtstore.shapes import (
    CounterShape,
    ListShape,
    MapShape,
    RecordShape,
    RegisterShape,
    SetShape,
    Shape,
    TableShape,
    TextShape,
)
from crdtstore.values import same
from crdtstore.views import read_field

__all__ = ["put_back"]

Skipped = list[tuple[Any, ...]]


def put_back(
    shape: Shape, draft: Any, before: Any, after: Any, path: tuple[Any, ...], skipped: Skipped
) -> Any:
    """Do to ``draft`` the inverse of what led from ``before`` to ``after``, all of one shape.

    Returns what a slice that is one register or counter becomes, as its reducers do, and else
    ``None``. The paths of what could not be taken back are added to ``skipped``; they begin with
    ``path``, and have the lasting keys of list elements.
    """
    if isinstance(shape, RegisterShape):
        if before is None:  # a reducer that returns nothing changes nothing
            skipped.append(path)
        return before
    if isinstance(shape, CounterShape):
        return draft - (after - before)
    _KINDS[type(shape)](shape, draft, before, after, path, skipped)
    return None


def _record(
    shape: RecordShape, draft: RecordDraft, before: Any, after: Any, path: Any, skipped: Skipped
) -> None:
    for name, field in shape.fields.items():
        was, now = read_field(before, name), read_field(after, name)
        if was is now:
            continue
        if isinstance(field, RegisterShape):
            if not same(was, now):
                write(draft, name, field, was)
        elif isinstance(field, CounterShape):
            if was != now:
                write(draft, name, field, read(draft, name) - (now - was))
        else:
            _KINDS[type(field)](field, read(draft, name), was, now, (*path, name), skipped)


def _text(
    shape: TextShape, draft: Any, before: Any, after: Any, path: Any, skipped: Skipped
) -> None:
    """Edit the parts of a text that the change touched, as far as they are what it left there."""
    view = draft._place.value
    later = _parts(after, view)
    moved: list[tuple[int, int, str]] = []
    lost = False
    for start, stop, content in _parts(after, before):
        shift = 0
        whole = True
        for begin, end, instead in later:
            if end <= start:
                shift += len(instead) - (end - begin)
            elif begin < stop:
                whole = False
        if whole:
            moved.append((start + shift, stop - start, content))
        else:
            lost = True
    for start, length, content in reversed(moved):
        draft.splice(start, length, content)
    if lost:
        skipped.append(path)


def _parts(old: str, new: str) -> list[tuple[int, int, str]]:
    """Return what turns ``old`` into ``new`` as (start, stop, content), positions in ``old``."""
    parts: list[tuple[int, int, str]] = []
    if old == new:
        return parts
    shift = 0
    for index, deleted, inserted in edits(old, new):
        start = index - shift
        stop = start + deleted
        shift += len(inserted) - deleted
        if parts and parts[-1][1] == start:  # a deletion, and what was put in its place
            start, _, before = parts.pop()
            inserted = before + inserted
        parts.append((start, stop, inserted))
    return parts


def _set(shape: SetShape, draft: Any, before: Any, after: Any, path: Any, skipped: Skipped) -> None:
    for _, was, now in after._items.changes_since(before._items):
        if was is MISSING or (now is not MISSING and not same(was, now)):
            draft.discard(now)  # of equal values too the one that was there comes back: 1 for True
        if was is not MISSING:
            draft.add(was)


def _map(shape: MapShape, draft: Any, before: Any, after: Any, path: Any, skipped: Skipped) -> None:
    for key, was, now in after._rows.changes_since(before._rows):
        there = key in draft
        if was is MISSING:
            if there:
                del draft[key]
        elif now is not MISSING and not there:  # an edit of what is gone
            skipped.append((*path, key))
        else:
            draft[key] = was


def _table(
    shape: TableShape, draft: Any, before: Any, after: Any, path: Any, skipped: Skipped
) -> None:
    for key, was, now in after._rows.changes_since(before._rows):
        there = key in draft
        if was is MISSING:
            if there:
                del draft[key]
        elif now is MISSING and not there:
            draft[key] = was
        elif now is MISSING or not there:  # another row has its place, or it is gone
            skipped.append((*path, key))
        else:
            _record(shape.element, draft[key], was, now, (*path, key), skipped)


def _list(
    shape: ListShape, draft: Any, before: Any, after: Any, path: Any, skipped: Skipped
) -> None:
    change = compare_lists(before, after)
    there = set(draft._keys)
    skipped += [(*path, key) for key in change.moved if key not in there]
    skipped += [(*path, key) for key in change.removed if key in there]
    added = [draft.index_of(key) for key in change.added if key in there]
    for index in sorted(added, reverse=True):
        del draft[index]
    placed = {key for key in change.moved if key in there}
    back = {key for key in change.removed if key not in there}
    if placed or back:
        _put_in_place(draft, before, placed, back)
    for key, was, now in after._rows.changes_since(before._rows):
        if was is MISSING or now is MISSING or key in change.added or key in change.removed:
            continue
        if key not in there:
            if key not in change.moved:
                skipped.append((*path, key))
        elif isinstance(shape.element, RecordShape):
            _record(shape.element, draft.element(key), was, now, (*path, key), skipped)
        elif not same(was, now):
            draft._edit(key, was)


def _put_in_place(draft: Any, before: Any, moved: set[str], removed: set[str]) -> None:
    """Let elements follow the ones that they followed before, as far as those are there."""
    wanted = [key for key in draft._keys if key not in moved]
    at = {key: index for index, key in enumerate(wanted)}
    following: dict[str | None, list[str]] = {}
    anchor: str | None = None
    for key in before._keys:
        if key in moved or key in removed:
            following.setdefault(anchor, []).append(key)
        elif key in at:
            anchor = key
    order = list(following.get(None, ()))
    for key in wanted:
        order += [key, *following.get(key, ())]
    draft._reorder([key for key in order if key not in removed])
    for index, key in enumerate(order):
        if key in removed:
            draft.restore(index, key, before._rows[key])


_KINDS: dict[type, Callable[..., None]] = {
    RecordShape: _record,
    TextShape: _text,
    SetShape: _set,
    MapShape: _map,
    TableShape: _table,
    ListShape: _list,
}

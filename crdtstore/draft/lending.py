"""Objects that a reducer put into the state and may go on editing from outside of it.

``state.rows["k"] = row; row.title = "late"`` must do what it does with plain Python objects, so
what was lent to the state is compared with its draft at the end, and whenever somebody wants to see
the whole; what was done to it is then recorded as edits of the state.
"""

from __future__ import annotations

from typing import Any

from crdtstore.changes import Change, Path
from crdtstore.draft.lists import ListDraft
from crdtstore.draft.records import RecordDraft, read, write
from crdtstore.draft.scope import Lent, Scope
from crdtstore.shapes import (
    CounterShape,
    RecordShape,
    RegisterShape,
    TextShape,
    freeze_element,
    same_state,
)
from crdtstore.values import same
from crdtstore.views import read_field

__all__ = ["catch_up", "finish", "settle"]


def finish(scope: Scope, draft: Any) -> list[Change]:
    """Record what was done late to objects that had been put into the state; return all changes."""
    if scope.lent:
        settle(scope, (), draft)
    return scope.finish()


def settle(scope: Scope, base: Path, draft: Any) -> None:
    """Bring up to date what was lent to places below ``draft``, which stands at ``base``."""
    depth = len(base)
    for path, lent in list(scope.lent.items()):
        if path[:depth] != base:
            continue
        if isinstance(lent.shape, RecordShape) and (
            _untouched(lent.shape, lent.value, lent.then) or not _edited(scope, path, lent)
        ):
            continue
        place = draft
        for segment in path[depth:]:
            if path not in scope.lent:  # gone with what it was in
                break
            place = _inside(place, segment)
        else:
            if path in scope.lent:
                catch_up(scope, path, place)


def _untouched(shape: Any, value: Any, row: Any) -> bool:
    """Tell at little cost that an object is still as it was; what takes longer to tell is not."""
    kind = type(shape)
    if kind is RegisterShape or kind is CounterShape:
        return value is row or same(value, row)
    if kind is TextShape:
        return type(value) is str and value == row
    if kind is RecordShape and isinstance(value, shape.cls or ()):
        for name, field in shape.fields.items():
            if not _untouched(field, getattr(value, name), read_field(row, name)):
                return False
        return True
    return not value and not row


def _edited(scope: Scope, path: Path, lent: Lent) -> bool:
    now = freeze_element(lent.shape, lent.value, (scope.root, *path))
    return not same_state(lent.shape, lent.then, now)


def _inside(place: Any, segment: str) -> Any:
    if isinstance(place, RecordDraft):
        return read(place, segment)
    return place.element(segment) if isinstance(place, ListDraft) else place[segment]


def catch_up(scope: Scope, path: Path, draft: Any) -> None:
    """Bring a draft up to date with the object that was put into its place."""
    lent = scope.lent[path]
    if not isinstance(draft, RecordDraft):
        draft.catch_up(lent)
        return
    now = freeze_element(lent.shape, lent.value, (scope.root, *path))
    if same_state(lent.shape, lent.then, now):
        return
    scope.lent[path] = lent._replace(then=now)
    for name, field in lent.shape.fields.items():
        value = read_field(now, name)
        if not same_state(field, read_field(lent.then, name), value):
            write(draft, name, field, value)

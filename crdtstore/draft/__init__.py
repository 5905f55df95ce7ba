"""What reducers hold: drafts that look like dataclasses, dicts, lists, sets and str, and record.

``record`` runs a reducer on a draft of a snapshot and returns its changes; the snapshot is never
touched, and no document is near. The reducer sees its own writes, may mutate the draft or return a
new state but not both, and afterwards every draft is revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import iscoroutine
from typing import Any, TypeVar, cast

from crdtstore.changes import Add, Change, Put
from crdtstore.draft.containers import MapDraft, SetDraft, TableDraft
from crdtstore.draft.lending import catch_up, finish
from crdtstore.draft.lists import ListDraft
from crdtstore.draft.records import assign, open_record, open_text
from crdtstore.draft.scope import Opener, Scope, stored
from crdtstore.draft.showing import opened, show
from crdtstore.draft.texts import TextDraft, TextPlace
from crdtstore.errors import ReducerError
from crdtstore.shapes import (
    CounterShape,
    ListShape,
    MapShape,
    RecordShape,
    SetShape,
    Shape,
    TableShape,
    TextShape,
    check_number,
)
from crdtstore.values import freeze, same

__all__ = ["current", "is_draft", "original", "record"]

T = TypeVar("T")

_OPENERS: dict[type, Opener] = {
    RecordShape: open_record,
    TextShape: open_text,
    SetShape: SetDraft,
    MapShape: MapDraft,
    TableShape: TableDraft,
    ListShape: ListDraft,
}


def record(
    shape: Shape,
    state: Any,
    reducer: Callable[[Any], Any],
    *,
    token: Callable[[], str],
    root: str = "",
    after: Sequence[Callable[[Any], Any]] = (),
) -> list[Change]:
    """Run ``reducer`` on a draft of ``state`` and return what it changed.

    Those of ``after`` run next, each on what the one before left. ``root`` names the slice in
    messages. Raises whatever a reducer raises; nothing is changed then. Raises ``ReducerError`` for
    a reducer that both mutates its draft and returns a state, or is a coroutine;
    ``StateValueError`` for a value that state cannot hold.
    """
    scope = Scope(token, _OPENERS, catch_up, root)
    try:
        opener = _OPENERS.get(type(shape))
        if opener is None:
            return _record_value(scope, shape, state, (reducer, *after))
        draft = opener(scope, shape, (), state)
        _run(scope, draft, reducer)
        for following in after:
            finish(scope, draft)
            _run(scope, draft, following)
        return finish(scope, draft)
    finally:
        scope.revoke()


def _run(scope: Scope, draft: Any, reducer: Callable[[Any], Any]) -> None:
    before = len(scope.changes)
    result = reducer(draft.view() if type(draft) is TextPlace else draft)
    if result is not None and result is not draft:
        _assign_result(scope, draft, result, before)


def _refuse_async(scope: Scope, result: Any) -> None:
    if iscoroutine(result):
        result.close()
        raise ReducerError(
            f"the reducer of {scope.root!r} is async; reducers are plain functions: do the waiting "
            "in a thunk and dispatch its result"
        )


def _assign_result(scope: Scope, draft: Any, result: Any, before: int) -> None:
    _refuse_async(scope, result)
    if isinstance(result, TextDraft) and result._place is draft:
        return
    if len(scope.changes) > before or (finish(scope, draft) and len(scope.changes) > before):
        raise ReducerError(
            f"a reducer of {scope.root!r} changed its draft and also returned a value "
            f"({type(result).__name__}); mutate the draft or return a new state, never both"
        )
    scope.lending = False
    try:
        assign(draft, result)
    finally:
        scope.lending = True


def _record_value(
    scope: Scope, shape: Any, state: Any, reducers: Sequence[Callable[[Any], Any]]
) -> list[Change]:
    """Record what reducers return of a slice whose whole state is one register or counter."""
    shown = state
    encoded: Any = None
    for reducer in reducers:
        result = reducer(shown)
        _refuse_async(scope, result)
        if result is None:  # like every reducer that returns nothing: no change
            continue
        if isinstance(shape, CounterShape):
            check_number(shape, result, (scope.root,))
            shown = result
        else:
            encoded, shown = stored(shape.codec, result, (scope.root,))
    if same(state, shown):
        return []
    if isinstance(shape, CounterShape):
        return [Add((), shown - state)]
    return [Put((), shown, state, encoded)]


def current(draft: T) -> T:
    """Return an immutable snapshot of a draft as it is now, edits included.

    What was not edited is the same object as in the state that the reducer got. Safe to keep after
    the reducer; anything that is not a draft comes back as it is.
    """
    found = opened(draft)
    if found is None:
        return cast(T, freeze(draft)) if isinstance(draft, (list, dict)) else draft
    found.scope.check()
    return cast(T, show(draft))


def original(draft: T) -> T:
    """Return the snapshot that a draft started from, without the reducer's edits."""
    found = opened(draft)
    if found is None:
        return draft
    found.scope.check()
    return cast(T, found.base)


def is_draft(value: object) -> bool:
    """Tell whether ``value`` is what reducers hold, and not plain data or a snapshot."""
    return opened(value) is not None

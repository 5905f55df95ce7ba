"""What a draft shows now, as a snapshot that shares everything unedited with the one it began from.

Selectors compare with ``is``, inside reducers as well, so a part that no reducer touched must be
the same object before and after; and looking at a table of which one row was edited must not cost
all of its rows.
"""

from __future__ import annotations

from operator import is_
from typing import Any

from crdtstore.draft.containers import MapDraft, SetDraft, TableDraft
from crdtstore.draft.lending import settle
from crdtstore.draft.lists import ListDraft
from crdtstore.draft.records import RecordDraft
from crdtstore.draft.texts import TextDraft, TextPlace
from crdtstore.persistent import MISSING
from crdtstore.views import ListSnapshot, MapSnapshot, SetSnapshot, TableSnapshot, read_fields

__all__ = ["opened", "show"]


def opened(draft: Any) -> Any:
    """Return the draft's ``scope``, ``shape``, ``path`` and ``base``; ``None`` if it is none."""
    if isinstance(draft, RecordDraft):
        return draft._crdt
    if isinstance(draft, TextDraft):
        return draft._place
    if isinstance(draft, (ListDraft, TableDraft, MapDraft, SetDraft)):
        return draft
    return None


def show(draft: Any) -> Any:
    """Return a snapshot of ``draft``, edits included; the one it began from if there are none."""
    if isinstance(draft, TextDraft):
        return draft._place.value
    place = opened(draft)
    scope, path = place.scope, place.path
    if scope.lent:
        settle(scope, path, draft)
    scope.write_back(path)
    return _shown(draft)


def _shown(draft: Any) -> Any:
    if isinstance(draft, RecordDraft):
        _, shape, _, base, kids, over = draft._crdt
        if not kids and not over:
            return base
        before = read_fields(base)
        after = [
            _shown(kids[name]) if name in kids else over.get(name, old)
            for name, old in zip(shape.fields, before, strict=True)
        ]
        return base if all(map(is_, before, after)) else shape.build(after)
    if isinstance(draft, TextPlace):
        return draft.value
    base = draft.base
    if isinstance(draft, SetDraft):
        items = draft._entries.now()
        return base if items is base._items else SetSnapshot(items)
    if isinstance(draft, ListDraft):
        keys, rows = draft._keys, draft._base
        if keys is not base._keys and keys == base._keys:  # as it was, in the end
            keys = base._keys
        edits = {**draft._over, **{key: _shown(kid) for key, kid in draft._kids.items()}}
        if keys is not base._keys:
            kept = set(keys)
            edits |= {key: MISSING for key in rows if key not in kept}
        rows = rows.evolve(edits) if edits else rows
        if rows is draft._base and keys is base._keys:
            return base
        return ListSnapshot(keys, rows, base._root)
    rows = draft._entries.now()
    if isinstance(draft, MapDraft):
        return base if rows is base._rows else MapSnapshot(rows)
    if draft._kids:
        rows = rows.evolve({key: _shown(kid) for key, kid in draft._kids.items()})
    return base if rows is base._rows else TableSnapshot(rows)

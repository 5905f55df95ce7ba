"""Drafts of tables, maps and sets: the mutable protocols of dict and set, recorded entry by entry.

Each draft keeps what the reducer changed over the snapshot it started from, so a reducer that
touches one row of a hundred thousand costs one row. Iteration follows the canonical order of the
snapshots, new entries included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from copy import deepcopy
from typing import Any, cast

from crdtstore.changes import ABSENT, Insert, Path, Put, Remove
from crdtstore.draft.records import detach, lend_row, open_record
from crdtstore.draft.scope import THAWED, Lent, Scope, stored
from crdtstore.errors import StateValueError
from crdtstore.kinds import MapView, SetView, TableView
from crdtstore.persistent import SortedMap
from crdtstore.shapes import (
    MapShape,
    SetShape,
    TableShape,
    check_key,
    freeze_element,
    same_state,
)
from crdtstore.values import element_key, same, to_plain

__all__ = ["MapDraft", "SetDraft", "TableDraft"]


class _Entries:
    """The entries of a container as the reducer sees them: a snapshot, and what was changed."""

    __slots__ = ("base", "over", "size")

    def __init__(self, base: SortedMap) -> None:
        self.base = base
        self.over: dict[str, Any] = {}
        self.size = len(base)

    def get(self, key: Any) -> Any:
        if not isinstance(key, str):
            return ABSENT
        found = self.over.get(key)
        return self.base.get(key, ABSENT) if found is None and key not in self.over else found

    def put(self, key: str, value: Any) -> None:
        self.size += (value is not ABSENT) - (self.get(key) is not ABSENT)
        self.over[key] = value

    def keys(self) -> Iterator[str]:
        if not self.over:
            return iter(self.base)
        return iter(self.now())

    def now(self) -> SortedMap:
        return self.base.evolve(self.over) if self.over else self.base

    def twin(self) -> _Entries:
        twin = _Entries(self.base)
        twin.over = dict(self.over)
        twin.size = self.size
        return twin


class _MappingDraft:
    """What drafts of tables and maps share."""

    __slots__ = ("_entries", "base", "path", "scope", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, scope: Scope, shape: Any, path: Path, base: Any) -> None:
        self.scope = scope
        self.shape = shape
        self.path = path
        self.base = base
        self._entries = _Entries(base._rows)

    def _where(self, *more: object) -> tuple[object, ...]:
        return (self.scope.root, *self.path, *more)

    def __contains__(self, key: object) -> bool:
        self.scope.check()
        return isinstance(key, str) and self._entries.get(key) is not ABSENT

    def __iter__(self) -> Iterator[str]:
        self.scope.check()
        return iter(list(self._entries.keys()))

    def __len__(self) -> int:
        self.scope.check()
        return self._entries.size

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Mapping):
            return NotImplemented
        mine = cast("Mapping[str, Any]", self)
        return len(mine) == len(other) and all(k in other and mine[k] == other[k] for k in mine)

    def __repr__(self) -> str:
        if self.scope.revoked:
            return "<revoked draft>"
        mine = cast("Mapping[str, Any]", self)
        return repr({key: mine[key] for key in mine})

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the entry at ``key``, put there first if there was none: the state's own."""
        mine = cast("Any", self)
        if key not in mine:
            mine[key] = default
        return mine[key]

    def __copy__(self) -> dict[str, Any]:
        return dict(cast("Mapping[str, Any]", self))

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {key: deepcopy(value) for key, value in cast("Any", self).items()}

    def __reduce__(self) -> Any:
        raise TypeError("a draft cannot be pickled; take current(draft)")

    def to_plain(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return cast("dict[str, Any]", to_plain(self))

    def assign(self, value: Any) -> None:
        """Make the entries equal those of ``value``."""
        if not isinstance(value, Mapping):
            raise StateValueError(
                self._where(), f"expected a mapping, got {type(value).__name__}: {value!r:.80}"
            )
        new = {key: value[key] for key in value}
        for key in new:
            check_key(key, self._where())
        self._change(self, new)
        if isinstance(value, (dict, _MappingDraft)):
            self.scope.lend(self.path, Lent(self.shape, value, new))

    def catch_up(self, lent: Lent) -> None:
        """Take over what was done to the dict that was assigned to this place."""
        new = {key: lent.value[key] for key in lent.value}
        self._change(lent.then, new)
        self.scope.lend(self.path, lent._replace(then=new))

    def _change(self, old: Any, new: Mapping[str, Any]) -> None:
        """Do to the entries what leads from ``old`` to ``new``; an entry of both is put again."""
        mine = cast("Any", self)
        for key in [key for key in old if key not in new]:
            mine.pop(key, None)
        for key, value in new.items():
            if old is self or old.get(key, ABSENT) is not value:
                mine[key] = value

    def clear(self) -> None:
        """Remove every entry."""
        mine = cast("Any", self)
        for key in list(mine):
            del mine[key]


class TableDraft(_MappingDraft, TableView[Any]):
    """A table inside a reducer. Assigning to a key puts a fresh row there."""

    __slots__ = ("_kids",)
    shape: TableShape

    def __init__(self, scope: Scope, shape: TableShape, path: Path, base: Any) -> None:
        super().__init__(scope, shape, path, base)
        self._kids: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        self.scope.check()
        kid = self._kids.get(key)
        if kid is None:
            row = self._entries.get(key)
            if row is ABSENT:
                raise KeyError(key)
            kid = open_record(self.scope, self.shape.element, (*self.path, key), row)
            self._kids[key] = kid
        if self.scope.lent and (*self.path, key) in self.scope.lent:
            self.scope.catch_up(self.scope, (*self.path, key), kid)
        return kid

    def _now(self, key: str) -> Any:
        """Return a row as a snapshot, edits included."""
        if key in self._kids or (*self.path, key) in self.scope.lent:
            return freeze_element(self.shape.element, self[key], ())
        return self._entries.get(key)

    def twin(self) -> TableDraft:
        """Return a draft that goes on from here; the rows' drafts are its own now."""
        twin = TableDraft(self.scope, self.shape, self.path, self.base)
        twin._entries = self._entries.twin()
        twin._kids = self._kids
        self._kids = dict(self._kids)
        return twin

    def __setitem__(self, key: str, value: Any) -> None:
        self.scope.check()
        check_key(key, self._where())
        kid = self._kids.get(key)
        if kid is not None and value is kid:
            return
        element, path = self.shape.element, (*self.path, key)
        row = freeze_element(element, value, self._where(key))
        was = ABSENT if self._entries.get(key) is ABSENT else self._now(key)
        if was is ABSENT or not same_state(element, was, row):
            self._forget(key)
            self._entries.put(key, row)
            self.scope.changes.append(Insert(path, row, None, was))
        lend_row(self.scope, element, path, value, row)

    def __delitem__(self, key: str) -> None:
        self.scope.check()
        if self._entries.get(key) is ABSENT:
            raise KeyError(key)
        was = self._now(key)
        self._forget(key)
        self._entries.put(key, ABSENT)
        self.scope.changes.append(Remove((*self.path, key), was))

    def _forget(self, key: str) -> None:
        kid = self._kids.pop(key, None)
        if kid is None:
            self.scope.forget((*self.path, key))
        else:
            detach(kid, self.scope.detach())


class MapDraft(_MappingDraft, MapView[Any]):
    """A map inside a reducer."""

    __slots__ = ()
    shape: MapShape

    def __getitem__(self, key: str) -> Any:
        self.scope.check()
        value = self._entries.get(key)
        if value is ABSENT:
            raise KeyError(key)
        if type(value) in THAWED:
            return self.scope.thaw((*self.path, key), value, lambda copy: self._put(key, copy))
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.scope.check()
        check_key(key, self._where())
        self._put(key, value)

    def _put(self, key: str, value: Any) -> Any:
        """Write an entry; returns what it shows afterwards."""
        scope = self.scope
        path = (*self.path, key)
        before = self._entries.get(key)
        if scope.thawed and scope.written(path, value):
            return before
        encoded, shown = stored(self.shape.codec, value, (scope.root, *path))
        if before is not ABSENT and same(before, shown):
            shown = before
        else:
            self._entries.put(key, shown)
            scope.changes.append(Put(path, shown, before, encoded))
        if type(value) is list or type(value) is dict:
            scope.alias(path, shown, value, lambda copy: self._put(key, copy))
        return shown

    def twin(self) -> MapDraft:
        """Return a draft that goes on from here."""
        self.scope.write_back(self.path)
        twin = MapDraft(self.scope, self.shape, self.path, self.base)
        twin._entries = self._entries.twin()
        return twin

    def __delitem__(self, key: str) -> None:
        self.scope.check()
        before = self._entries.get(key)
        if before is ABSENT:
            raise KeyError(key)
        path = (*self.path, key)
        self.scope.forget(path)
        self._entries.put(key, ABSENT)
        encoded = self.shape.codec.encode(before, path)
        self.scope.changes.append(Remove(path, before, _entry(encoded)))


def _entry(encoded: Any) -> Any:
    """Mark the removal of an entry, which ``None`` would not: that stands for a row's."""
    return encoded if encoded is not None else False


class SetDraft(SetView[Any]):
    """A set inside a reducer."""

    __slots__ = ("_entries", "base", "path", "scope", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, scope: Scope, shape: SetShape, path: Path, base: Any) -> None:
        self.scope = scope
        self.shape = shape
        self.path = path
        self.base = base
        self._entries = _Entries(base._items)

    def _key(self, value: Any) -> str:
        return element_key(value, (self.scope.root, *self.path))

    def __contains__(self, value: object) -> bool:
        self.scope.check()
        try:
            return self._entries.get(self._key(value)) is not ABSENT
        except StateValueError:
            return False

    def __iter__(self) -> Iterator[Any]:
        self.scope.check()
        return iter(list(self._entries.now().values()))

    def __len__(self) -> int:
        self.scope.check()
        return self._entries.size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AbstractSet):
            return NotImplemented
        return self is other or (len(self) == len(other) and all(v in self for v in other))

    def __repr__(self) -> str:
        if self.scope.revoked:
            return "<revoked draft>"
        return "{" + ", ".join(map(repr, self)) + "}" if len(self) else "set()"

    def add(self, value: Any) -> None:
        """Add a value; adding one that is there records nothing."""
        self.scope.check()
        where = (self.scope.root, *self.path)
        key = element_key(value, where)
        if self._entries.get(key) is not ABSENT:
            return
        encoded, shown = stored(self.shape.codec, value, where)
        self._entries.put(key, shown)
        self.scope.changes.append(Put((*self.path, key), shown, ABSENT, encoded))

    def discard(self, value: Any) -> None:
        """Remove a value if it is there."""
        self.scope.check()
        try:
            key = self._key(value)
        except StateValueError:
            return
        before = self._entries.get(key)
        if before is ABSENT:
            return
        self._entries.put(key, ABSENT)
        encoded = self.shape.codec.encode(before, ())
        self.scope.changes.append(Remove((*self.path, key), before, _entry(encoded)))

    def update(self, *others: Iterable[Any]) -> None:
        """Add all values of ``others``."""
        for other in others:
            for value in list(other):
                self.add(value)

    def difference_update(self, *others: Iterable[Any]) -> None:
        """Remove all values of ``others``."""
        for other in others:
            for value in list(other):
                self.discard(value)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        """Keep only what is in all ``others``."""
        keep = set(self).intersection(*others)
        for value in self:
            if value not in keep:
                self.discard(value)

    def symmetric_difference_update(self, other: Iterable[Any]) -> None:
        """Add what is only in ``other``, remove what is in both."""
        for value in set(other):
            if value in self:
                self.discard(value)
            else:
                self.add(value)

    def clear(self) -> None:
        """Remove every value."""
        for value in self:
            self.discard(value)

    def __ior__(self, other: AbstractSet[Any]) -> Any:
        return self._in_place(self.update, other)

    def __iand__(self, other: AbstractSet[Any]) -> Any:
        return self._in_place(self.intersection_update, other)

    def __isub__(self, other: AbstractSet[Any]) -> Any:
        return self._in_place(self.difference_update, other)

    def __ixor__(self, other: AbstractSet[Any]) -> Any:
        return self._in_place(self.symmetric_difference_update, other)

    def _in_place(self, method: Callable[[Any], None], other: Any) -> Any:
        if not isinstance(other, AbstractSet):  # as for set: ``tags |= "abc"`` is a mistake
            return NotImplemented
        method(other)
        return self

    def __copy__(self) -> set[Any]:
        return set(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> set[Any]:
        return set(self)

    def __reduce__(self) -> Any:
        raise TypeError("a draft cannot be pickled; take current(draft)")

    def twin(self) -> SetDraft:
        """Return a draft that goes on from here."""
        twin = SetDraft(self.scope, self.shape, self.path, self.base)
        twin._entries = self._entries.twin()
        return twin

    def to_plain(self) -> list[Any]:
        return cast("list[Any]", to_plain(self))

    def assign(self, value: Any) -> None:
        """Make the values equal those of ``value``."""
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise StateValueError(
                (self.scope.root, *self.path),
                f"expected an iterable of elements, got {type(value).__name__}: {value!r:.80}",
            )
        values = list(value)
        new = {self._key(item): item for item in values}
        for item in self:
            if self._key(item) not in new:
                self.discard(item)
        for item in new.values():
            self.add(item)
        if isinstance(value, (set, SetDraft)):
            self.scope.lend(self.path, Lent(self.shape, value, set(values)))

    def catch_up(self, lent: Lent) -> None:
        """Take over what was done to the set that was assigned to this place."""
        new = set(lent.value)
        self.difference_update(lent.then - new)
        self.update(new - lent.then)
        self.scope.lend(self.path, lent._replace(then=new))

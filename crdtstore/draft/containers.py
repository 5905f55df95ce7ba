"""Drafts of tables, maps and sets: the mutable protocols of dict and set, recorded entry by entry.

Each draft keeps what the reducer changed over the snapshot it started from, so a reducer that
touches one row of a hundred thousand costs one row. Iteration follows the canonical order of the
snapshots, new entries included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, cast

from crdtstore.changes import ABSENT, Insert, Path, Put, Remove
from crdtstore.draft.records import detach, open_record
from crdtstore.draft.scope import Scope, display
from crdtstore.errors import StateValueError
from crdtstore.kinds import MapView, SetView, TableView
from crdtstore.persistent import SortedMap
from crdtstore.shapes import MapShape, SetShape, TableShape, check_key, freeze_element
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


class _MappingDraft:
    """What drafts of tables and maps share."""

    __slots__ = ("_entries", "_path", "_shape", "base", "scope")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, scope: Scope, shape: Any, path: Path, base: Any) -> None:
        self.scope = scope
        self._shape = shape
        self._path = path
        self.base = base
        self._entries = _Entries(base._rows)

    def _where(self, *more: object) -> tuple[object, ...]:
        return (self.scope.root, *self._path, *more)

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

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of the entries."""
        return dict(cast("Mapping[str, Any]", self))

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc] # a draft stays a draft
        cast("Any", self).update(other)
        return self

    def to_plain(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return cast("dict[str, Any]", to_plain(self))

    def _assign(self, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise StateValueError(
                self._where(), f"expected a mapping, got {type(value).__name__}: {value!r:.80}"
            )
        mine = cast("Any", self)
        new = dict(value)
        for key in new:
            check_key(key, self._where())
        for key in list(mine):
            if key not in new:
                del mine[key]
        mine.update(new)

    def clear(self) -> None:
        """Remove every entry."""
        mine = cast("Any", self)
        for key in list(mine):
            del mine[key]


class TableDraft(_MappingDraft, TableView[Any]):
    """A table inside a reducer. Assigning to a key puts a fresh row there."""

    __slots__ = ("_kids",)
    _shape: TableShape

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
            kid = open_record(self.scope, self._shape.element, (*self._path, key), row)
            self._kids[key] = kid
        return kid

    def __setitem__(self, key: str, value: Any) -> None:
        self.scope.check()
        check_key(key, self._where())
        kid = self._kids.get(key)
        if value is kid and kid is not None:
            return
        row = freeze_element(self._shape.element, value, self._where(key))
        before = self._entries.get(key)
        if before is not ABSENT:
            shown = before if kid is None else freeze_element(self._shape.element, kid, ())
            if same_row(shown, row):
                return
        self._forget(key)
        self._entries.put(key, row)
        self.scope.changes.append(Insert((*self._path, key), row))

    def __delitem__(self, key: str) -> None:
        self.scope.check()
        row = self._entries.get(key)
        if row is ABSENT:
            raise KeyError(key)
        kid = self._kids.get(key)
        was = row if kid is None else freeze_element(self._shape.element, kid, ())
        self._forget(key)
        self._entries.put(key, ABSENT)
        self.scope.changes.append(Remove((*self._path, key), was))

    def _forget(self, key: str) -> None:
        kid = self._kids.pop(key, None)
        if kid is not None:
            detach(kid, self.scope.detach())


def same_row(a: Any, b: Any) -> bool:
    """Tell whether two row snapshots are equal, types included."""
    return bool(a == b) and repr(a) == repr(b)


class MapDraft(_MappingDraft, MapView[Any]):
    """A map inside a reducer."""

    __slots__ = ()
    _shape: MapShape

    def __getitem__(self, key: str) -> Any:
        self.scope.check()
        value = self._entries.get(key)
        if value is ABSENT:
            raise KeyError(key)
        return self.scope.thaw((*self._path, key), value, lambda copy: self.__setitem__(key, copy))

    def __setitem__(self, key: str, value: Any) -> None:
        scope = self.scope
        scope.check()
        check_key(key, self._where())
        path = (*self._path, key)
        if scope.thawed and scope.written(path, value):
            return
        encoded = self._shape.codec.encode(value, (scope.root, *path))
        shown = display(encoded, value, self._shape.codec.decode)
        before = self._entries.get(key)
        if before is not ABSENT and same(before, shown):
            return
        self._entries.put(key, shown)
        scope.changes.append(Put(path, shown, before, encoded))

    def __delitem__(self, key: str) -> None:
        self.scope.check()
        before = self._entries.get(key)
        if before is ABSENT:
            raise KeyError(key)
        path = (*self._path, key)
        self.scope.forget(path)
        self._entries.put(key, ABSENT)
        encoded = self._shape.codec.encode(before, path)
        self.scope.changes.append(Remove(path, before, _entry(encoded)))


def _entry(encoded: Any) -> Any:
    """Mark the removal of an entry, which ``None`` would not: that stands for a row's."""
    return encoded if encoded is not None else False


class SetDraft(SetView[Any]):
    """A set inside a reducer."""

    __slots__ = ("_entries", "_path", "_shape", "base", "scope")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, scope: Scope, shape: SetShape, path: Path, base: Any) -> None:
        self.scope = scope
        self._shape = shape
        self._path = path
        self.base = base
        self._entries = _Entries(base._items)

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Any:
        return set(it)

    def _key(self, value: Any) -> str:
        return element_key(value, (self.scope.root, *self._path))

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
        where = (self.scope.root, *self._path)
        key = element_key(value, where)
        if self._entries.get(key) is not ABSENT:
            return
        encoded = self._shape.codec.encode(value, where)
        shown = display(encoded, value, self._shape.codec.decode)
        self._entries.put(key, shown)
        self.scope.changes.append(Put((*self._path, key), shown, ABSENT, encoded))

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
        encoded = self._shape.codec.encode(before, ())
        self.scope.changes.append(Remove((*self._path, key), before, _entry(encoded)))

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

    def union(self, *others: Iterable[Any]) -> set[Any]:
        """Return a plain set of the values of this and all ``others``."""
        return set(self).union(*others)

    def intersection(self, *others: Iterable[Any]) -> set[Any]:
        """Return a plain set of the values in this and in all ``others``."""
        return set(self).intersection(*others)

    def difference(self, *others: Iterable[Any]) -> set[Any]:
        """Return a plain set of the values in this and in none of ``others``."""
        return set(self).difference(*others)

    def symmetric_difference(self, other: Iterable[Any]) -> set[Any]:
        """Return a plain set of the values in exactly one of the two."""
        return set(self).symmetric_difference(other)

    def issubset(self, other: Iterable[Any]) -> bool:
        """Tell whether every value is in ``other``."""
        return set(self).issubset(other)

    def issuperset(self, other: Iterable[Any]) -> bool:
        """Tell whether every value of ``other`` is in this."""
        return set(self).issuperset(other)

    def copy(self) -> set[Any]:
        """Return a plain set of the values."""
        return set(self)

    def to_plain(self) -> list[Any]:
        return cast("list[Any]", to_plain(self))

    def _assign(self, value: Any) -> None:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise StateValueError(
                (self.scope.root, *self._path),
                f"expected an iterable of elements, got {type(value).__name__}: {value!r:.80}",
            )
        where = (self.scope.root, *self._path)
        new = {element_key(item, where): item for item in value}
        for item in list(self):
            if element_key(item, where) not in new:
                self.discard(item)
        for item in new.values():
            self.add(item)

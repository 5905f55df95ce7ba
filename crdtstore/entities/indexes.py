"""Indexes: the rows of a table by what a function says of them, each group in sorted order.

An index knows the values of every row, so that of a row that changed only those groups are touched
that it was in or is in now; all others stay the same objects.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

from crdtstore.entities.arranging import Edit, Entry, arranged, edited, rows_in
from crdtstore.entities.derived import Change, Derived
from crdtstore.entities.groups import Groups
from crdtstore.entities.order import Order, Sorting
from crdtstore.entities.sequences import EntitySequence
from crdtstore.persistent import MISSING, SortedMap

__all__ = ["Indexes", "Many"]

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

Values = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Many(Generic[T_contra]):
    """An index by several values a row, none or more: ``Many(lambda todo: todo.tags)``."""

    function: Callable[[T_contra], Iterable[Hashable]]


class _Index(NamedTuple):
    """One index of one version of a table; the entries in its groups are those of ``order``."""

    order: Order
    values: SortedMap
    groups: Groups[Any]


_NONE: EntitySequence[Any] = EntitySequence([], 0)


class Indexes(Generic[T]):
    """The indexes of an adapter, by name."""

    def __init__(
        self,
        functions: Mapping[str, Callable[[T], Hashable] | Many[T]],
        sorting: Sorting[T],
    ) -> None:
        self._sorting = sorting
        self._indexes = {
            name: self._derived(name, function) for name, function in functions.items()
        }

    def groups(self, rows: SortedMap, name: str) -> Groups[T]:
        """Return all groups of an index. Raises ``ValueError`` if there is no such index."""
        index = self._indexes.get(name)
        if index is None:
            raise ValueError(
                f"no index named {name!r}; indexes: {', '.join(self._indexes) or 'none'} (they are "
                "declared in create_entity_adapter)"
            )
        return index.of(rows).groups

    def group(self, rows: SortedMap, name: str, value: Hashable) -> EntitySequence[T]:
        """Return the rows that one index has under ``value``."""
        return self.groups(rows, name).get(value, _NONE)

    def _derived(self, name: str, function: Callable[[T], Hashable] | Many[T]) -> Derived[_Index]:
        read = _reader(name, function)
        order = self._sorting.order
        return Derived(
            lambda rows: _build(read, order(rows), rows),
            lambda old, changes, rows: _patch(read, old, changes, order(rows)),
        )


Reader = Callable[[str, Any], Values]


def _reader(name: str, function: Callable[[Any], Any] | Many[Any]) -> Reader:
    """Return what tells the values of a row from its id and the row."""
    many = isinstance(function, Many)
    call: Callable[[Any], Any] = function.function if isinstance(function, Many) else function

    def read(id: str, row: Any) -> Values:
        try:
            value = call(row)
            if value is None:
                return ()
            if not many:
                hash(value)
                return (value,)
            if isinstance(value, (str, bytes)):
                raise TypeError(f"Many takes several values, got {value!r:.80}; put it in a list")
            return tuple(dict.fromkeys(value))
        except Exception as error:
            if isinstance(error, TypeError) and "unhashable" in str(error):
                error.add_note(_UNHASHABLE)
            error.add_note(f"the index {name!r} was read for the entity {id!r}")
            raise

    return read


_UNHASHABLE = (
    "the values of an index are hashable: return a tuple of the list, or put the function into "
    "Many(...) to have the entity in several groups"
)


def _build(read: Reader, order: Order, rows: SortedMap) -> _Index:
    known: dict[Values, Values] = {}  # most rows share their values with others

    def values_of(id: str, row: Any) -> Values:
        values = read(id, row)
        return known.setdefault(values, values)

    values = rows.transform(values_of)
    by_id = dict(values.items())
    groups: dict[Hashable, list[Entry]] = {}
    for entry in chain.from_iterable(order.all.chunks):
        for value in by_id[entry[1]]:
            groups.setdefault(value, []).append(entry)
    return _Index(
        order,
        values,
        Groups(
            (value, rows_in(arranged(entries), len(entries))) for value, entries in groups.items()
        ),
    )


def _patch(read: Reader, old: _Index, changes: Sequence[Change], order: Order) -> _Index:
    values: dict[str, Any] = {}
    edits: dict[Hashable, list[Edit]] = {}
    for id, was, row in changes:
        before = () if was is MISSING else old.values[id]
        after = () if row is MISSING else read(id, row)
        values[id] = MISSING if row is MISSING else before if before == after else after
        gone, new = old.order.entry(id), order.entry(id)
        for value in before:
            edits.setdefault(value, []).append((gone, new if value in after else None))
        for value in after:
            if value not in before:
                edits.setdefault(value, []).append((None, new))
    groups = {value: _edited(old.groups.get(value, _NONE), edits[value]) for value in edits}
    return _Index(order, old.values.evolve(values), old.groups.evolve(groups))


def _edited(group: EntitySequence[Any], edits: Sequence[Edit]) -> EntitySequence[Any]:
    grown = sum((new is not None) - (old is not None) for old, new in edits)
    return rows_in(edited(group.chunks, edits), len(group) + grown)

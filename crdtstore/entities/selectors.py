"""Selectors of entities: what is derived from the table of a state, found there or patched.

They take the state, or what ``select_state`` finds it in: the root state, say. What they return is
immutable and stays the same object until something in it changes. Inside reducers they take drafts
too, and see them as they are at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import is_
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from crdtstore.draft import current
from crdtstore.draft.containers import TableDraft
from crdtstore.entities.ids import Ids
from crdtstore.entities.indexes import Indexes
from crdtstore.entities.order import Sorting
from crdtstore.entities.state import Located, located, snapshot_of
from crdtstore.kinds import TableView
from crdtstore.persistent import Lineage, SortedMap
from crdtstore.views import TableSnapshot

__all__ = ["EntitySelectors"]

T = TypeVar("T")
V_contra = TypeVar("V_contra", contravariant=True)

MOST_PICKED = 64
"""How many different lists of ids ``select_by_ids`` remembers the rows of, for one table."""


class EntitySelectors(Generic[T, V_contra]):
    """The selectors of one adapter, made by its ``get_selectors``."""

    def __init__(
        self,
        adapted: Ids[T],
        sorting: Sorting[T],
        indexes: Indexes[T],
        select_state: Callable[[V_contra], Any] | None,
    ) -> None:
        self._adapted = adapted
        self._sorting = sorting
        self._indexes = indexes
        self._select_state = select_state
        self._picked: WeakKeyDictionary[Lineage, dict[tuple[str, ...], tuple[T, ...]]] = (
            WeakKeyDictionary()
        )

    def select_ids(self, state: V_contra) -> Sequence[str]:
        """Return all ids, in the order of their entities."""
        return self._sorting.ids(self._rows(state))

    def select_entities(self, state: V_contra) -> TableView[T]:
        """Return the entities by id."""
        return self._snapshot(state)

    def select_all(self, state: V_contra) -> Sequence[T]:
        """Return all entities in order: that of the adapter, or that of their ids."""
        return self._sorting.all(self._rows(state))

    def select_total(self, state: V_contra) -> int:
        """Return how many entities there are."""
        table = self._table(state)
        return len(table) if isinstance(table, TableView) else len(self._rows(state))

    def select_by_id(self, state: V_contra, id: str) -> T | None:
        """Return one entity, or ``None``."""
        table = self._table(state)
        if type(table) is TableDraft:
            return current(cast(T, table[id])) if id in table else None
        return cast("T | None", snapshot_of(self._adapted, table).get(id))

    def select_by_ids(self, state: V_contra, ids: Iterable[str]) -> Sequence[T]:
        """Return those entities that there are of some ids, in the order of the ids."""
        asked = tuple(ids)
        table = self._snapshot(state)
        found = tuple([row for id in asked if (row := table.get(id)) is not None])
        picked = self._picked.setdefault(table._rows.lineage, {})
        before = picked.get(asked)
        if before is not None and len(before) == len(found) and all(map(is_, before, found)):
            return before
        if len(picked) >= MOST_PICKED:
            picked.clear()
        picked[asked] = found
        return found

    def select_by(self, state: V_contra, index: str, value: Hashable) -> Sequence[T]:
        """Return the entities for which an index has ``value``, in order.

        Raises ``ValueError`` if the adapter has no such index.
        """
        return self._indexes.group(self._rows(state), index, value)

    def select_index(self, state: V_contra, index: str) -> Mapping[Hashable, Sequence[T]]:
        """Return a whole index: the entities for each of its values.

        Raises ``ValueError`` if the adapter has no such index.
        """
        return self._indexes.groups(self._rows(state), index)

    def _table(self, state: V_contra) -> Located:
        return located(state if self._select_state is None else self._select_state(state))

    def _snapshot(self, state: V_contra) -> TableSnapshot:
        return snapshot_of(self._adapted, self._table(state))

    def _rows(self, state: V_contra) -> SortedMap:
        return self._snapshot(state)._rows

"""The sorted order of a table's rows, patched row by row.

Each row has a *rank* that compares as the adapter sorts, ties broken by id, so every replica shows
the same order. It is computed once for each version of a row and kept in the row's entry. The ids
have chunks of their own beside those of the entries, so that they stay the same object for as long
as their order does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cmp_to_key
from itertools import compress, count
from operator import is_not
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from crdtstore.entities.arranging import Edit, Entry, arranged, edited, ids_in, rows_in
from crdtstore.entities.derived import Change, Derived
from crdtstore.entities.sequences import EntitySequence
from crdtstore.persistent import MISSING, SortedMap

__all__ = ["Order", "Sorting", "by_comparer", "by_id", "by_key"]

T = TypeVar("T")

Rank = Callable[[str, Any], Any]

MOST_NAMED = 5
"""How many of the entities that changed are named if one of them cannot be compared."""


def by_id(id: str, row: Any) -> Any:
    """Rank rows by nothing but their ids."""
    return id


def by_key(key: Callable[[Any], Any]) -> Rank:
    """Rank rows by what ``key`` returns for them."""

    def rank(id: str, row: Any) -> Any:
        try:
            return key(row), id
        except Exception as error:
            error.add_note(f"sort_key was called for the entity {id!r}")
            raise

    return rank


def by_comparer(comparer: Callable[[Any, Any], float]) -> Rank:
    """Rank rows by a function that returns a number below, equal to or above 0 for two of them."""

    def compare(a: tuple[str, Any], b: tuple[str, Any]) -> Any:
        try:
            result = comparer(a[1], b[1])
            if result:
                return result
            if result is None:
                _refuse_none()
        except Exception as error:
            error.add_note(f"sort_comparer was called for the entities {a[0]!r} and {b[0]!r}")
            raise
        return (a[0] > b[0]) - (a[0] < b[0])

    made = cmp_to_key(compare)
    return lambda id, row: made((id, row))


def _refuse_none() -> NoReturn:
    raise TypeError(
        "a sort_comparer returns a number, below 0 if its first argument comes first, 0 if neither "
        "does, above 0 if the second does; got None"
    )


# Derived from tables


class Order(NamedTuple):
    """The rows of one version of a table in order: entries by id, and all of them sorted."""

    entries: SortedMap
    all: EntitySequence[Any]

    def entry(self, id: str) -> Entry | None:
        """Return the entry of a row, if there is one."""
        return self.entries.get(id)  # type: ignore[no-any-return]


class Sorting(Generic[T]):
    """How an adapter sorts, and the orders of the tables that it was asked for.

    ``keyed`` names the adapter if ranks compare what a user's function returned, and so may not
    compare.
    """

    def __init__(self, rank: Rank, *, keyed: str | None = None) -> None:
        self._rank = rank
        self._keyed = keyed
        self._orders: Derived[Order] = Derived(self._build, self._patch)
        self._ids: Derived[tuple[Order, EntitySequence[str]]] = Derived(
            self._build_ids, self._patch_ids
        )

    def order(self, rows: SortedMap) -> Order:
        """Return the order of a table's rows."""
        return self._orders.of(rows)

    def all(self, rows: SortedMap) -> EntitySequence[T]:
        """Return a table's rows in order."""
        if self._rank is by_id:
            return _unsorted_rows.of(rows)
        return self._orders.of(rows).all

    def ids(self, rows: SortedMap) -> EntitySequence[str]:
        """Return the ids of a table's rows, in the rows' order."""
        if self._rank is by_id:
            return _unsorted_ids.of(rows)
        return self._ids.of(rows)[1]

    def _build(self, rows: SortedMap) -> Order:
        rank = self._rank
        entries = rows.transform(lambda id, row: (rank(id, row), id, row))
        try:
            chunks = arranged(entries.values())
        except Exception as error:
            self._blame(error, entries, ())
            raise
        return Order(entries, rows_in(chunks, len(rows)))

    def _patch(self, old: Order, changes: Sequence[Change], rows: SortedMap) -> Order:
        if not changes:
            return old
        rank = self._rank
        new: dict[str, Any] = {
            id: row if row is MISSING else (rank(id, row), id, row) for id, _, row in changes
        }
        edits: list[Edit] = [
            (old.entry(id), None if entry is MISSING else entry) for id, entry in new.items()
        ]
        try:
            chunks = edited(old.all.chunks, edits)
        except Exception as error:
            self._blame(error, old.entries.evolve(new), new)
            raise
        return Order(old.entries.evolve(new), rows_in(chunks, len(rows)))

    def _blame(self, error: Exception, entries: SortedMap, among: Iterable[str]) -> None:
        """Say of ``error``, raised in comparing keys, whose they are, and what they are."""
        if self._keyed is None:
            return
        found = _incomparable(entries)
        if found and isinstance(error, TypeError):
            keys = " and ".join(f"{entry[0][0]!r:.80} for {entry[1]!r}" for entry in found)
            raise TypeError(
                f"sort_key of {self._keyed} returned keys that do not compare: {keys} ({error}); "
                "return keys of one type, with (value is None, value or ...) for what may be None"
            ) from error
        named = ", ".join(map(repr, [entry[1] for entry in found] or [*among][:MOST_NAMED]))
        error.add_note(f"sort_key's results were compared for the entities {named}")

    def _build_ids(self, rows: SortedMap) -> tuple[Order, EntitySequence[str]]:
        order = self._orders.of(rows)
        return order, EntitySequence(list(map(ids_in, order.all.chunks)), len(rows))

    def _patch_ids(
        self, old: tuple[Order, EntitySequence[str]], changes: Sequence[Change], rows: SortedMap
    ) -> tuple[Order, EntitySequence[str]]:
        order = self._orders.of(rows)
        before, after = old[0].all.chunks, order.all.chunks
        shown = old[1].chunks
        if len(before) == len(after):
            chunks = shown
            for at in compress(count(), map(is_not, before, after)):
                ids = ids_in(after[at])
                if ids != chunks[at]:
                    chunks = chunks[:] if chunks is shown else chunks
                    chunks[at] = ids
            if chunks is shown:
                return order, old[1]
        else:
            known = {id(chunk): ids for chunk, ids in zip(before, shown, strict=True)}
            chunks = [known.get(id(chunk)) or ids_in(chunk) for chunk in after]
        return order, EntitySequence(chunks, len(rows))


def _incomparable(entries: SortedMap) -> list[Entry]:
    """Return two entries whose ranks cannot be compared."""
    found: list[Entry] = []

    def compare(a: Entry, b: Entry) -> int:
        try:
            return -1 if a[0] < b[0] else 1
        except Exception:
            found.extend((a, b))
            raise

    with suppress(Exception):
        sorted(entries.values(), key=cmp_to_key(compare))
    return found


# Unsorted tables: the order of the rows is that of the table, and nothing is kept for a row


def _rows_of(rows: SortedMap) -> EntitySequence[Any]:
    return EntitySequence(rows.chunks[1], len(rows))


def _next_rows(
    old: EntitySequence[Any], changes: Sequence[Change], rows: SortedMap
) -> EntitySequence[Any]:
    return _rows_of(rows) if changes else old


def _ids_of(rows: SortedMap) -> EntitySequence[str]:
    return EntitySequence(rows.chunks[0], len(rows))


def _next_ids(
    old: EntitySequence[str], changes: Sequence[Change], rows: SortedMap
) -> EntitySequence[str]:
    return old if rows.chunks[0] == old.chunks else _ids_of(rows)


_unsorted_rows: Derived[EntitySequence[Any]] = Derived(_rows_of, _next_rows)
_unsorted_ids: Derived[EntitySequence[str]] = Derived(_ids_of, _next_ids)

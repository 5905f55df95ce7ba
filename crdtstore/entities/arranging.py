"""Entries in order, in chunks that versions share: made by sorting once, and by edits from then on.

An entry is ``(rank, id, row)``, and ranks compare without ties. To put one in, take one out or move
one is a binary search or two, and a copied chunk; very many at once are merged in. Should ranks
have no order after all (NaN is neither below nor above anything), then no search finds an entry by
its rank, and they are sorted again: that means nothing, but loses no row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from crdtstore.entities.sequences import EntitySequence

__all__ = ["Edit", "Entry", "arranged", "edited", "ids_in", "rows_in"]

Entry = tuple[Any, str, Any]
"""A row as it is sorted: its rank, its id, the row."""

Edit = tuple[Entry | None, Entry | None]
"""An entry before and after; ``None`` where there is none."""

LOAD = 256

_rank = itemgetter(0)
_id = itemgetter(1)
_row = itemgetter(2)


def rows_in(chunks: list[list[Entry]], length: int) -> EntitySequence[Any]:
    """Return the rows of all entries."""
    return EntitySequence(chunks, length, _row)


def ids_in(chunk: list[Entry]) -> list[str]:
    """Return the ids of the entries of one chunk."""
    return list(map(_id, chunk))


def arranged(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Return chunks of ``entries``, in order."""
    found = sorted(entries, key=_rank)
    return [found[at : at + LOAD] for at in range(0, len(found), LOAD)]


def edited(chunks: list[list[Entry]], edits: Sequence[Edit]) -> list[list[Entry]]:
    """Return ``chunks`` with all ``edits`` made, each that of another id."""
    try:
        if len(edits) <= 16 or len(edits) * 32 < LOAD * len(chunks):
            return _edited_singly(chunks, edits)
    except _LostError:  # whatever compares like this has no order to search in
        pass
    gone = {old[1] for old, _ in edits if old is not None}
    new = [new for _, new in edits if new is not None]
    kept = [entry for entry in chain.from_iterable(chunks) if entry[1] not in gone]
    return arranged([*kept, *sorted(new, key=_rank)])  # two sorted runs: no more than a merge


class _LostError(Exception):
    """An entry is not where its rank says."""


def _edited_singly(chunks: list[list[Entry]], edits: Sequence[Edit]) -> list[list[Entry]]:
    arranging = _Arranging(chunks)
    for old, new in edits:
        arranging.edit(old, new)
    return arranging.chunks


class _Arranging:
    """Chunks in the making; a chunk is copied when it is first touched."""

    def __init__(self, chunks: list[list[Entry]]) -> None:
        self.chunks = chunks[:]
        self._copied: set[int] = set()

    def edit(self, old: Entry | None, new: Entry | None) -> None:
        """Take ``old`` out and put ``new`` in."""
        if old is None:
            if new is not None:
                self._insert(new)
            return
        at = bisect_right(self.chunks, old[0], key=_first) - 1
        if at < 0:
            raise _LostError
        chunk = self.chunks[at]
        slot = bisect_left(chunk, old[0], key=_rank)
        if slot == len(chunk) or chunk[slot][1] != old[1]:
            raise _LostError
        if new is None:
            self._remove(at, slot)
        elif new[0] == old[0] or self._fits(at, slot, new[0]):
            self._own(at)[slot] = new
        else:
            self._remove(at, slot)
            self._insert(new)

    def _fits(self, at: int, slot: int, rank: Any) -> bool:
        """Tell whether an entry of that rank belongs where another one is."""
        chunk = self.chunks[at]
        if slot:
            before = chunk[slot - 1]
        elif at:
            before = self.chunks[at - 1][-1]
        else:
            before = None
        if before is not None and not before[0] < rank:
            return False
        if slot + 1 < len(chunk):
            return bool(rank < chunk[slot + 1][0])
        return at + 1 == len(self.chunks) or bool(rank < self.chunks[at + 1][0][0])

    def _own(self, at: int) -> list[Entry]:
        chunk = self.chunks[at]
        if id(chunk) not in self._copied:
            chunk = self.chunks[at] = chunk[:]
            self._copied.add(id(chunk))
        return chunk

    def _replace(self, at: int, stop: int, chunks: list[list[Entry]]) -> None:
        self.chunks[at:stop] = chunks
        self._copied.update(map(id, chunks))

    def _insert(self, entry: Entry) -> None:
        if not self.chunks:
            self._replace(0, 0, [[entry]])
            return
        at = max(bisect_right(self.chunks, entry[0], key=_first) - 1, 0)
        chunk = self._own(at)
        chunk.insert(bisect_right(chunk, entry[0], key=_rank), entry)
        if len(chunk) > 2 * LOAD:
            self._replace(at, at + 1, [chunk[:LOAD], chunk[LOAD:]])

    def _remove(self, at: int, slot: int) -> None:
        chunk = self._own(at)
        del chunk[slot]
        if len(chunk) >= LOAD // 4 or (chunk and len(self.chunks) == 1):
            return
        first = max(at - 1, 0)
        joined = list(chain.from_iterable(self.chunks[first : first + 2]))
        half = len(joined) // 2 if len(joined) > 2 * LOAD else len(joined)
        self._replace(first, first + 2, [part for part in (joined[:half], joined[half:]) if part])


def _first(chunk: list[Entry]) -> Any:
    return chunk[0][0]

"""What is computed from a table and brought up to date from one version of it to the next.

A table's rows are a persistent map, and the versions of it that a store goes through are of one
lineage. For each lineage a ``Derived`` keeps what it computed last, with a twin of the rows it was
computed from; for another version it looks at the entries in which the two differ, wherever they
came from: a dispatch, a merge or a jump into the past. What is kept dies with the lineage, so with
the store; tables and stores do not get in one another's way, since each has a lineage of its own.

Where versions branch (stores that began from one default, drafts, snapshots that somebody keeps)
several are kept: those whose rows are still alive somewhere, as they may be asked for again and
must then give the very same result, and a few of the others to go on from.

Computing happens without a lock: user functions run in it. Of two threads that compute for the same
rows at the same time one wins, and both get what it computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary, ref

from crdtstore.persistent import Lineage, SortedMap

__all__ = ["Change", "Derived"]

D = TypeVar("D")

Change = tuple[str, Any, Any]
"""The id of a row, and the row before and after; ``MISSING`` where there is none."""

MOST_HEADS = 16
MOST_DEAD = 4


class _Head(NamedTuple):
    """What was computed for the rows that ``version`` refers to, and ``twin`` shares."""

    version: ref[SortedMap]
    twin: SortedMap
    value: Any


class _Heads:
    """What is kept for one lineage, the latest first; replaced whole, so it is read as it is."""

    __slots__ = ("heads",)

    def __init__(self) -> None:
        self.heads: tuple[_Head, ...] = ()

    def get(self, rows: SortedMap) -> _Head | None:
        """Return the head of these very rows."""
        for head in self.heads:
            if head.version() is rows:
                return head
        return None

    def nearest(self, rows: SortedMap) -> _Head | None:
        """Return the head from which ``rows`` differ least; the latest of them if that is near."""
        heads = self.heads
        if len(heads) < 2:
            return heads[0] if heads else None
        best, least = heads[0], -1
        for head in heads:
            unshared = rows.unshared(head.twin)
            if unshared <= 2:  # one chunk that is another
                return head
            if least < 0 or unshared < least:
                best, least = head, unshared
        return best

    def put(self, new: _Head, base: _Head | None) -> None:
        """Keep ``new``, which was gone on to from ``base``, and what may still be of use."""
        others = [head for head in self.heads if head is not base or head.version() is not None]
        if others:
            alive = [head for head in others if head.version() is not None]
            dead = [head for head in others if head.version() is None]
            others = [*alive, *dead[:MOST_DEAD]][: MOST_HEADS - 1]
        self.heads = (new, *others)


class Derived(Generic[D]):
    """Something computed from the rows of tables: built from nothing, or patched from an old one.

    ``build`` takes the rows; ``patch`` the old value, the changes since, and the rows. A patched
    value must equal a built one. What either raises is raised by ``of``, and what was known before
    stays known.
    """

    def __init__(
        self,
        build: Callable[[SortedMap], D],
        patch: Callable[[D, Sequence[Change], SortedMap], D],
    ) -> None:
        self._build = build
        self._patch = patch
        self._kept: WeakKeyDictionary[Lineage, _Heads] = WeakKeyDictionary()
        self._publishing = Lock()

    def of(self, rows: SortedMap) -> D:
        """Return the value for ``rows``: the same object whenever it is asked for the same rows."""
        heads = self._kept.get(rows.lineage)
        if heads is None:
            with self._publishing:
                heads = self._kept.setdefault(rows.lineage, _Heads())
        found = heads.get(rows)
        if found is not None:
            return found.value  # type: ignore[no-any-return]
        base = heads.nearest(rows)
        if base is None:
            value = self._build(rows)
        else:
            value = self._patch(base.value, list(rows.changes_since(base.twin)), rows)
        with self._publishing:
            found = heads.get(rows)
            if found is not None:  # by another thread, meanwhile
                return found.value  # type: ignore[no-any-return]
            heads.put(_Head(ref(rows), rows.twin(), value), base)
        return value

"""The newest commits of a store, kept by reference until somebody reads them.

A hook is told of every commit at once, which costs the program that commits. A trail only notes
what there is already, the states before and after, the deltas and the action, and a ``Commit`` is
made when it is read: so tools that look back, and mostly nobody looks, can be attached all the
time. States share what did not change, so a trail holds little more than what changed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from crdtstore.actions import Action
from crdtstore.replication import ActionInfo, Commit
from crdtstore.state import RootState

__all__ = ["Trail"]

_FEW = 16

About = tuple[str, str, int, bytes | None]
Raw = tuple[
    int, list[tuple[str, bytes]], About | None, Any, int, RootState, RootState, Action[Any] | None
]
"""A commit's ``seq``, named deltas, info, ``origin``, ``at``, ``state``, ``previous``, action."""


class Trail:
    """The last ``limit`` commits of a store since ``Store.trail``, numbered from 0 in commit order.

    ``initial`` is the state before all of them, and ``vectors`` the store's state vectors then.
    Everything may be called from any thread, and none waits for another.
    """

    __slots__ = (
        "_close",
        "_lock",
        "_noted",
        "_wake",
        "_wake_from",
        "end",
        "initial",
        "limit",
        "vectors",
    )

    def __init__(
        self,
        limit: int,
        initial: RootState,
        vectors: dict[str, bytes],
        close: Callable[[Trail], object],
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit is how many commits are kept, 1 at least; got {limit!r}")
        self.limit = limit
        self.initial = initial
        self.vectors = vectors
        self.end = 0
        """The number that the next commit will have."""
        self._noted: deque[tuple[int, Raw]] = deque(maxlen=limit)
        self._lock = threading.Lock()  # taken only to wait, and while somebody waits
        self._wake: Callable[[], object] | None = None
        self._wake_from = 0
        self._close = close

    def note(self, raw: Raw) -> None:
        """Take a commit; called by the store, under its lock."""
        number = self.end
        self._noted.append((number, raw))
        self.end = number + 1
        if self._wake is not None:
            self._awake()

    @property
    def first(self) -> int:
        """The number of the oldest commit that is kept; equal to ``end`` if none is."""
        try:
            return self._noted[0][0]
        except IndexError:
            return self.end

    def since(self, number: int, count: int | None = None) -> list[tuple[int, Commit]]:
        """Return the numbers and commits from ``number`` on, ``count`` at most, that are kept."""
        most = self.limit if count is None else count
        return [(at, _commit(raw)) for at, raw in self._since(number, most)]

    def _since(self, number: int, count: int) -> list[tuple[int, Raw]]:
        noted = self._noted
        try:
            # Where the number is, counted from the end; others may append and drop meanwhile.
            start = max(number, noted[0][0])
            back = noted[-1][0] - start
            if back < 0 or count < 1:
                return []
            if count <= _FEW:
                found = [noted[at] for at in range(-1 - back, min(count - back - 1, 0))]
                if found[0][0] == start and found[-1][0] == start + len(found) - 1:
                    return found
        except IndexError:
            if not noted:
                return []
        kept = list(noted)  # at once
        skip = max(0, number - kept[0][0])
        return kept[skip : skip + count]

    def commit(self, number: int) -> Commit | None:
        """Return one commit, or ``None`` if it is not kept (any more)."""
        for at, raw in self._since(number, 1):
            if at == number:
                return _commit(raw)
        return None

    def wake(self, callback: Callable[[], object], *, after: int) -> bool:
        """Call ``callback`` once when there is a commit numbered ``after`` or higher.

        Returns ``False``, and does not call it, if there is one already. It is called while the
        store commits: it must be quick, and may only tell another thread. There is one at a time, a
        second replaces the first.
        """
        with self._lock:
            self._wake_from = after
            self._wake = callback  # first: who notes looks at this after counting
            if self.end > after:
                self._wake = None
                return False
            return True

    def _awake(self) -> None:
        with self._lock:
            wake = self._wake
            if wake is None or self.end <= self._wake_from:
                return
            self._wake = None
        wake()

    def close(self) -> None:
        """Take no more; what is there stays readable."""
        self._wake = None
        self._close(self)

    def __len__(self) -> int:
        return len(self._noted)

    def __iter__(self) -> Iterator[tuple[int, Commit]]:
        return iter(self.since(0))


def _commit(raw: Raw) -> Commit:
    seq, named, about, origin, at, state, previous, action = raw
    return Commit(
        seq,
        dict(named),
        None if about is None else ActionInfo(*about),
        origin,
        at,
        action is not None,
        state,
        previous,
        action,
    )

"""The newest commits of one store: its ``Trail``, and the store, for the tools that show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from crdtstore import Commit, Store

__all__ = ["LIMIT", "Log"]

LIMIT = 10_000
"""How many commits are kept, unless told otherwise."""


class Log:
    """The last ``limit`` commits of ``store`` from now on; see ``crdtstore.Trail``."""

    def __init__(self, store: Store, *, limit: int = LIMIT) -> None:
        self.store = store
        self._trail = trail = store.trail(limit)
        self.limit = limit
        self.initial = trail.initial
        self.vectors = trail.vectors

    @property
    def first(self) -> int:
        """The number of the oldest commit that is kept; equal to ``end`` if none is."""
        return self._trail.first

    @property
    def end(self) -> int:
        """The number that the next commit will have."""
        return self._trail.end

    def since(self, number: int, count: int = LIMIT) -> list[tuple[int, Commit]]:
        """Return the numbers and commits from ``number`` on, ``count`` at most, that are kept."""
        return self._trail.since(number, count)

    def commit(self, number: int) -> Commit | None:
        """Return one commit, or ``None`` if it is not kept (any more)."""
        return self._trail.commit(number)

    def wake(self, callback: Callable[[], object], *, after: int) -> bool:
        """Call ``callback`` once when there is a commit numbered ``after`` or higher."""
        return self._trail.wake(callback, after=after)

    def close(self) -> None:
        """Take no more; what is there stays readable."""
        self._trail.close()

    def __iter__(self) -> Iterator[tuple[int, Commit]]:
        return iter(self._trail)

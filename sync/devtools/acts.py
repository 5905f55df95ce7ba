"""Which act wrote which clocks, found by slice, client and clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sync.devtools.events import Line
from sync.devtools.told import Key, Range

__all__ = ["Acts"]


class Acts:
    """The numbers of acts by their ranges; a range that is taken stays its first act's."""

    def __init__(self) -> None:
        self._lines: dict[Key, Line] = {}

    def add(self, n: int, ranges: Iterable[Range]) -> None:
        """Make act ``n`` findable."""
        for slice, client, _, end in ranges:
            line = self._lines.get((slice, client))
            if line is None:
                line = self._lines[slice, client] = Line()
            if line.at(end) is None:
                line.add(end, n)

    def remove(self, n: int, ranges: Iterable[Range]) -> None:
        """Forget act ``n``."""
        for slice, client, _, end in ranges:
            line = self._lines.get((slice, client))
            if line is not None and line.at(end) == n:
                line.remove(end)

    def at(self, ranges: Iterable[Range]) -> int | None:
        """Return the act one of whose ranges ends where one of these does."""
        for slice, client, _, end in ranges:
            line = self._lines.get((slice, client))
            n = line.at(end) if line is not None else None
            if n is not None:
                return n
        return None

    def between(self, key: Key, known: int, end: int) -> Sequence[int]:
        """Return the acts that end after ``known``, and at ``end`` at the latest."""
        line = self._lines.get(key)
        return line.between(known, end) if line is not None else ()

    def newest(self, key: Key, end: int) -> int | None:
        """Return the last act that ends at ``end`` at the latest."""
        line = self._lines.get(key)
        return line.newest(end) if line is not None else None

    def is_newest(self, key: Key, end: int) -> bool:
        """Whether there is no act that ends after ``end``."""
        line = self._lines.get(key)
        return line is None or not line.ends or line.ends[-1] <= end

    def trim(self, first: int) -> None:
        """Forget the acts before event ``first``."""
        for key, line in list(self._lines.items()):
            line.trim(first)
            if not line.ends:
                del self._lines[key]

"""The order of one list: its occurrences in array order, and the elements they show.

A list's array holds occurrences ``[id, inc, stamp, writer]``: an insert adds one, a move deletes
those it sees and adds another. Two concurrent moves leave two; shown is, for each element with a
live base, the one with the largest ``(stamp, writer)``, so a moved element is never doubled. While
every occurrence is shown, which is nearly always, positions in the array are positions in the list
and edits cost O(sqrt n); otherwise the shown order is derived afresh after a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from crdtstore.persistent import Vector

__all__ = ["Occurrence", "Order", "parse_occurrence"]

Occurrence = tuple[str, str, int, str]
"""(element id, incarnation, stamp in ms, writer)"""

_STALE: Occurrence = ("", "", 0, "")


def parse_occurrence(raw: Any) -> Occurrence:
    """Read an array item; one that no version known to us writes comes back as never shown."""
    if type(raw) is list and len(raw) == 4:
        key, inc, stamp, writer = raw
        if type(stamp) is float and stamp.is_integer():
            stamp = int(stamp)
        if type(key) is str and type(inc) is str and type(stamp) is int and type(writer) is str:
            return key, inc, stamp, writer
    return _STALE


class Order:
    """One list's occurrences and what they show; ``is_live(id, inc)`` knows the bases."""

    __slots__ = ("_is_live", "_stale", "items", "places", "shown")

    def __init__(self, is_live: Callable[[str, str], bool]) -> None:
        self._is_live = is_live
        self.items: list[Occurrence] = []
        self.shown = Vector.of(())
        self.places: dict[str, Occurrence] = {}
        self._stale = False

    def insert(self, index: int, added: Iterable[Occurrence]) -> None:
        """Record that the array gained items at ``index``."""
        for offset, item in enumerate(added):
            at = index + offset
            if not self._stale and len(self.items) == len(self.places):
                if item[0] not in self.places and self._is_live(item[0], item[1]):
                    self.places[item[0]] = item
                    self.shown = self.shown.insert(at, item[0])
                else:
                    self._stale = True
            else:
                self._stale = True
            self.items.insert(at, item)

    def delete(self, index: int, count: int) -> list[Occurrence]:
        """Record that the array lost ``count`` items at ``index``; return them."""
        gone = self.items[index : index + count]
        if not self._stale and len(self.items) == len(self.places):
            for item in gone:
                del self.places[item[0]]
                self.shown = self.shown.remove(index)
        else:
            self._stale = True
        del self.items[index : index + count]
        return gone

    def bases_changed(self, key: str) -> None:
        """Note that the bases of element ``key`` changed, so that it may appear or vanish."""
        item = self.places.get(key)
        if item is None:
            self._stale = self._stale or len(self.items) != len(self.places)
        elif not self._is_live(key, item[1]):
            self._stale = True

    def settle(self) -> None:
        """Derive what is shown, if the last changes left that open."""
        if not self._stale:
            return
        best: dict[str, Occurrence] = {}
        for item in self.items:
            if not self._is_live(item[0], item[1]):
                continue
            other = best.get(item[0])
            if other is None or (item[2], item[3]) > (other[2], other[3]):
                best[item[0]] = item
        shown = [item[0] for item in self.items if best.get(item[0]) is item]
        self.places = {key: best[key] for key in shown}
        self.shown = Vector.of(shown)
        self._stale = False

    def index_after(self, key: str | None) -> int:
        """Return the array index right after what is shown of ``key`` (``None``: the front)."""
        if key is None:
            return 0
        item = self.places.get(key)
        if item is None:  # gone meanwhile: the end is the least surprising place
            return len(self.items)
        if self.items and self.items[-1] is item:
            return len(self.items)
        return self.items.index(item) + 1

    def positions_of(self, key: str) -> list[int]:
        """Return the array indices of all occurrences of an element, last first."""
        if len(self.items) == len(self.places):
            item = self.places.get(key)
            return [] if item is None else [self.items.index(item)]
        return [i for i in range(len(self.items) - 1, -1, -1) if self.items[i][0] == key]

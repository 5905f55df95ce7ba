"""Conflicts: acts that wrote the same register, neither of them known to the other's author.

The store keeps both values then, and shows the one with the newest stamp. Stamps are not told, so
who won is seen where it shows: when one of the two arrived at the author of the other, alone and
with nobody writing the register in between, the register changed or it did not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from sync.devtools.events import Event, Line, Session
from sync.devtools.told import Path

__all__ = ["MOST_CONFLICTS", "Rivals"]

MOST_CONFLICTS = 100
"""How many conflicts of one event are told, the newest first."""


class Rivals:
    """Which acts wrote which registers; ``event`` returns an event by its number."""

    def __init__(self, event: Callable[[int], Event]) -> None:
        self._event = event
        self._writes: dict[Path, dict[str, Line]] = {}
        self._later: dict[int, list[tuple[Path, int]]] = {}

    def add(self, session: Session, act: Event) -> None:
        """Note what an act wrote and find its conflicts; ``session`` does not know it yet."""
        ends = {slice: (client, end) for slice, client, _, end in act.ranges}
        for path in act.paths:
            if path[0] not in ends:
                continue
            mine, my_end = ends[path[0]]
            writers = self._writes.setdefault(path, {})
            if session.sure:
                for client, line in writers.items():
                    if client != mine:
                        known = session.clocks.get((path[0], client), 0)
                        for n in reversed(line.numbers[bisect_right(line.ends, known) :]):
                            if len(act.conflicts) >= MOST_CONFLICTS:
                                break
                            if not self._had(self._event(n), path[0], mine, my_end):
                                act.conflicts.append((path, n))
                                self._later.setdefault(n, []).append((path, act.n))
            own = writers.get(mine)
            if own is None:
                own = writers[mine] = Line()
            own.add(my_end, act.n)
        act.conflicts.sort()

    def trim(self, first: int) -> None:
        """Forget the acts before event ``first``."""
        self._later = {n: found for n, found in self._later.items() if n >= first}
        for path, writers in list(self._writes.items()):
            for client, line in list(writers.items()):
                line.trim(first)
                if not line.ends:
                    del writers[client]
            if not writers:
                del self._writes[path]

    def of(self, act: Event) -> list[tuple[Path, int]]:
        """Return all conflicts of an act, found with it or later."""
        return [*act.conflicts, *self._later.get(act.n, ())]

    @staticmethod
    def _had(act: Event, slice: str, client: str, end: int) -> bool:
        """Whether the author of an act had that work of another when doing it, or may have."""
        session = act.session
        return session is None or not session.sure or session.knew((slice, client), end, act.place)

    def won(self, n: int, other: int, path: Path) -> bool | None:
        """Whether act ``n`` won the register against ``other``; ``None`` if it did not show."""
        shown = self._showed(n, other, path)
        if shown is not None:
            return shown
        shown = self._showed(other, n, path)
        return None if shown is None else not shown

    def _showed(self, n: int, other: int, path: Path) -> bool | None:
        """Whether ``n`` won where it arrived at the author of ``other``."""
        act, rival = self._event(n), self._event(other)
        session = rival.session
        ranges = {slice: (client, end) for slice, client, _, end in act.ranges}
        if session is None or rival.place < session.base or path[0] not in ranges:
            return None
        client, end = ranges[path[0]]
        place = session.learnt((path[0], client), end)
        if session.clocks.get((path[0], client), 0) < end or place is None or place <= rival.place:
            return None
        start = rival.place + 1 - session.base
        between = [self._event(m) for m in session.events[start : place - session.base]]
        arrival = self._event(session.events[place - session.base])
        alone = [m for m in arrival.acts if path in self._event(m).paths] == [n]
        if arrival.kind != "deliver" or not alone or any(path in each.paths for each in between):
            return None
        return path in arrival.paths

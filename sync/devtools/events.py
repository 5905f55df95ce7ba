"""What the causal graph is made of: events, sessions, and the lanes of replicas.

An event is what is drawn as a dot. A session is one opening of one replica's store, which is one
Yjs client; a lane is all sessions of one replica, one after another.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.devtools.told import Clocks, Join, Key, Path, Range, Record, Status

__all__ = ["Event", "Item", "Lane", "Line", "Session"]

NOTHING: Mapping[Key, int] = {}


@dataclass(slots=True, eq=False)
class Event:
    """One thing that happened at one replica; ``as_json`` is what viewers are told of it.

    ``place`` is its place among the events of its session, -1 if no source of its own told it;
    ``told`` the session whose record ``number`` tells of it in detail, and ``ranges`` what an act
    wrote.
    """

    n: int
    kind: str
    replica: str
    label: str
    at: int
    time: int
    peer: str = ""
    action: str = ""
    causes: list[int] = field(default_factory=list)
    slices: tuple[str, ...] = ()
    bytes: int = 0
    changed: int = 0
    conflicts: list[tuple[Path, int]] = field(default_factory=list)
    acts: list[int] = field(default_factory=list)
    number: int | None = None
    session: Session | None = None
    place: int = -1
    ranges: tuple[Range, ...] = ()
    paths: tuple[Path, ...] = ()
    via: str = ""

    @property
    def leaf(self) -> bool:
        """Whether nothing happens because of it: a link that breaks tells nobody anything."""
        return self.kind in ("cut", "heal")

    @property
    def drawn(self) -> bool:
        """Whether this is an act of which only others have told."""
        return self.kind == "act" and self.number is None

    @property
    def unclear(self) -> bool:
        """Whether some of ``ranges`` may be no work of this act: a default's content."""
        return self.drawn and len({client for _, client, _, _ in self.ranges}) > 1

    def as_json(self) -> dict[str, Any]:
        """Return the event as viewers get it."""
        return {
            "n": self.n,
            "kind": self.kind,
            "replica": self.replica,
            "peer": self.peer,
            "label": self.label,
            "action": self.action,
            "at": self.at,
            "time": self.time,
            "causes": list(self.causes),
            "slices": list(self.slices),
            "bytes": self.bytes,
            "changed": self.changed,
            "conflicts": [{"path": list(path), "with": n} for path, n in self.conflicts],
            "acts": list(self.acts),
            "number": self.number,
            "via": self.via,
        }


class Line:
    """What one client did to one slice (or register): the ends of its acts, and their numbers."""

    __slots__ = ("ends", "numbers")

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.numbers: list[int] = []

    def add(self, end: int, number: int) -> None:
        """Note an act that ends there."""
        if not self.ends or end > self.ends[-1]:
            self.ends.append(end)
            self.numbers.append(number)
        else:
            at = bisect_left(self.ends, end)
            self.ends.insert(at, end)
            self.numbers.insert(at, number)

    def at(self, end: int) -> int | None:
        """Return the number of the act that ends there."""
        at = bisect_left(self.ends, end)
        return self.numbers[at] if at < len(self.ends) and self.ends[at] == end else None

    def between(self, known: int, end: int) -> list[int]:
        """Return the acts that end after ``known``, and at ``end`` at the latest."""
        ends = self.ends
        return self.numbers[bisect_right(ends, known) : bisect_right(ends, end)]

    def remove(self, end: int) -> None:
        """Forget the act that ends there."""
        at = bisect_left(self.ends, end)
        del self.ends[at], self.numbers[at]

    def newest(self, end: int) -> int | None:
        """Return the last act that ends at ``end`` at the latest."""
        at = bisect_right(self.ends, end)
        return self.numbers[at - 1] if at else None

    def trim(self, first: int) -> None:
        """Forget the acts before event ``first``."""
        kept = [(e, n) for e, n in zip(self.ends, self.numbers, strict=True) if n >= first]
        self.ends, self.numbers = [e for e, _ in kept], [n for _, n in kept]


Item = Join | Record | None  # None: the source left


class Session:
    """One opening of one replica's store: a client id, and the source that tells of it, if any.

    ``clocks`` is what it knows after the last of its events; ``history`` says at which of its
    places (``events``, the first of which is ``base``) that grew to what.
    """

    def __init__(self, replica: str, client: str) -> None:
        self.replica = replica
        self.client = client
        self.join: Join | None = None
        self.status: Status | None = None
        self.online = False
        self.sure = True  # whether nothing was lost of what it told
        self.next = 0  # the number of the record to be received next
        self.clocks: Clocks = {}
        self.history: dict[Key, tuple[list[int], list[int]]] = {}
        self.events: list[int] = []
        self.base = 0
        self.taken = 0  # the number of the record to be taken next, once those before are
        self.last: int | None = None  # its newest event that its source told
        self.acted: int | None = None  # its newest act that its source told
        self.drawn: int | None = None  # its newest act that others told
        self.lacks: set[int] = set()  # the acts that it does not know
        self.queue: deque[Item] = deque()
        self.since: float | None = None  # when the first in the queue began to wait
        self.progress = 0.0  # when it last told something that was taken
        self.reports: dict[str, bool] = {}  # the replicas it has or had links to: open or not

    @property
    def attached(self) -> bool:
        """Whether there is, or was, a source that tells of it."""
        return self.join is not None

    def knew(self, key: Key, end: int, place: int) -> bool:
        """Whether it knew a client's work of a slice up to ``end``, before its own ``place``."""
        if self.clocks.get(key, 0) < end:
            return False
        learnt = self.learnt(key, end)
        return learnt is None or learnt < place

    def learnt(self, key: Key, end: int) -> int | None:
        """Return its place at which it got to know that; ``None`` if long ago, or not yet."""
        ends, places = self.history.get(key, ((), ()))
        at = bisect_left(ends, end)
        return places[at] if at < len(ends) else None

    def trim(self, first: int) -> None:
        """Forget the events before number ``first``."""
        gone = 0
        while gone < len(self.events) and self.events[gone] < first:
            gone += 1
        del self.events[:gone]
        self.base += gone
        self.last, self.acted, self.drawn = (
            n if n is not None and n >= first else None for n in (self.last, self.acted, self.drawn)
        )
        self.lacks = {n for n in self.lacks if n >= first}
        for ends, places in self.history.values():
            old = max(bisect_left(places, self.base) - 1, 0)  # one is kept: it came before
            del ends[:old], places[:old]

    def learn(self, news: Iterable[tuple[Key, int]], place: int) -> None:
        """Note what it knows since its ``place``."""
        clocks, history = self.clocks, self.history
        for key, end in news:
            if end > clocks.get(key, 0):
                clocks[key] = end
                known = history.get(key)
                if known is None:
                    history[key] = ([end], [place])
                else:
                    known[0].append(end)
                    known[1].append(place)

    def covers(self, act: Event, news: Mapping[Key, int] = NOTHING) -> bool:
        """Whether it has (with ``news``) all of an act, as far as it has the slices."""
        slices = self.join.slices if self.join is not None else ()
        return all(
            self.clocks.get((slice, client), 0) >= end
            or news.get((slice, client), 0) >= end
            or slice not in slices
            for slice, client, _, end in act.ranges
        )


class Lane:
    """One lane: the sessions of a replica, one after another."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.name = id[:8]
        self.sessions: list[Session] = []

    def newest_act(self, but: Session | None, event: Callable[[int], Event]) -> int | None:
        """Return the latest act of all sessions but one, by the replica's own clock."""
        others = [each for each in self.sessions if each is not but]
        acts = [n for each in others for n in (each.acted, each.drawn) if n is not None]
        return max(acts, default=None, key=lambda n: event(n).at)

    @property
    def current(self) -> Session | None:
        """The newest session that a source told of."""
        return next((s for s in reversed(self.sessions) if s.attached), None)

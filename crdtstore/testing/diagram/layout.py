"""Where each event of a history stands: a lane for its replica and a row for its time.

Time goes down. A row is either the event's place in the run, or the length of the longest chain of
causes before it (Lamport's logical clock), so that concurrent events may share a row and one row
never holds a cause and its effect. Of the causes of an event only the latest are drawn as arrows,
since they stand for those before them: a path along lanes and arrows leads from one event to
another exactly if the first happened before the second, and where no path leads either way the two
are concurrent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crdtstore.testing.history import Event, History

LINKS = frozenset({"cut", "heal"})
"""The kinds of event that happen to a link: no replica learns anything by them."""
WHOLE = frozenset({"sync", "clone"})
"""The kinds of event by which a replica learns all that its peer knows."""
BACK = frozenset({"restart", "restore", "clone"})
"""The kinds of event that start a replica after a crash, or at all."""

_LOOKED_AT = 200
"""Of how many actions before the break the pairs are looked at: more are more than one can read."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """What one replica learned from another: from the place of one event in the history to
    another's."""

    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A link that carries nothing, from the row of its cut to that of its heal (the row after the
    last)."""

    left: int
    right: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A lane on which nothing runs: crashed and not yet restarted; -1 is before the first row."""

    lane: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of all events; ``lane`` and ``row`` go by an event's place in the history."""

    lanes: tuple[str, ...]
    lane: tuple[int, ...]
    row: tuple[int, ...]
    rows: int
    arrows: tuple[Arrow, ...]
    cuts: tuple[Cut, ...]
    gaps: tuple[Gap, ...]
    past: tuple[int, ...]
    """Of each event, the events before it, as a set of bits."""

    def before(self, first: int, second: int) -> bool:
        """Whether the first event happened before the second."""
        return bool(self.past[second] >> first & 1)

    def concurrent(self, first: int, second: int) -> bool:
        """Whether neither of two events happened before the other."""
        return first != second and not self.before(first, second) and not self.before(second, first)


def lay_out(history: History, *, one_a_row: bool = False) -> Layout:
    """Place every event; ``one_a_row`` in the order of the run, else as high as its causes allow.

    A cut and a heal take the row for both of their replicas, so that nothing that travelled before
    is drawn across them; but they tell nobody anything, so what they name as cause or are named by
    at another replica does not count as known: a sync or a clone that names one stands below what
    its peer had done by then. Raises ValueError for a history that no run can
    have made: an event before its cause, or at a replica that the history does not name.
    """
    lanes = history.replicas
    where = {name: lane for lane, name in enumerate(lanes)}
    place = {event.number: index for index, event in enumerate(history.events)}
    lane = tuple(_lane(event, where) for event in history.events)
    last: dict[int, int] = {}
    free = [0] * len(lanes)
    past: list[int] = []
    row: list[int] = []
    arrows: list[Arrow] = []
    for index, event in enumerate(history.events):
        own = lane[index]
        named = {_earlier(event, number, place, index) for number in event.causes}
        causes = {c for c in named if lane[c] == own or not _link(history.events, c, index)}
        if event.kind in WHOLE:
            through = [c for c in named if _ends_at(history.events[c], event.peer)]
            causes |= _last_of(where.get(event.peer, own), max(through, default=-1), lane)
        learned = {cause for cause in causes if lane[cause] != own}
        arrows.extend(Arrow(cause, index) for cause in _latest(past, learned))
        if own in last:
            causes.add(last[own])
        past.append(_union(past, causes))
        taken = [own]
        if event.kind in LINKS and event.peer in where:
            taken.append(where[event.peer])
        above = [free[each] for each in taken] + [row[cause] + 1 for cause in named]
        row.append(index if one_a_row else max(above))
        for each in taken:
            free[each] = row[index] + 1
        last[own] = index
    rows = max(row, default=-1) + 1
    return Layout(
        lanes=lanes,
        lane=lane,
        row=tuple(row),
        rows=rows,
        arrows=tuple(arrows),
        cuts=_cuts(history.events, where, row, rows),
        gaps=_gaps(history.events, lane, row, rows),
        past=tuple(past),
    )


def breaking_places(history: History) -> dict[int, list[int]]:
    """Which checks broke where: the place of an event, or the number of events if only once quiet.

    The values are indices into ``history.broken``.
    """
    place = {event.number: index for index, event in enumerate(history.events)}
    found: dict[int, list[int]] = {}
    for which, broken in enumerate(history.broken):
        found.setdefault(place.get(broken.event, len(history.events)), []).append(which)
    return dict(sorted(found.items()))


def unaware(history: History, layout: Layout) -> list[tuple[int, int]]:
    """Pairs of actions of which neither knew of the other, before the first break; the latest
    first."""
    places = breaking_places(history)
    if not places:
        return []
    first = next(iter(places))
    acts = [
        index
        for index, event in enumerate(history.events)
        if event.kind == "act"
        and event.changed
        and (first >= len(history.events) or index == first or layout.before(index, first))
    ]
    acts = acts[-_LOOKED_AT:]
    pairs = [(a, b) for a in acts for b in acts if a < b and layout.concurrent(a, b)]
    return sorted(pairs, key=lambda pair: (-pair[1], -pair[0]))


def _lane(event: Event, where: dict[str, int]) -> int:
    try:
        return where[event.replica]
    except KeyError:
        raise ValueError(
            f"event {event.number} happened at {event.replica!r}, "
            f"expected one of the history's replicas: {', '.join(where)}"
        ) from None


def _earlier(event: Event, number: int, place: dict[int, int], index: int) -> int:
    cause = place.get(number, index)
    if cause >= index:
        raise ValueError(
            f"event {event.number} names {number} as its cause, expected an event listed before it"
        )
    return cause


def _link(events: Sequence[Event], *places: int) -> bool:
    return any(events[place].kind in LINKS for place in places)


def _ends_at(event: Event, replica: str) -> bool:
    return event.kind in LINKS and replica in {event.replica, event.peer}


def _last_of(lane: int, until: int, lanes: Sequence[int]) -> set[int]:
    """The last event of a lane up to a place, if there is one."""
    return {next((place for place in range(until, -1, -1) if lanes[place] == lane), -1)} - {-1}


def _latest(past: Sequence[int], causes: set[int]) -> list[int]:
    """The causes that no other of them has in its past: they stand for all."""
    return sorted(c for c in causes if not any(past[other] >> c & 1 for other in causes))


def _union(past: Sequence[int], causes: set[int]) -> int:
    union = 0
    for cause in causes:
        union |= past[cause] | 1 << cause
    return union


def _cuts(
    events: Sequence[Event], where: dict[str, int], row: Sequence[int], rows: int
) -> tuple[Cut, ...]:
    opened: dict[tuple[int, int], int] = {}
    cuts: list[Cut] = []
    for index, event in enumerate(events):
        if event.kind not in LINKS or event.peer not in where:
            continue
        left, right = sorted((where[event.replica], where[event.peer]))
        if event.kind == "cut":
            opened.setdefault((left, right), row[index])
        elif (left, right) in opened:
            cuts.append(Cut(left, right, opened.pop((left, right)), row[index]))
    cuts.extend(Cut(*pair, first, rows) for pair, first in opened.items())
    return tuple(sorted(cuts, key=lambda cut: (cut.first, cut.left, cut.right)))


def _gaps(
    events: Sequence[Event], lane: Sequence[int], row: Sequence[int], rows: int
) -> tuple[Gap, ...]:
    down: dict[int, int] = {}
    seen: set[int] = set()
    gaps: list[Gap] = []
    for index, event in enumerate(events):
        own = lane[index]
        if event.kind == "clone" and own not in seen:
            down[own] = -1
        if event.kind in BACK and own in down:
            gaps.append(Gap(own, down.pop(own), row[index]))
        if event.kind == "crash":
            down.setdefault(own, row[index])
        seen.add(own)
    gaps.extend(Gap(own, first, rows) for own, first in down.items())
    return tuple(sorted(gaps, key=lambda gap: (gap.lane, gap.first)))

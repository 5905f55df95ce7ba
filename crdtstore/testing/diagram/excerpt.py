"""Which events of a long history are worth a line, and what is said about a history in words.

A page of a terminal holds some sixty lines. The events that led up to the first break are kept, and
the actions that did not know of each other; what lies far from them becomes a run, said by its
length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crdtstore.testing.diagram.layout import Layout, breaking_places, unaware
from crdtstore.testing.history import Event, History

MOST = 60
"""How many events are shown without leaving any out."""
_FIRST, _BEFORE, _AFTER, _LAST = 4, 36, 6, 4
_SHORTEST_RUN = 3
_PAIRS = 2


@dataclass(frozen=True, slots=True)
class Run:
    """Events left out: the places of the first and the last of them."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def excerpt(history: History, layout: Layout) -> list[int | Run]:
    """Return every event by its place or, if there are too many, some and runs of the others."""
    count = len(history.events)
    if count <= MOST:
        return list(range(count))
    focus = min(breaking_places(history), default=count)
    kept = set(range(_FIRST)) | set(range(count - _LAST, count))
    kept |= set(range(max(0, focus - _BEFORE), min(count, focus + 1 + _AFTER)))
    for pair in unaware(history, layout)[:_PAIRS]:
        kept.update(pair)
    items: list[int | Run] = []
    place = 0
    while place < count:
        end = place
        while end < count and end not in kept:
            end += 1
        if end - place >= _SHORTEST_RUN:
            items.append(Run(place, end - 1))
            place = end
        else:
            items.extend(range(place, max(end, place + 1)))
            place = max(end, place + 1)
    return items


def headline(history: History) -> str:
    """What broke first, in one sentence."""
    places = breaking_places(history)
    if not places:
        return "nothing broke"
    first = history.broken[next(iter(places.values()))[0]]
    return f"{first.what} broke {where_broken(history, first.event, first.replica)}"


def where_broken(history: History, event: int, replica: str) -> str:
    """At which replica and after which event, in words."""
    at = f"at {replica} " if replica else "between replicas "
    known = any(each.number == event for each in history.events)
    return at + (f"after event {event}" if known else "once all was quiet")


def said(event: Event) -> str:
    """The label of an event, with what it does not say itself."""
    label = event.label or f"{event.kind} {event.peer}".strip()
    return label if event.changed else f"{label} (changed nothing)"


def alike(holds: Mapping[str, str], replicas: tuple[str, ...]) -> list[tuple[str, str]]:
    """What replicas hold, those that hold the same named together."""
    names: dict[str, list[str]] = {}
    for replica in [*replicas, *sorted(set(holds) - set(replicas))]:
        if replica in holds:
            names.setdefault(holds[replica], []).append(replica)
    return [(", ".join(group), text) for text, group in names.items()]

"""What a viewer knows: the replicas and events that a feed has told of so far.

It takes the messages of one feed in order and has no connection of its own. Events have numbers,
and come again from the first one after every reconnect: if they are the same ones, nothing is new;
if they are not, another server answers now, and what the one before had told is forgotten. The
oldest events are forgotten as well when there are too many, as a terminal may stay open for weeks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeVar

from sync.watch.words import safe, short

__all__ = ["LIMIT", "VERSION", "Conflict", "Event", "FeedError", "Link", "Model", "News", "Replica"]

VERSION = 1
"""The version of the feed that is spoken here."""

LIMIT = 20_000
"""How many events are kept."""

T = TypeVar("T")


class FeedError(Exception):
    """What came is no feed of a DevTools of crdtstore, or not of this version."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A register that an act wrote at the same time as act ``rival``."""

    path: tuple[str, ...]
    rival: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at ``replica``; ``kind`` is ``act``, ``deliver``, ``cut`` and so on.

    ``peer`` is who made what was delivered, or the other side of a cut. ``at`` is when by the clock
    of who made it and ``time`` when by the replica's own, in ms. ``causes`` are the events right
    before it, and ``acts`` the acts whose work a delivery brought.
    """

    n: int
    kind: str
    replica: str
    peer: str
    label: str
    action: str
    at: int
    time: int
    causes: tuple[int, ...]
    slices: tuple[str, ...]
    bytes: int
    changed: int
    conflicts: tuple[Conflict, ...]
    acts: tuple[int, ...]
    number: int | None

    @property
    def work(self) -> tuple[int, ...]:
        """The acts that it is about: itself, or what it brought."""
        return (self.n,) if self.kind == "act" else self.acts


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a replica; ``behind`` counts what the other has not confirmed yet."""

    to: str
    address: str
    state: str
    in_sync: bool
    behind: int
    behind_bytes: int
    round_trip: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica; ``lag`` is how many acts of others it has not got, if that is known."""

    id: str
    name: str
    attached: bool
    online: bool
    digest: str | None
    agrees: bool | None
    in_sync: bool | None
    links: tuple[Link, ...]
    lag: int | None


@dataclass(frozen=True, slots=True)
class News:
    """What a message changed: events that were not known, and ones that say more now."""

    fresh: tuple[Event, ...] = ()
    amended: tuple[tuple[Event, Event], ...] = ()
    """Each before and now."""
    response: Mapping[str, Any] | None = None
    ask_since: int | None = None
    """Events from here on did not come, and have to be asked for."""
    restarted: bool = False
    """Another server answers: what was known is forgotten."""


class Model:
    """``version`` grows with everything that changes; ``server`` is the name of who tells it."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self.version = 0
        self.server = ""
        self.replicas: dict[str, Replica] = {}
        self._limit = limit
        self._events: list[Event] = []
        self._resumed = False
        self._asked: int | None = None

    def receive(self, message: object) -> News:
        """Take one message; raises ``FeedError`` for what is none. Unknown types are ignored."""
        if not isinstance(message, dict):
            raise FeedError(f"expected a JSON object, got {type(message).__name__}")
        kind = message.get("type")
        self.version += 1
        if kind == "hello":
            return self._hello(message)
        if kind == "replicas":
            found = [_replica(each) for each in _objects(message, "replicas")]
            self.replicas = {replica.id: replica for replica in found}
        elif kind == "events":
            return self._take([_event(each) for each in _objects(message, "events")])
        elif kind == "amended":
            return News(amended=self._amend([_event(each) for each in _objects(message, "events")]))
        elif kind == "response":
            return News(response=message)
        return News()

    def _hello(self, message: Mapping[str, Any]) -> News:
        version = message.get("version")
        if version != VERSION:
            raise FeedError(
                f"it speaks version {version!r} of the feed, and this command version {VERSION}; "
                "use the same version of crdtstore for both"
            )
        self.server = safe(str(message.get("server", "")))
        self._resumed = bool(self._events)
        self._asked = None
        return News()

    def _take(self, events: list[Event]) -> News:
        restarted = self._resumed and any(
            (known := self.event(event.n)) is not None and not _same(known, event)
            for event in events
        )
        self._resumed = self._resumed and not events
        if restarted:
            self._events.clear()
        end = self.end
        if self._events and events and events[0].n > end and self._asked != end:
            self._asked = end  # once: what the server has forgotten itself cannot be had
            return News(ask_since=end, restarted=restarted)
        fresh = [event for event in events if event.n >= end]
        amended = self._amend([event for event in events if event.n < end])
        self._events += fresh
        if len(self._events) > self._limit:
            del self._events[: len(self._events) - self._limit]
        return News(fresh=tuple(fresh), amended=amended, restarted=restarted)

    def _amend(self, events: list[Event]) -> tuple[tuple[Event, Event], ...]:
        changed = []
        for event in events:
            at = self._index(event.n)
            if at is not None and self._events[at] != event:
                changed.append((self._events[at], event))
                self._events[at] = event
        return tuple(changed)

    def _index(self, n: int) -> int | None:
        at = bisect_left(self._events, n, key=lambda event: event.n)
        return at if at < len(self._events) and self._events[at].n == n else None

    @property
    def end(self) -> int:
        """The number that the next event will have."""
        return self._events[-1].n + 1 if self._events else 0

    def event(self, n: int) -> Event | None:
        """Return an event by its number, if it is known (still)."""
        at = self._index(n)
        return None if at is None else self._events[at]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def name(self, replica: str) -> str:
        """Return what to call a replica; of an unknown one the beginning of its id."""
        known = self.replicas.get(replica)
        return known.name if known is not None and known.name else short(safe(replica)) or "?"

    def find(self, wanted: str) -> str | None:
        """Return the id of the replica of that name, or whose id begins so."""
        for replica in self.replicas.values():
            if replica.name == wanted:
                return replica.id
        ids = [each for each in self.replicas if wanted and each.startswith(wanted.lower())]
        return ids[0] if len(ids) == 1 else None


def _same(one: Event, other: Event) -> bool:
    return (one.kind, one.replica, one.peer, one.action, one.at, one.time) == (
        other.kind,
        other.replica,
        other.peer,
        other.action,
        other.at,
        other.time,
    )


# Reading. What is missing has a default, so that a later server may leave it out; what is there has
# the type that it should have.


def _get(raw: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    value = raw.get(key)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FeedError(f"expected {kind.__name__} as {key!r}, got {type(value).__name__}")
    return value


def _objects(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = _get(raw, key, list, [])
    if not all(isinstance(each, dict) for each in found):
        raise FeedError(f"expected objects in {key!r}")
    return found


def _numbers(raw: Mapping[str, Any], key: str) -> tuple[int, ...]:
    found = _get(raw, key, list, [])
    if not all(isinstance(each, int) for each in found):
        raise FeedError(f"expected numbers in {key!r}")
    return tuple(found)


def _texts(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(safe(str(each)) for each in _get(raw, key, list, []))


def _milliseconds(raw: Mapping[str, Any], key: str) -> int:
    found = raw.get(key, 0)
    if not isinstance(found, int | float):
        raise FeedError(f"expected milliseconds as {key!r}, got {type(found).__name__}")
    return int(found) if isfinite(found) else 0


def _event(raw: Mapping[str, Any]) -> Event:
    number = raw.get("n")
    if not isinstance(number, int):
        raise FeedError(f"expected an event with a number 'n', got {number!r}")
    return Event(
        n=number,
        kind=_get(raw, "kind", str, ""),
        replica=_get(raw, "replica", str, ""),
        peer=_get(raw, "peer", str, ""),
        label=safe(_get(raw, "label", str, "")),
        action=safe(_get(raw, "action", str, "")),
        at=_milliseconds(raw, "at"),
        time=_milliseconds(raw, "time"),
        causes=_numbers(raw, "causes"),
        slices=_texts(raw, "slices"),
        bytes=_get(raw, "bytes", int, 0),
        changed=_get(raw, "changed", int, 0),
        conflicts=tuple(
            Conflict(_texts(each, "path"), _get(each, "with", int, -1))
            for each in _objects(raw, "conflicts")
        ),
        acts=_numbers(raw, "acts"),
        number=_get(raw, "number", int, -1) if raw.get("number") is not None else None,
    )


def _replica(raw: Mapping[str, Any]) -> Replica:
    agrees, in_sync, lag = raw.get("agrees"), raw.get("in_sync"), raw.get("lag")
    return Replica(
        id=_get(raw, "id", str, ""),
        name=safe(_get(raw, "name", str, "")),
        attached=_get(raw, "attached", bool, True),
        online=_get(raw, "online", bool, True),
        digest=None if raw.get("digest") is None else safe(_get(raw, "digest", str, "")),
        agrees=agrees if isinstance(agrees, bool) else None,
        in_sync=in_sync if isinstance(in_sync, bool) else None,
        links=tuple(_link(each) for each in _objects(raw, "links")),
        lag=lag if isinstance(lag, int) else None,
    )


def _link(raw: Mapping[str, Any]) -> Link:
    trip, error = raw.get("round_trip"), raw.get("error")
    return Link(
        to=_get(raw, "to", str, ""),
        address=safe(_get(raw, "address", str, "")),
        state=safe(_get(raw, "state", str, "")),
        in_sync=_get(raw, "in_sync", bool, False),
        behind=_get(raw, "behind", int, 0),
        behind_bytes=_get(raw, "behind_bytes", int, 0),
        round_trip=float(trip) if isinstance(trip, int | float) else None,
        error=safe(str(error)) if error else None,
    )

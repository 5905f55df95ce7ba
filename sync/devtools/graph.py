"""The causal graph of all replicas' actions, made of what each source tells of its own store.

A Yjs client id is one session of one replica. What it writes to a slice is numbered from 0, so a
local commit is an act with a range of its own client's clocks, and a merged commit is a delivery
of ranges of others. What a store knew before its record k are the clocks it joined with and the
ranges of all its earlier records: an act was known to a store exactly if those cover its range.

Two relations follow. *Happened before* is the transitive closure of the arrows drawn (the previous
event of the replica, and the acts that a delivery brought: ``causes``); ``before`` and
``concurrent`` tell it. *Known* is by clocks; ``lag`` tells it, and two acts are in conflict if they
wrote the same register and neither was known to the other, which is when the store keeps both. The
two differ only where a delivery overtook another one that its author knew.

Sources tell in any order, so what arrived waits until the acts in it have been told, if somebody is
there to tell them. Where nobody is, an act is drawn from the first delivery that tells of it; its
own record fills it in, should it come after all. Numbers are given once: an event whose causes come
to light later is amended, and may then have a cause with a higher number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sync.devtools.acts import Acts
from sync.devtools.events import Event, Item, Lane, Session
from sync.devtools.order import Order
from sync.devtools.rivals import Rivals
from sync.devtools.standing import Links, agrees
from sync.devtools.told import (
    MERGED,
    Join,
    Key,
    Path,
    Range,
    Record,
    ToldError,
    read_join,
    read_records,
    read_status,
)
from sync.devtools.waiting import Waiting

__all__ = ["LIMIT", "Graph"]

LIMIT = 100_000
"""How many events are kept, unless told otherwise."""

FURTHEST = 1_000
"""How many events later a delivery may be that is asked about an act instead of its author."""

MOST_REPLICAS = 2_000
MOST_SESSIONS = 20_000
"""How many of them are told apart."""


class Graph:
    """The events of all replicas, each numbered once, after its causes.

    ``clock`` returns ms since the epoch, for what only this process sees: sources that come and
    go, links that break. ``events`` starts with number ``first``; the oldest are let go when there
    are more than ``limit``. All methods that take ``now`` want seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = lambda: 0, limit: int = LIMIT) -> None:
        self._clock = clock
        self._limit = max(100, limit)
        self.first = 0
        self.events: list[Event] = []
        self.amended: set[int] = set()
        self.revision = 0  # grows whenever what ``replicas`` returns may have changed
        self._order = Order(self.events)
        self._replicas: dict[str, Lane] = {}
        self._clients: dict[str, Session] = {}
        self._acts = Acts()
        self._rivals = Rivals(self.event)
        self._links = Links(self.current)
        self._names: dict[str, str] = {}  # what those were called of whom nobody tells here
        self._common: set[str] = set()  # clients that are nobody's: the content of a default
        self._waiting = Waiting(self._clients, self._replicas, self._common, self._take)

    # What sources tell

    def join(self, message: Mapping[str, Any], now: float) -> Session:
        """Take the join of a source, new or back again; raise ``ToldError``, changing nothing."""
        join = read_join(message)
        session = self._clients.get(join.client)
        if session is not None and session.replica != join.replica:
            raise ToldError(
                f"session {join.session} is one of replica {session.replica[:40]}, not of "
                f"{join.replica[:40]}"
            )
        if session is None:
            if len(self._replicas) >= MOST_REPLICAS or len(self._clients) >= MOST_SESSIONS:
                raise ToldError(f"there are {len(self._clients)} sessions already, too many")
            session = self._session(join.replica, join.client)
        lane = self._replicas[join.replica]
        lane.name = join.name or lane.name
        again = session.online
        fresh = not session.attached
        session.join = join
        session.online = True
        if again and join.first <= session.next:
            return session
        if session is not lane.sessions[-1]:
            lane.sessions.remove(session)
            lane.sessions.append(session)
        for other in lane.sessions[:-1]:
            other.lacks.clear()
        session.next = join.first if fresh else max(session.next, join.first)
        self._put(session, (join,), now)
        return session

    def receive(self, session: Session, message: Mapping[str, Any], now: float) -> None:
        """Take records, a status or a leave; raise ``ToldError``, changing nothing."""
        kind = message.get("type")
        if kind == "records":
            records: list[Record] = []
            number = session.next
            for record in read_records(message):
                if record.number >= number:  # after a reconnection some come twice
                    records.append(record)
                    number = record.number + 1
            self._put(session, records, now)
            session.next = number
        elif kind == "status":
            session.status = read_status(message)
            self.revision += 1
            for change, other in self._links.told(session):
                words = "link to {} broke" if change == "cut" else "link to {} is back"
                self._add(session, change, words.format(self.name(other))).peer = other
        elif kind == "leave":
            self.leave(session, now)
        else:
            raise ToldError(f"expected a join, records, a status or a leave, got {kind!r:.40}")

    def leave(self, session: Session, now: float) -> None:
        """Note that a source has gone, and said so or not."""
        if session.online:
            session.online = False
            self._links.left(session)
            self._put(session, (None,), now)
            self._waiting.look(now)

    def tick(self, now: float) -> None:
        """Let go on what has waited long enough."""
        self._waiting.look(now)

    @property
    def holding(self) -> bool:
        """Whether anything waits for what others will tell."""
        return bool(self._waiting)

    def hear(self, names: Mapping[str, str]) -> None:
        """Take what a source heard others called, from another server: for those unknown here."""
        for id, name in names.items():
            told = self._names.get(id)
            if told == id[:8] or (told is None and len(self._names) < MOST_REPLICAS):
                self._names[id] = name
            lane = self._replicas.get(id)
            if lane is not None and lane.name == id[:8] and lane.name != name:
                lane.name = name
                self.revision += 1

    # What is known

    def event(self, n: int) -> Event:
        """Return an event; ``KeyError`` if there is none, or it was let go."""
        if not self.first <= n < self.end:
            raise KeyError(n)
        return self.events[n - self.first]

    @property
    def end(self) -> int:
        """The number that the next event will have."""
        return self.first + len(self.events)

    def before(self, n: int, m: int) -> bool:
        """Whether event ``n`` happened before event ``m``; ``KeyError`` if one is not there."""
        self.event(n)
        self.event(m)
        return self._order.before(n, m)

    def concurrent(self, n: int) -> list[int]:
        """Return the acts that happened neither before nor after event ``n``."""
        self.event(n)
        return [m for m in self._order.concurrent(n) if self.event(m).kind == "act"]

    def sequence(self) -> list[int]:
        """Return the numbers of all events, each after all its causes."""
        return self._order.sequence()

    def lag(self, replica: str) -> int | None:
        """Return how many acts a replica has not got; ``None`` if nobody can tell."""
        lane = self._replicas.get(replica)
        session = lane.current if lane is not None else None
        return len(session.lacks) if session is not None and session.sure else None

    def rivals(self, n: int) -> list[tuple[Path, int]]:
        """Return the acts in conflict with act ``n``, and the registers that both wrote."""
        return [(path, m) for path, m in self._rivals.of(self.event(n)) if m >= self.first]

    def won(self, n: int, other: int, path: Path) -> bool | None:
        """Whether act ``n`` won the register against ``other``; ``None`` if it did not show yet.

        It shows where one arrived at the other's author alone, with nobody writing in between.
        """
        return self._rivals.won(n, other, path)

    def replicas(self) -> list[dict[str, Any]]:
        """Return what viewers are told of each replica."""
        order = {id: n for n, id in enumerate(self._names)}
        return [{**self._about(lane), "colour": order[id]} for id, lane in self._replicas.items()]

    def name(self, replica: str) -> str:
        """Return what a replica is called, or the start of its id."""
        lane = self._replicas.get(replica)
        return lane.name if lane is not None else self._names.get(replica, replica[:8])

    def names(self) -> dict[str, str]:
        """Return what replicas are called, in the order that they were met, here or elsewhere."""
        return {**self._names, **{id: lane.name for id, lane in self._replicas.items()}}

    def current(self, replica: str) -> Session | None:
        """Return the newest session of a replica that a source told of."""
        lane = self._replicas.get(replica)
        return lane.current if lane is not None else None

    def witness(self, event: Event, able: Callable[[Session], bool]) -> Event | None:
        """Return the event to ask about in detail: itself, or a delivery that brought it alone.

        ``able`` says which sessions can be asked.
        """
        told = event.session
        if event.number is not None and told is not None and able(told):
            return event
        if event.kind != "act":
            return None
        start = event.n - self.first
        for found in self.events[start : start + FURTHEST]:
            alone = found.kind == "deliver" and found.acts == [event.n] and found.action != MERGED
            if alone and found.session is not None and able(found.session):
                return found
        return None

    def _put(self, session: Session, items: Iterable[Item], now: float) -> None:
        self._waiting.put(session, items, now)
        self.revision += 1
        if len(self.events) > self._limit:
            self._trim()

    # Becoming events

    def _take(self, session: Session, item: Item) -> Iterable[Key]:
        """Make an event of what a source told; return whose clocks have grown by it."""
        if item is None:
            if not session.online:
                gone = self._add(session, "leave", "left")
                self._place(session, gone)
            return ()
        if isinstance(item, Join):
            return self._joined(session, item)
        if item.number > session.taken:  # some were lost: nobody knows what they held
            session.sure = False
        session.taken = item.number + 1
        return self._acted(session, item) if item.local else self._delivered(session, item)

    def _joined(self, session: Session, join: Join) -> Iterable[Key]:
        event = self._add(session, "join", "joined" if session.last is None else "back")
        self._place(session, event)
        session.taken = max(session.taken, join.first)
        session.sure = True
        session.learn(join.clocks.items(), event.place)
        known = [self._acts.newest(key, end) for key, end in join.clocks.items()]
        acts = [self.event(n) for n in known if n is not None]
        acts = [act for act in acts if not act.unclear or session.covers(act)]
        event.causes = self._arrows(event.causes, [act.n for act in acts])
        session.lacks = {
            each.n for each in self.events if each.kind == "act" and not session.covers(each)
        }
        return list(join.clocks)

    def _acted(self, session: Session, record: Record) -> Iterable[Key]:
        ranges = self._own(session, record)
        keys = [((slice, client), end) for slice, client, _, end in record.ranges]
        n = self._acts.at(ranges)
        drawn = self.event(n) if n is not None else None
        if not ranges or (drawn is not None and not drawn.drawn):
            session.learn(keys, session.base + len(session.events) - 1)
            return [key for key, _ in keys]
        if drawn is None:
            event = self._add(session, "act", record.label)
        else:  # others have told of it before
            event = drawn
            event.session, event.label = session, record.label
            event.causes = [] if session.last is None else [session.last]
            self._acts.remove(event.n, event.ranges)
        event.action, event.at, event.time = record.action, record.at, record.time
        event.slices, event.bytes = record.slices, record.bytes
        event.changed, event.number = record.changed, record.number
        event.ranges, event.paths = ranges, record.paths
        self._place(session, event)
        if drawn is not None:
            self._amend(event)
        self._rivals.add(session, event)
        session.learn(keys, event.place)
        self._index(event)
        return [key for key, _ in keys]

    def _delivered(self, session: Session, record: Record) -> Iterable[Key]:
        news: list[tuple[Key, int]] = []
        found: dict[int, None] = {}  # an ordered set
        untold: list[Range] = []
        clocks = session.clocks
        for slice, client, first, end in record.ranges:
            key = (slice, client)
            known = clocks.get(key, 0)
            if end <= known:
                continue
            news.append((key, end))
            acts = self._acts.between(key, known, end)
            if acts:
                found.update(dict.fromkeys(acts))
            elif client not in self._common:
                untold.append((slice, client, max(first, known), end))
        for n in [n for n in found if self.event(n).unclear]:
            if not session.covers(self.event(n), dict(news)):
                del found[n]
        if untold and record.author and record.action != MERGED:
            drawn = self._draw(session, record, untold, found)
            if drawn is not None:
                found[drawn.n] = None
        event = self._add(session, "deliver", record.label)
        event.peer, event.via = record.author, record.via
        event.action, event.at, event.time = record.action, record.at, record.time
        event.slices, event.bytes = record.slices, record.bytes
        event.changed, event.number = record.changed, record.number
        event.paths, event.acts = record.paths, sorted(found)
        event.causes = self._arrows(event.causes, found)
        self._credit(event)
        self._place(session, event)
        session.learn(news, event.place)
        session.lacks.difference_update(n for n in found if session.covers(self.event(n)))
        return ()

    def _draw(
        self, session: Session, record: Record, untold: list[Range], found: Iterable[int]
    ) -> Event | None:
        """Draw an act of which its author tells nothing, from a delivery that tells of it."""
        mine = []
        for each in untold:
            owner = self._clients.get(each[1])
            if owner is None or owner.replica == record.author:
                mine.append(each)
        # A default's content starts at 0 under a name of its own; where one goes on, it is the act.
        mine = [each for each in mine if each[2] > 0 or each[1] in self._clients] or mine
        many = len(self._replicas) >= MOST_REPLICAS or len(self._clients) >= MOST_SESSIONS
        if not mine or (many and record.author not in self._replicas):
            return None
        for n in found:
            act = self.event(n)
            same = (act.replica, act.action, act.at) == (record.author, record.action, record.at)
            if act.drawn and same:  # another slice of the same act
                self._acts.remove(act.n, act.ranges)
                act.ranges += tuple(mine)
                act.slices = tuple(sorted({*act.slices, *(each[0] for each in mine)}))
                self._index(act)
                self._amend(act)
                return act
        clients = {each[1] for each in mine}
        author = self._session(record.author, min(clients)) if len(clients) == 1 else None
        event = self._add(None, "act", record.label, record.author)
        event.causes = self._previous(author, mine, record)
        event.action, event.at, event.time = record.action, record.at, record.at
        event.slices = tuple(sorted({each[0] for each in mine}))
        event.bytes, event.changed = record.bytes, record.changed
        event.ranges = tuple(mine)
        if author is not None:
            event.session = author
            author.drawn = event.n
        self._index(event)
        return event

    def _previous(self, author: Session | None, mine: list[Range], record: Record) -> list[int]:
        """Return what an author is known to have done just before what is drawn now."""
        same = [self._acts.newest((slice, client), first) for slice, client, first, _ in mine]
        earlier = [n for n in same if n is not None]
        if author is not None:
            learnt = [
                author.learnt((slice, client), end)
                for slice, client, _, end in mine
                if author.clocks.get((slice, client), 0) >= end
            ]
            places = [place for place in learnt if place is not None]
            if learnt:  # its source has told of it without saying what it was: it joined later
                if len(places) == len(learnt) and min(places) > author.base:
                    earlier.append(author.events[min(places) - 1 - author.base])
            elif author.attached:
                earlier += [author.last] if author.last is not None else []
            elif author.drawn is not None:
                newest = all(self._acts.is_newest((s, c), first) for s, c, first, _ in mine)
                if newest and self.event(author.drawn).at <= record.at:
                    earlier.append(author.drawn)
        if not earlier:
            n = self._lane(record.author).newest_act(author, self.event)
            earlier = [n] if n is not None and self.event(n).at < record.at else []
        return [max(earlier)] if earlier else []

    # Bookkeeping

    def _lane(self, id: str) -> Lane:
        lane = self._replicas.get(id)
        if lane is None:
            lane = self._replicas[id] = Lane(id)
            lane.name = self._names.setdefault(id, lane.name)
        return lane

    def _session(self, replica: str, client: str) -> Session:
        session = self._clients.get(client)
        if session is None:
            session = self._clients[client] = Session(replica, client)
            lane = self._lane(replica)
            lane.sessions.append(session)
        return session

    def _add(self, session: Session | None, kind: str, label: str, replica: str = "") -> Event:
        lane = self._lane(session.replica if session is not None else replica)
        moment = int(self._clock())
        event = Event(self.end, kind, lane.id, label, moment, moment, session=session)
        self.events.append(event)
        self.revision += 1
        if session is not None:
            last = session.last
            if last is None:
                others = [each.last for each in lane.sessions if each is not session]
                last = max((n for n in others if n is not None), default=None)
            if last is not None:
                event.causes.append(last)
        return event

    def _place(self, session: Session, event: Event) -> None:
        """Make an event the last one of its session."""
        event.place = session.base + len(session.events)
        session.events.append(event.n)
        session.last = event.n
        if event.kind == "act":
            session.acted = event.n

    def _own(self, session: Session, record: Record) -> tuple[Range, ...]:
        """Return which ranges of a store's own work are its own: not a default's content."""
        own: list[Range] = []
        for name in record.slices:
            here = [each for each in record.ranges if each[0] == name]
            mine = [each for each in here if each[1] == session.client]
            if not mine:  # the document was replaced, and with it the client
                mine = [
                    each
                    for each in here
                    if self._clients.get(each[1], session) is session
                    and each[1] not in self._common
                ]
                for each in mine:
                    self._clients[each[1]] = session
            own += mine
            self._common.update(each[1] for each in here if each not in mine)
        return tuple(own)

    def _index(self, act: Event) -> None:
        """Make an act findable, and let those know who have its work already."""
        self._acts.add(act.n, act.ranges)
        for lane in self._replicas.values():
            current = lane.current
            for session in lane.sessions:
                if session is not act.session or act.place < 0:
                    self._came(session, act)
                if session is current and session is not act.session and not session.covers(act):
                    session.lacks.add(act.n)
                else:
                    session.lacks.discard(act.n)

    def _came(self, session: Session, act: Event) -> None:
        """Add an act that is told late to the events by which it had come."""
        learnt = [
            session.learnt((slice, client), end)
            for slice, client, _, end in act.ranges
            if session.clocks.get((slice, client), 0) >= end
        ]
        places = {place for place in learnt if place is not None}
        if act.unclear and places:  # part of it may have come with somebody else's work
            places = {max(places)} if session.covers(act) else set()
        for place in sorted(places):
            if not 0 <= place - session.base < len(session.events):
                continue
            event = self.event(session.events[place - session.base])
            if event is act or act.n in event.acts:
                continue
            if event.kind == "deliver":
                event.acts = sorted({*event.acts, act.n})
                self._credit(event)
            if event.kind == "join" and act.place >= 0:  # one arrow from each session is enough
                same = [self.event(n) for n in event.causes if n >= self.first]
                same = [each for each in same if each.session is act.session and each.place >= 0]
                if any(each.place >= act.place for each in same):
                    continue
                event.causes = [n for n in event.causes if all(each.n != n for each in same)]
            event.causes = self._arrows(event.causes, [act.n])
            self._amend(event)

    def _credit(self, event: Event) -> None:
        """Say whose a catch-up is: the only author's of what came, or else who handed it on."""
        if event.action == MERGED:
            authors = {self.event(n).replica for n in event.acts if n >= self.first}
            event.peer = authors.pop() if len(authors) == 1 else event.via

    def _arrows(self, causes: Iterable[int], acts: Iterable[int]) -> list[int]:
        """Return the causes with those acts that are nobody's else: the last of each session."""
        found = list(causes)
        newest: dict[int, Event] = {}
        for n in acts:
            act = self.event(n)
            if act.place < 0 or act.session is None:
                found.append(n)
            else:
                last = newest.get(id(act.session))
                if last is None or act.place > last.place:
                    newest[id(act.session)] = act
        found += [act.n for act in newest.values()]
        return sorted(set(found))

    def _amend(self, event: Event) -> None:
        self.amended.add(event.n)
        self._order.changed(event.n)

    def _trim(self) -> None:
        """Let go of the oldest events, a tenth of all at once."""
        count = len(self.events) - self._limit + self._limit // 10
        del self.events[:count]
        self.first += count
        first = self.first
        self._order.trimmed(first)
        self.amended = {n for n in self.amended if n >= first}
        self._acts.trim(first)
        self._rivals.trim(first)
        for lane in self._replicas.values():
            for session in lane.sessions:
                session.trim(first)

    def _about(self, lane: Lane) -> dict[str, Any]:
        session = lane.current
        status = session.status if session is not None else None
        join = session.join if session is not None else None
        online = session is not None and session.online
        others = [each.current for each in self._replicas.values() if each is not lane]
        return {
            "id": lane.id,
            "name": lane.name,
            "attached": join is not None,
            "online": online,
            "sessions": [_base36(int(each.client)) for each in lane.sessions],
            "digest": status.digest if status is not None else None,
            "agrees": agrees(session, [each for each in others if each is not None])
            if session is not None
            else None,
            "in_sync": status.in_sync if status is not None and online else None,
            "links": [dict(link) for link in status.links] if status is not None and online else [],
            "lag": self.lag(lane.id),
            "features": dict(join.features) if join is not None else {},
        }


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits

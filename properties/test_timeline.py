"""The causal graph of the tools against an oracle that notes what happens, as it happens.

Stores act, exchange single deltas in any order, catch up with each other and are opened again from
their files. What their sources tell reaches the graph in any interleaving that keeps each source's
own order. The oracle knows nothing of clocks: it keeps, in plain sets, which acts each store has,
and what happened before each event.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from crdtstore import Commit, Counter, Store, Text, clock_ranges, configure_store, create_slice
from crdtstore.storage import MemoryStorage
from sync.devtools.events import Event, Session
from sync.devtools.graph import Graph
from sync.devtools.log import Log
from sync.devtools.source import Source
from sync.devtools.waiting import GRACE, HOLD

Piece = tuple[str, int, int]  # of an act: slice, client, end


@dataclass
class Board:
    title: str = ""
    owner: str = ""
    votes: Counter = Counter(0)
    notes: Text = Text("hello")


@dataclass
class Side:
    title: str = ""
    seen: str = ""


board = create_slice(name="board", initial_state=Board())
side = create_slice(name="side", initial_state=Side())


@board.reducer
def named(state: Board, to: str) -> None:
    state.title = to


@board.reducer
def owned(state: Board, by: str) -> None:
    state.owner = by


@board.reducer
def voted(state: Board) -> None:
    state.votes += 1


@board.reducer
def noted(state: Board, word: str) -> None:
    state.notes.insert(0, word)


@side.reducer
def titled(state: Side, to: str) -> None:
    state.title = to


@side.add_case(owned)
def seen(state: Side, action: Any) -> None:
    state.seen = action.payload


ACTS = ("named", "owned", "voted", "noted", "titled")


@dataclass(eq=False)
class Happened:
    """What the oracle knows of one event; ``past`` and ``known`` hold acts."""

    kind: str
    replica: str
    past: frozenset[Happened] = frozenset()
    known: frozenset[tuple[str, int, int]] = frozenset()
    pieces: dict[str, Piece] = field(default_factory=dict)
    paths: frozenset[tuple[str, ...]] = frozenset()
    told: bool = True


class Actor:
    """One store, what it tells, and what the oracle notes of it."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.storage = MemoryStorage()
        self.known: set[Piece] = set()
        self.last: Happened | None = None
        self.source: Source | None = None
        self.session: Session | None = None
        self.sent = 0
        self.open()

    def open(self) -> None:
        self.store: Store = configure_store(
            [board, side], storage=self.storage, clock=self.world.clock
        )
        self.store.on_commit(self.committed)

    def attach(self) -> None:
        """Begin to keep a log, and a source, which has not joined yet."""
        if self.source is None:
            self.log = Log(self.store)
            self.source = Source(self.store, self.log, name=self.name)
            self.sent = 0
            self.session = None

    def tell(self, count: int) -> None:
        """Send the graph the next few messages."""
        if self.source is None:
            return
        graph, now = self.world.graph, self.world.now
        if self.session is None:
            self.session = graph.join(self.source.join(), now)
            self.sent = self.log.first
        records = self.source.records(self.sent, count)
        self.sent += len(records)
        graph.receive(self.session, {"type": "records", "records": records}, now)

    def restart(self) -> None:
        """Close the store and open it again: another session of the same replica."""
        attached = self.source is not None
        if attached:
            self.tell(10**6)
            assert self.session is not None
            self.world.graph.receive(self.session, {"type": "leave"}, self.world.now)
        self.source = self.session = None
        self.store.close()
        self.open()
        if attached:
            self.attach()

    def committed(self, commit: Commit) -> None:
        """Note a commit: an act, or a delivery."""
        event = Happened("act" if commit.local else "deliver", self.store.replica)
        past = {self.last} | set(self.last.past) if self.last is not None else set()
        told = self.source is not None
        if commit.local:
            client = int(self.store.session, 36)
            for name, delta in commit.deltas.items():
                end = clock_ranges(delta)[client][1]
                event.pieces[name] = (name, client, end)
                self.world.owners[name, client, end] = event
            event.told = told
            event.known = frozenset(self.known)
            self.known |= set(event.pieces.values())
            event.paths = frozenset(self.world.registers(commit))
            self.world.acts.append(event)
            self.world.sent.append((self, commit))
        else:
            for piece, act in self.world.owners.items():
                name, client, end = piece
                start, stop = clock_ranges(commit.deltas.get(name, b"\0\0")).get(client, (0, 0))
                if piece not in self.known and start < end <= stop:
                    self.known.add(piece)
                    past |= {act} | set(act.past)
        event.past = frozenset(past)
        self.last = event


class World:
    """All stores, the graph, and the oracle's account."""

    def __init__(self, names: str, tidy: bool) -> None:
        self.tidy = tidy
        self.graph = Graph()
        self.clock = count(1_000_000).__next__
        self.now = 0.0
        self.acts: list[Happened] = []
        self.owners: dict[Piece, Happened] = {}
        self.sent: list[tuple[Actor, Commit]] = []
        self.actors = [Actor(self, name) for name in names]

    @staticmethod
    def registers(commit: Commit) -> Iterator[tuple[str, ...]]:
        """Yield the registers that a commit changed."""
        for path in (("board", "title"), ("board", "owner"), ("side", "title"), ("side", "seen")):
            slice, name = path
            if getattr(commit.state[slice], name) != getattr(commit.previous[slice], name):
                yield path

    def step(self, random: Random, steps: list[str]) -> None:
        """Do one thing at random."""
        what, actor = random.choice(steps), random.choice(self.actors)
        note(f"{what} {actor.name}")
        if what == "act":
            kind = random.choice(ACTS)
            of = side if kind == "titled" else board
            create = getattr(of.actions, kind)
            word = f"{actor.name}{len(self.acts)}"
            actor.store.dispatch(create() if kind == "voted" else create(word))
        elif what == "deliver" and self.sent:
            author, commit = random.choice(self.sent)
            if author is not actor:
                self.deliver(actor, author, commit, random)
        elif what == "catch up":
            other = random.choice(self.actors)
            if other is not actor:
                actor.store.merge(other.store.deltas_since(actor.store.state_vectors()))
        elif what == "tell":
            actor.tell(random.randint(1, 4))
        elif what == "restart":
            actor.restart()
        elif what == "attach":
            actor.attach()
        elif what == "wait":
            self.now += random.choice([0.2, GRACE, HOLD])
            self.graph.tick(self.now)

    def deliver(self, actor: Actor, author: Actor, commit: Commit, random: Random) -> None:
        """Hand over one act, or a part of it.

        What comes too early is held by the store, and comes later in the name of another action;
        where that matters, the store asks for all at once instead, as peers do.
        """
        names = sorted(commit.deltas)
        if not self.tidy and random.random() < 0.2:
            names = [random.choice(names)]
        held = actor.store.merge({name: commit.deltas[name] for name in names}, info=commit.info)
        if held.missing and self.tidy:
            vectors = actor.store.state_vectors()
            actor.store.merge(author.store.deltas_since(vectors))

    def finish(self) -> None:
        """Let every source tell the rest, and time pass."""
        for actor in self.actors:
            actor.tell(10**6)
        for _ in range(20):
            self.now += HOLD
            self.graph.tick(self.now)
        assert not self.graph.holding

    def pieces(self, event: Event) -> set[Piece]:
        """Return the pieces of acts that an event of the graph stands for."""
        ranges = {(slice, int(client), end) for slice, client, _, end in event.ranges}
        return ranges & self.owners.keys()

    def drawn(self) -> dict[int, Happened]:
        """Return the act of the oracle behind each act of the graph; each stands for one."""
        found: dict[int, Happened] = {}
        for event in self.graph.events:
            if event.kind == "act":
                (found[event.n],) = {self.owners[piece] for piece in self.pieces(event)}
        assert len(set(found.values())) == len(found), "no act is there twice"
        told = {act for act in self.acts if act.told}
        assert told <= set(found.values()), "every act that was told is there"
        return found


@contextmanager
def worlds(size: int, *, tidy: bool = False) -> Iterator[World]:
    world = World("ABCDE"[:size], tidy)
    try:
        yield world
    finally:
        for actor in world.actors:
            actor.store.close()


def check_conflicts(world: World, acts: dict[int, Happened]) -> None:
    """Two told acts are in conflict over what both wrote if neither's author had the other's."""
    expected = set()
    numbers = {act: n for n, act in acts.items()}
    told = [act for act in world.acts if act.told]
    for i, one in enumerate(told):
        for other in told[:i]:
            for path in one.paths & other.paths:
                first, second = one.pieces[path[0]], other.pieces[path[0]]
                sessions_differ = first[1] != second[1]
                if sessions_differ and first not in other.known and second not in one.known:
                    expected.add((path, frozenset((numbers[one], numbers[other]))))
    found = [
        (path, frozenset((event.n, n)))
        for event in world.graph.events
        for path, n in event.conflicts
    ]
    assert len(found) == len(set(found)), "a conflict is told once"
    assert set(found) == expected


def check_lags(world: World, acts: dict[int, Happened]) -> None:
    """A replica lags by the acts of the graph of which it has not got every piece."""
    for actor in world.actors:
        if actor.session is not None:
            lacks = [n for n in acts if not world.pieces(world.graph.event(n)) <= actor.known]
            assert world.graph.lag(actor.store.replica) == len(lacks)


def check_sound(world: World, acts: dict[int, Happened]) -> None:
    """What the graph says happened before did, and what an author had is never missing in it."""
    graph = world.graph
    for m, later in acts.items():
        assert set(graph.concurrent(m)) == {
            n for n in acts if n != m and not graph.before(n, m) and not graph.before(m, n)
        }
        for n, earlier in acts.items():
            if graph.before(n, m):
                assert earlier in later.past
            elif later.told and n != m:
                had = set(earlier.pieces.values()) & later.known
                assert not had


def causal(events: list[Event]) -> bool:
    """Whether each event stands after its causes."""
    return all(cause < event.n for event in events for cause in event.causes)


STEPS = ["act"] * 6 + ["deliver"] * 6 + ["tell"] * 4 + ["catch up"] * 2 + ["restart"]


@given(st.randoms(), st.integers(2, 5), st.integers(5, 60))
def test_the_graph_is_what_happened(random: Random, size: int, steps: int) -> None:
    """With all stores attached, before and concurrent, lags and conflicts are the oracle's."""
    with worlds(size) as world:
        for actor in world.actors:
            actor.attach()
        for actor in world.actors:  # all are there before anybody tells of others
            actor.tell(1)
        for _ in range(steps):
            world.step(random, STEPS)
            # A new session joins before others tell of its work.
            for actor in world.actors:
                if actor.session is None:
                    actor.tell(1)
        world.finish()
        acts = world.drawn()
        graph = world.graph
        assert causal(graph.events)
        assert not graph.amended
        assert len(acts) == len(world.acts)
        for m, later in acts.items():
            for n, earlier in acts.items():
                assert graph.before(n, m) == (earlier in later.past)
        check_sound(world, acts)
        check_lags(world, acts)
        check_conflicts(world, acts)


ANY_STEPS = [*STEPS, "attach", "attach", "wait"]


@given(st.randoms(), st.integers(2, 5), st.integers(5, 60))
def test_what_is_told_late_or_not_at_all(random: Random, size: int, steps: int) -> None:
    """Stores may be attached late or never, and time run out: nothing wrong is said for it."""
    with worlds(size, tidy=True) as world:
        for _ in range(steps):
            world.step(random, ANY_STEPS)
        world.finish()
        acts = world.drawn()
        check_sound(world, acts)
        check_lags(world, acts)
        check_conflicts(world, acts)
        assert sorted(world.graph.sequence()) == [event.n for event in world.graph.events]

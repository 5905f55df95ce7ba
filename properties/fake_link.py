"""A mesh of sessions and stores in one thread, with links that lose, repeat and reorder frames.

Nothing here sleeps or draws: time is a number that the test moves, and every choice is the test's.
The mesh checks on every frame what PROTOCOL.md promises of it: nothing leaves that is not durable,
and nothing is acknowledged that is not durable at the acknowledger.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self

from sync.exchange import Exchange
from sync.frames import Ack, Delta, Diff, Frame, Hello, Ping, Pong, SliceInfo, State
from sync.limits import Limits
from sync.port import Commit, ReplicatedStore
from sync.session import Closed, Opened, Role, Session
from sync.watermarks import Watermarks
from tests.sync.fake_store import FakeStore, unpack

LIMITS = replace(Limits(), part_bytes=512, queue_bytes=4096)

_nonces = itertools.count(1)


class MeshStore(ReplicatedStore, Protocol):
    """A store that the test can change, crash and make durable."""

    @property
    def slices(self) -> tuple[str, ...]: ...
    def digest(self) -> str: ...
    def add(self, payload: bytes, *names: str) -> None: ...
    def content(self, name: str = "a", /) -> Any: ...
    def settle(self, count: int | None = None) -> None: ...
    def crashed(self) -> Self: ...
    def close(self) -> None: ...


class Watched(Session):
    """A session that shows every frame it sends."""

    watch: Callable[[Frame], None]

    def send(self, frame: Frame) -> list[bytes]:
        self.watch(frame)
        return super().send(frame)


def split(data: bytes) -> Iterator[bytes]:
    """The single frames in a piece of stream."""
    while data:
        end = 12 + int.from_bytes(data[:4], "big")
        yield data[:end]
        data = data[end:]


class End:
    """One end of one link: a session, and the exchange once it is open."""

    def __init__(self, node: Node, role: Role, token: str | None, limits: Limits) -> None:
        self.node = node
        hello = Hello(
            node.store.replica,
            node.store.session,
            "default",
            {name: SliceInfo(0, kinds) for name, kinds in node.store.schema().items()},
            limits.message_bytes,
        )
        nonce = next(_nonces).to_bytes(32, "big")
        self.session = Watched(role, hello, nonce=nonce, token=token, limits=limits)
        self.session.watch = self.sent
        self.limits = limits
        self.exchange: Exchange | None = None
        self.arriving: deque[bytes] = deque()
        self.other: End
        self.numbered: dict[int, set[tuple[str, int, int]]] = {}
        self.frames: list[Frame] = []
        self.blocked = False
        """The transport takes nothing."""

    def sent(self, frame: Frame) -> None:
        self.frames.append(frame)
        if not isinstance(self.node.store, FakeStore):
            return
        match frame:
            case Delta(number, deltas, _) | Diff(number, _, deltas, _):
                ops = {(name, *op[:2]) for name, delta in deltas.items() for op in unpack(delta)}
                assert ops <= self.node.durable(), "left before it was durable"
                self.numbered[number] = ops
            case Ack(number) | Ping(_, _, number) | Pong(_, _, number):
                theirs = self.other.numbered
                for n in range(1, number + 1):
                    assert theirs.get(n, set()) <= self.node.durable(), (
                        "acknowledged before it was durable"
                    )
            case State(_, slices):
                assert slices.keys() == self.session.shared

    def receive(self, now: float) -> None:
        """Read one frame that arrived."""
        for event in self.session.receive_data(self.arriving.popleft()):
            if isinstance(event, Opened):
                self.exchange = Exchange(
                    self.node.store,
                    self.session,
                    self.node.marks,
                    self.limits,
                    now,
                    self.node.divergences.append,
                )
            elif not isinstance(event, Closed):
                assert self.exchange is not None
                self.exchange.receive(event, now)

    def work(self, now: float) -> None:
        """Do everything that is to be done, and put what is to be sent on its way."""
        out = self.session.data_to_send()
        if self.exchange is not None:
            while self.exchange.step(now):
                pass
            self.node.drain()
            self.exchange.evaluate(now)
            if not self.blocked:
                out += self.exchange.outbox.take(1 << 30)
        self.other.arriving.extend(split(out))


class Node:
    """A store and the ends of its links, joined as ``Peer`` joins them."""

    def __init__(self, store: MeshStore) -> None:
        self.ends: list[End] = []
        self.divergences: list[frozenset[str]] = []
        self.open(store)

    def open(self, store: MeshStore) -> None:
        self.store = store
        self.marks = Watermarks()
        self.commits: deque[Commit] = deque()
        store.on_commit(self.marks.saw_applied)
        store.on_commit(self.commits.append, durable=True)

    def durable(self) -> set[tuple[str, int, int]]:
        """Slice, client and clock of every operation that was made durable."""
        assert isinstance(self.store, FakeStore)
        return {(name, *place) for name in self.store.slices for place in self.store.stored(name)}

    def drain(self) -> None:
        while self.commits:
            commit = self.commits.popleft()
            self.marks.saw_durable(commit)
            for end in self.ends:
                if end.exchange is not None:
                    end.exchange.outgoing.committed(commit)
        for end in self.ends:
            if end.exchange is not None:
                end.exchange.durable()


class Mesh:
    """Nodes, links between them, and a clock."""

    def __init__(
        self, stores: Sequence[MeshStore], links: list[tuple[int, int]], limits: Limits = LIMITS
    ) -> None:
        self.nodes = [Node(store) for store in stores]
        self.links = links
        self.limits = limits
        self.now = 0.0
        self.pairs: dict[int, tuple[End, End]] = {}
        self.delivered = 0

    def connect(self, link: int) -> None:
        """Open the link anew, whatever it was before."""
        self.cut(link)
        a, b = self.links[link]
        one = End(self.nodes[a], Role.INITIATOR, "token", self.limits)
        two = End(self.nodes[b], Role.ACCEPTOR, "token", self.limits)
        one.other, two.other = two, one
        self.nodes[a].ends.append(one)
        self.nodes[b].ends.append(two)
        self.pairs[link] = (one, two)

    def cut(self, link: int) -> None:
        """End the connection; what was under way is lost."""
        for end in self.pairs.pop(link, ()):
            end.node.ends.remove(end)

    def crash(self, node: int) -> None:
        """End a process, and start it from what was durable."""
        for link, ends in enumerate(self.links):
            if node in ends:
                self.cut(link)
        self.nodes[node].open(self.nodes[node].store.crashed())

    def close(self) -> None:
        """Close every store."""
        for node in self.nodes:
            node.store.close()

    def ends(self) -> list[End]:
        return [end for _, pair in sorted(self.pairs.items()) for end in pair]

    def work(self) -> None:
        for node in self.nodes:
            node.drain()
        for end in self.ends():
            end.work(self.now)

    def tick(self, seconds: float) -> None:
        """Let time pass; a link that was silent for too long is connected anew."""
        self.now += seconds
        for link, pair in list(self.pairs.items()):
            for end in pair:
                if end.exchange is not None and not end.exchange.tick(self.now):
                    self.connect(link)
                    break
        self.work()

    def run(self, most: int = 5_000) -> None:
        """Deliver everything, in order, until nothing is under way; fails if that never ends."""
        start = self.delivered
        self.settle()
        while any(end.arriving for end in self.ends()):
            for end in self.ends():
                if end.arriving:
                    end.receive(self.now)
                    self.delivered += 1
                    assert self.delivered - start < most, "the traffic does not end"
            self.work()
            self.settle()

    def settle(self) -> None:
        """Make everything durable, and send what waited for that."""
        for node in self.nodes:
            node.store.settle()
        self.work()

"""Sessions and exchanges over a link that loses, repeats, reorders and breaks.

The oracle is plain: whatever happened, once the links are healed every store holds the union of
what was durable anywhere, everything is acknowledged, and then the wires fall silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from crdtstore import UpdateError
from properties.fake_link import LIMITS, End, Mesh, Node
from sync.errors import RemoteProtocolError
from sync.frames import Ack, Diff, Ping, Pong, State
from sync.session import Closed, Event, Phase, Role
from tests.sync.fake_store import FakeStore

RING = [(0, 1), (1, 2), (2, 3), (3, 0)]
CLIQUE = [(0, 1), (1, 2), (2, 0), (0, 1)]
LINE = [(0, 1), (1, 2)]

nodes = st.integers(0, 3)
links = st.integers(0, 3)
sides = st.integers(0, 1)
faults = st.sampled_from(["none", "none", "none", "drop", "repeat", "swap", "damage"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), nodes, st.sampled_from([("a",), ("b",), ("a", "b")])),
        st.tuples(st.just("big"), nodes),
        st.tuples(st.just("deliver"), links, sides, faults),
        st.tuples(st.just("deliver"), links, sides, faults),
        st.tuples(st.just("settle"), nodes, st.integers(1, 3)),
        st.tuples(st.just("connect"), links),
        st.tuples(st.just("cut"), links),
        st.tuples(st.just("crash"), nodes),
        st.tuples(st.just("tick"), st.sampled_from([1.0, 5.0, 10.0, 40.0])),
        st.tuples(st.just("block"), links, sides),
        st.tuples(st.just("run")),
    ),
    max_size=60,
)


def play(mesh: Mesh, script: list[Any]) -> None:
    """Carry out what Hypothesis thought of."""
    for number, (what, *how) in enumerate(script):
        if what in ("edit", "big", "settle", "crash"):
            node = mesh.nodes[how[0] % len(mesh.nodes)]
            if what == "edit":
                node.store.add(b"%d" % number, *how[1])
            elif what == "big":
                node.store.add(b"%d" % number * 1500, "a")
            elif what == "settle":
                node.store.settle(how[1])
            else:
                mesh.crash(mesh.nodes.index(node))
        elif what == "tick":
            mesh.tick(how[0])
        elif what == "run":
            run_or_reconnect(mesh)
        else:
            link = how[0] % len(mesh.links)
            if what == "connect":
                mesh.connect(link)
            elif what == "cut":
                mesh.cut(link)
            elif link in mesh.pairs:
                end = mesh.pairs[link][how[1]]
                if what == "block":
                    end.blocked = not end.blocked
                else:
                    deliver(mesh, link, end, how[2])
        mesh.work()


def deliver(mesh: Mesh, link: int, end: End, fault: str) -> None:
    """Deliver one frame, or do to it what a bad network does."""
    arriving = end.arriving
    if not arriving:
        return
    if fault == "drop":
        arriving.popleft()
        return
    if fault == "repeat":
        arriving.appendleft(arriving[0])
    elif fault == "swap" and len(arriving) > 1:
        arriving[0], arriving[1] = arriving[1], arriving[0]
    elif fault == "damage":
        frame = bytearray(arriving[0])
        frame[-1] ^= 0x40
        arriving[0] = bytes(frame)
    try:
        end.receive(mesh.now)
    except RemoteProtocolError as error:
        event(f"closed: {error.reason}")
        mesh.connect(link)


def run_or_reconnect(mesh: Mesh) -> None:
    """Deliver what is under way; a handshake broken by an earlier fault starts again."""
    while True:
        try:
            mesh.run()
        except RemoteProtocolError as error:
            event(f"closed: {error.reason}")
            for link, pair in list(mesh.pairs.items()):
                if any(end.session.phase is Phase.CLOSED for end in pair):
                    mesh.connect(link)
        else:
            return


def heal(mesh: Mesh) -> None:
    """A good network from now on, for as long as the slowest timer needs."""
    for link in range(len(mesh.links)):
        broken = any(e.exchange is None for e in mesh.pairs.get(link, ()))
        if link not in mesh.pairs or broken:
            mesh.connect(link)
    for end in mesh.ends():
        end.blocked = False
    run_or_reconnect(mesh)
    wait(mesh, 3 * LIMITS.request_seconds)


def wait(mesh: Mesh, seconds: float) -> None:
    """Let time pass on a good network."""
    until = mesh.now + seconds
    while mesh.now < until:
        mesh.tick(LIMITS.heartbeat_seconds)
        run_or_reconnect(mesh)


def assert_done(mesh: Mesh) -> None:
    """Everybody has everything, everything is acknowledged, and only heartbeats are left."""
    first = mesh.nodes[0].store
    for node in mesh.nodes:
        for name in first.slices:
            assert node.store.content(name) == first.content(name)
        assert node.store.digest() == first.digest()
        assert node.divergences == []
    assert all(end.exchange is not None and end.exchange.settled for end in mesh.ends())
    before = mesh.delivered
    mesh.run()
    assert mesh.delivered == before, "frames without a cause"
    for end in mesh.ends():
        end.frames.clear()
    for _ in range(8):
        mesh.tick(LIMITS.heartbeat_seconds)
        mesh.run()
    for end in mesh.ends():
        for frame in end.frames:
            assert isinstance(frame, Ack | State | Diff | Ping | Pong)
            assert not isinstance(frame, Diff) or not frame.deltas
        assert sum(isinstance(frame, State) for frame in end.frames) <= 2


@given(steps, st.sampled_from([RING, CLIQUE, LINE]))
def test_a_lossy_mesh_converges_and_falls_silent(
    script: list[Any], topology: list[tuple[int, int]]
) -> None:
    """Drops, repeats, swaps, damage, cuts, crashes and slow peers change the way, not the end."""
    count = 1 + max(max(pair) for pair in topology)
    mesh = Mesh([FakeStore("a", "b", durable="manual") for _ in range(count)], topology)
    play(mesh, script)
    heal(mesh)
    assert_done(mesh)


@given(steps, st.lists(st.tuples(nodes, st.sampled_from("ab")), min_size=1, max_size=4))
def test_content_lost_behind_equal_vectors_is_repaired(
    script: list[Any], spoiled: list[tuple[int, str]]
) -> None:
    """A digest finds what a state vector cannot show, and a full repair brings it back."""
    mesh = Mesh([FakeStore("a", "b", durable="manual") for _ in range(3)], LINE)
    play(mesh, script)
    heal(mesh)
    truth = {name: mesh.nodes[0].store.content(name) for name in "ab"}
    for place, name in spoiled:
        # Somebody must still have it.
        if place % 3 != 1:
            store = mesh.nodes[place % 3].store
            assert isinstance(store, FakeStore)
            store.spoil(name)
    wait(mesh, 3 * LIMITS.sync_seconds)
    for node in mesh.nodes:
        assert {name: node.store.content(name) for name in "ab"} == truth
    assert_done(mesh)


@given(steps)
def test_a_divergence_is_reported_and_costs_no_endless_repair(script: list[Any]) -> None:
    """What a repair cannot mend is told to both ends, and not shipped again and again."""
    mesh = Mesh([FakeStore("a", "b", durable="manual") for _ in range(3)], LINE)
    play(mesh, script)
    heal(mesh)
    store = mesh.nodes[0].store
    assert isinstance(store, FakeStore)
    store.add(b"something", "a")
    run_or_reconnect(mesh)
    assert store.spoil("a")
    store.incurable = True
    wait(mesh, 3 * LIMITS.sync_seconds)
    one, two = mesh.pairs[0]
    for end in (one, two):
        assert end.exchange is not None
        assert end.exchange.audit.diverged == {"a"}
        assert not end.exchange.settled
        assert frozenset("a") in end.node.divergences
        end.frames.clear()
    wait(mesh, 3 * LIMITS.sync_seconds)
    assert not [f for end in (one, two) for f in end.frames if isinstance(f, Diff) and f.deltas]


@given(st.sets(st.sampled_from("abc")), st.sets(st.sampled_from("abc")), st.booleans())
def test_only_shared_slices_travel(one: set[str], two: set[str], reverse: bool) -> None:
    """A slice that one side does not have is not synced on that link, and harms nothing."""
    stores = [FakeStore(*sorted(names), "z", durable="manual") for names in (one, two)]
    mesh = Mesh(stores, [(1, 0) if reverse else (0, 1)])
    mesh.connect(0)
    mesh.run()
    for store in stores:
        store.add(b"x", *store.slices)
        store.add(b"y", store.slices[0])
    mesh.run()
    for name in {*one, "z"} & {*two, "z"}:
        assert stores[0].content(name) == stores[1].content(name)
    assert all(end.exchange is not None and end.exchange.settled for end in mesh.ends())


# ---- hostile bytes ----------------------------------------------------------------------------


def fresh(phase: Phase) -> End:
    """An end that has got so far with an honest other side."""
    mesh = Mesh([FakeStore("a", durable="auto"), FakeStore("a", durable="auto")], [(0, 1)])
    mesh.connect(0)
    end = mesh.pairs[0][1]
    while end.session.phase is not phase:
        mesh.work()
        for each in mesh.ends():
            if each.arriving and (each is not end or end.session.phase is not phase):
                each.receive(mesh.now)
                break
    end.arriving.clear()
    return end


def feed(end: End, data: bytes) -> None:
    """Give bytes to an end, and let it work; only the errors that close a link may come."""
    end.arriving.append(data)
    with suppress(UpdateError, RemoteProtocolError):
        end.receive(0.0)
        if end.session.phase is Phase.OPEN:
            end.work(0.0)
    if end.session.phase is Phase.CLOSED:
        assert end.session.receive_data(b"more") == []


phases = st.sampled_from([Phase.GREETING, Phase.PROVING, Phase.INTRODUCING, Phase.OPEN])


@given(phases, st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_close_the_session_with_a_reason(phase: Phase, data: list[bytes]) -> None:
    """Raw bytes in any phase are an error of the other side, or a frame not yet complete."""
    end = fresh(phase)
    for piece in data:
        feed(end, piece)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=40),
    st.sampled_from(["a", b"\x00", b"\x01\x05\x09", b"0" * 16, b"0" * 32, "crdtstore"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=7),
        st.dictionaries(st.one_of(st.text(max_size=3), st.just("a"), st.binary(max_size=3)), inner),
    ),
    max_leaves=12,
)
bodies = st.one_of(
    st.builds(lambda t, rest: msgpack.packb([t, *rest]), st.integers(0, 127), st.lists(values)),
    st.builds(lambda value: msgpack.packb(value), values),
    st.binary(max_size=60),
    st.builds(
        lambda t, rest: bytes([0x91 + len(rest) % 8, t]) + rest, st.integers(0, 127), st.binary()
    ),
)


@given(phases, st.lists(bodies, min_size=1, max_size=5))
def test_any_frame_closes_the_session_or_is_taken(phase: Phase, frames: list[bytes]) -> None:
    """The same for frames of right length and tag, which only an authenticated peer makes."""
    end = fresh(phase)
    for body in frames:
        feed(end, end.other.session._encoder._wrap(body))


names = st.sampled_from(["a", "b"])
numbers = st.integers(0, 6)
vectors = st.sampled_from([b"\x00", b"\x01\x01\x02", b"\x01\x01", b"", b"\xff\xff\xff\1"])
digests = st.one_of(st.none(), st.binary(min_size=16, max_size=16))
deltas = st.one_of(st.just(msgpack.packb([[9, 0, b"x"]])), st.binary(max_size=9))
entries = st.tuples(vectors, digests, st.booleans())
typed = st.one_of(
    st.tuples(st.just(4), numbers, st.dictionaries(names, entries)),
    st.tuples(
        st.just(5),
        numbers,
        numbers,
        st.dictionaries(names, deltas),
        st.dictionaries(names, numbers),
    ),
    st.tuples(st.just(6), numbers, st.dictionaries(names, deltas), st.none()),
    st.tuples(st.just(7), numbers),
    st.tuples(st.sampled_from([8, 9]), numbers, numbers, numbers),
    st.tuples(st.just(11), numbers, numbers, numbers, st.binary(max_size=9)),
    st.tuples(st.just(64), values),
    st.tuples(st.just(10), st.text(), st.text()),
)


@given(st.lists(typed, min_size=1, max_size=12))
def test_any_order_of_well_formed_frames_is_survived(frames: list[tuple[Any, ...]]) -> None:
    """Nonsense numbers, unknown slices and vectors that lie end in a named reason at most."""
    end = fresh(Phase.OPEN)
    for frame in frames:
        feed(end, end.other.session._encoder._wrap(msgpack.packb(frame)))
        if end.session.phase is Phase.CLOSED:
            break


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_one_changed_byte_is_noticed(at: int, value: int) -> None:
    """No single byte of a stream can be changed without the session closing or waiting."""
    end = fresh(Phase.OPEN)
    frames = list(_frames_of(end))
    stream = bytearray(b"".join(frames))
    at %= len(stream)
    if stream[at] == value:
        return
    stream[at] = value
    events: list[Event] = []
    reason = None
    try:
        events = end.session.receive_data(bytes(stream))
    except RemoteProtocolError as error:
        reason = error.reason
    assert reason in ("checksum", "too-large", None)
    assert len(events) < len(frames)


def _frames_of(end: End) -> Iterator[bytes]:
    session = end.other.session
    for number in range(1, 4):
        yield from session.send(Ping(number, 0, 0))


def test_the_wrong_token_is_refused_before_anything_else_is_read() -> None:
    """Without the token nobody gets as far as a HELLO, in either direction."""
    nodes = [Node(FakeStore("a")), Node(FakeStore("a"))]
    one = End(nodes[0], Role.INITIATOR, "right", LIMITS)
    two = End(nodes[1], Role.ACCEPTOR, "wrong", LIMITS)
    two.session.receive_data(one.session.data_to_send())
    one.session.receive_data(two.session.data_to_send())
    with pytest.raises(RemoteProtocolError, match="unauthorised"):
        two.session.receive_data(one.session.data_to_send())
    (bye,) = one.session.receive_data(two.session.data_to_send())
    assert isinstance(bye, Closed)
    assert bye.reason == "unauthorised"
    assert one.session.remote is None
    assert two.session.remote is None

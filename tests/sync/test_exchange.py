"""Replication over one link, frame by frame; ``properties/test_session.py`` has the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from properties.fake_link import LIMITS, End, Mesh
from sync.errors import RemoteProtocolError
from sync.frames import Ack, Delta, Diff, Frame, Ping, Pong, State
from sync.watermarks import Origin
from tests.sync.fake_store import FakeCommit, FakeStore, pack


def linked(*, limits: object = LIMITS) -> tuple[Mesh, End, End]:
    """Two ends in sync, with no frames on record."""
    mesh = Mesh(
        [FakeStore("a", "b", durable="manual") for _ in range(2)],
        [(0, 1)],
        limits,  # type: ignore[arg-type]
    )
    mesh.connect(0)
    mesh.run()
    one, two = mesh.pairs[0]
    for end in (one, two):
        assert end.exchange is not None
        assert end.exchange.settled
        end.frames.clear()
    return mesh, one, two


def kinds(end: End) -> list[str]:
    return [type(frame).__name__ for frame in end.frames]


def deliver(one: End, two: End, frame: Frame) -> None:
    """Let ``two`` receive ``frame`` from ``one``, and do nothing about it yet."""
    two.arriving.appendleft(b"".join(one.session.send(frame)))
    two.receive(0.0)


def test_opening_costs_one_question_and_one_answer_each() -> None:
    """Two empty stores agree in one round trip."""
    mesh = Mesh([FakeStore("a"), FakeStore("a")], [(0, 1)])
    mesh.connect(0)
    mesh.run()
    for end in mesh.ends():
        assert kinds(end) == ["State", "Diff", "Ack"]


def test_a_commit_is_one_frame_and_one_ack() -> None:
    """Nothing else travels, and nothing comes back to its author."""
    mesh, one, two = linked()
    mesh.nodes[0].store.add(b"x", "a", "b")
    mesh.run()
    assert kinds(one) == ["Delta"]
    assert kinds(two) == ["Ack"]
    assert isinstance(one.frames[0], Delta)
    assert one.frames[0].deltas.keys() == {"a", "b"}


def test_acks_of_one_turn_are_one() -> None:
    """Many frames worked on together are acknowledged together."""
    mesh, one, two = linked()
    for number in range(20):
        mesh.nodes[0].store.add(b"%d" % number)
    mesh.settle()
    while two.arriving:
        two.receive(mesh.now)
    mesh.settle()
    mesh.run()
    assert kinds(one) == ["Delta"] * 20
    assert two.frames == [Ack(one.exchange.outgoing.head)]  # type: ignore[union-attr]


def test_a_lost_frame_is_asked_for_and_answered_once() -> None:
    """A gap in the numbers costs one STATE and one DIFF with what was lost."""
    mesh, one, two = linked()
    mesh.nodes[0].store.add(b"lost")
    mesh.settle()
    two.arriving.clear()
    mesh.nodes[0].store.add(b"kept")
    mesh.run()
    assert kinds(one) == ["Delta", "Delta", "Diff"]
    assert kinds(two) == ["State", "Ack"]
    assert len(mesh.nodes[1].store.content()) == 2


def test_a_lost_last_frame_is_found_by_a_heartbeat() -> None:
    """A ping tells the last number sent, so no frame is lost without a later one either."""
    mesh, _, two = linked()
    mesh.nodes[0].store.add(b"lost")
    mesh.settle()
    two.arriving.clear()
    for _ in range(2):
        mesh.tick(LIMITS.heartbeat_seconds)
        mesh.run()
    assert len(mesh.nodes[1].store.content()) == 1


def test_a_lost_ack_is_repeated_by_a_heartbeat() -> None:
    """Ping and pong tell the last number acknowledged."""
    mesh, one, _ = linked()
    mesh.nodes[0].store.add(b"x")
    mesh.settle()
    mesh.pairs[0][1].receive(mesh.now)
    mesh.work()
    mesh.settle()
    assert one.arriving
    one.arriving.clear()
    assert one.exchange is not None
    assert one.exchange.outgoing.acked < one.exchange.outgoing.head
    mesh.tick(LIMITS.heartbeat_seconds)
    mesh.run()
    assert one.exchange.settled


def test_past_the_bound_live_deltas_become_one_diff() -> None:
    """A transport that takes nothing costs no more than the bound, and one diff afterwards."""
    mesh, one, two = linked()
    one.blocked = True
    most = 0
    for number in range(200):
        mesh.nodes[0].store.add(b"%d" % number * 20)
        mesh.settle()
        assert one.exchange is not None
        most = max(most, one.exchange.outbox.queued_bytes)
    assert most <= LIMITS.queue_bytes + 200
    sent = kinds(one).count("Delta")
    assert sent < 200
    one.blocked = False
    mesh.run()
    assert kinds(one)[sent:] == ["Ping", "Diff"]
    assert kinds(two) == ["Pong", "State", "Ack"]
    assert mesh.nodes[0].store.digest() == mesh.nodes[1].store.digest()


def test_unacknowledged_bytes_are_bounded_too() -> None:
    """A receiver whose storage stands still is slow as well, though its connection is not."""
    mesh, one, _ = linked(limits=replace(LIMITS, unacked_bytes=2000))
    for number in range(100):
        mesh.nodes[0].store.add(b"%d" % number * 20)
        mesh.nodes[0].store.settle()
        mesh.work()
    assert kinds(one).count("Delta") < 60
    mesh.run()
    assert mesh.nodes[0].store.digest() == mesh.nodes[1].store.digest()
    assert all(end.exchange is not None and end.exchange.settled for end in mesh.ends())


def test_a_diff_waits_until_it_is_durable() -> None:
    """What is asked for before it is in the log is answered after."""
    mesh = Mesh([FakeStore("a", durable="manual"), FakeStore("a", durable="manual")], [(0, 1)])
    store = mesh.nodes[0].store
    store.add(b"x")
    mesh.connect(0)
    one, two = mesh.pairs[0]
    for _ in range(10):
        mesh.work()
        for end in (one, two):
            if end.arriving:
                end.receive(mesh.now)
    assert "Diff" not in kinds(one)
    store.add(b"y")
    mesh.run()
    assert kinds(one).count("Diff") == 1
    assert len(mesh.nodes[1].store.content()) == 2


def test_silence_is_noticed() -> None:
    """First a ping, then the end."""
    mesh, one, two = linked()
    assert one.exchange is not None
    assert one.exchange.tick(LIMITS.heartbeat_seconds)
    mesh.now = LIMITS.heartbeat_seconds
    mesh.run()
    assert Ping in map(type, one.frames)
    assert Pong in map(type, two.frames)
    assert one.exchange.round_trip == 0
    assert not one.exchange.tick(LIMITS.heartbeat_seconds + LIMITS.timeout_seconds)


def test_vectors_are_compared_from_time_to_time() -> None:
    """Even when nothing happens, so that nothing stays wrong for long."""
    mesh, one, _ = linked()
    steps = int(LIMITS.sync_seconds / LIMITS.heartbeat_seconds) + 1
    for _ in range(steps):
        mesh.tick(LIMITS.heartbeat_seconds)
        mesh.run()
    assert kinds(one).count("State") == 1
    assert kinds(one).count("Diff") == 1


@pytest.mark.parametrize(
    "frame", [Ack(99), Ping(1, 0, 99), Pong(1, 0, 99), Diff(1, 99, {}, {}), Diff(5, 99, {}, {})]
)
def test_numbers_that_cannot_be_are_refused(frame: Frame) -> None:
    """Nobody can acknowledge what was not sent, or answer what was not asked."""
    _, one, two = linked()
    assert two.exchange is not None
    deliver(one, two, frame)
    with pytest.raises(RemoteProtocolError, match="unexpected"):
        two.exchange.step(0.0)


def test_an_answer_that_cannot_be_applied_is_not_asked_for_at_once_again() -> None:
    """A side whose own diff lacks something gets time, not a busy loop."""
    mesh, one, two = linked()
    assert two.exchange is not None
    two.exchange.incoming.request()
    mesh.work()
    head = one.exchange.outgoing.head + 1  # type: ignore[union-attr]
    one.session.watch = lambda frame: None  # it lies
    bad = Diff(head, 2, {"a": pack([(999, 5, b"x")])}, {})
    deliver(one, two, bad)
    one.arriving.clear()
    two.frames.clear()
    for _ in range(5):
        two.work(mesh.now)
    assert State not in map(type, two.frames)
    for _ in range(4):
        mesh.tick(LIMITS.request_seconds / 2)
        mesh.run()
    assert State in map(type, two.frames)


def test_what_a_delta_let_go_is_sent_to_where_that_delta_came_from() -> None:
    """The other side has its own work; what waited for it may have come from somebody else."""
    mesh, one, _ = linked()
    assert one.exchange is not None
    came, waited = pack([(7, 1, b"came")]), pack([(8, 1, b"waited")])
    marks = mesh.nodes[0].marks
    origin = Origin("two", one.session.link_id, {"a": came, "b": came}, marks, 1)
    one.session.watch = one.frames.append  # of a commit that the store behind it never made
    one.exchange.outgoing.committed(FakeCommit(101, {"a": came, "b": came}, None, origin))
    assert one.frames == []
    one.exchange.outgoing.committed(FakeCommit(102, {"a": waited, "b": came}, None, origin))
    (frame,) = one.frames
    assert isinstance(frame, Delta)
    assert frame.deltas == {"a": waited}


def test_work_goes_on_over_the_other_links_at_once() -> None:
    """Who merged it relays it as it came, and nobody has to ask."""
    mesh = Mesh([FakeStore("a") for _ in range(3)], [(0, 1), (1, 2)])
    for link in range(2):
        mesh.connect(link)
    mesh.run()
    relay = mesh.pairs[1][0]
    assert relay.node is mesh.nodes[1]
    relay.frames.clear()
    mesh.nodes[0].store.add(b"x")
    mesh.run()
    assert kinds(relay) == ["Delta"]
    assert len(mesh.nodes[2].store.content()) == 1


def test_a_gap_is_a_gap_though_what_follows_does_not_need_it() -> None:
    """What was lost is asked for, and nothing behind it is acknowledged before it is there."""
    mesh, one, two = linked()
    assert one.exchange is not None
    acked = one.exchange.outgoing.acked
    mesh.nodes[0].store.add(b"lost", "a")
    mesh.settle()
    two.arriving.clear()
    mesh.nodes[0].store.add(b"kept", "b")
    mesh.settle()
    two.receive(mesh.now)
    two.work(mesh.now)
    assert kinds(two) == ["State"]
    assert one.exchange.outgoing.acked == acked
    mesh.run()
    assert kinds(two) == ["State", "Ack"]
    assert len(mesh.nodes[1].store.content("a")) == 1


def test_a_delta_that_waits_for_others_is_not_acknowledged() -> None:
    """It is asked for what it waits for, although no number is missing."""
    _, one, two = linked()
    assert one.exchange is not None
    assert two.exchange is not None
    received = two.exchange.incoming.received
    one.session.watch = lambda frame: None  # it lies
    number = one.exchange.outgoing.head + 1
    deliver(one, two, Delta(number, {"a": pack([(999, 5, b"x")])}, None))
    two.work(0.0)
    assert kinds(two) == ["State"]
    assert two.exchange.incoming.received == received


def test_a_lost_question_is_asked_again() -> None:
    """After a while, though one question at a time is the rule."""
    mesh, _, two = linked()
    assert two.exchange is not None
    two.exchange.incoming.request()
    two.work(mesh.now)
    assert kinds(two) == ["State"]
    two.other.arriving.clear()
    mesh.run()
    assert kinds(two) == ["State"]
    mesh.tick(LIMITS.request_seconds)
    mesh.run()
    assert kinds(two).count("State") == 2
    assert two.exchange.settled
    assert two.exchange.incoming.answered == 3

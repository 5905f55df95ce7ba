"""Replication over one link, frame by frame; ``properties/test_session.py`` has the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from properties.fake_link import LIMITS, End, Mesh
from sync.errors import RemoteProtocolError
from sync.frames import Ack, Delta, Diff, Frame, Ping, Pong, State
from tests.sync.fake_store import FakeStore, pack


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

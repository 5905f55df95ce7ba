"""What somebody waits for, over links that are set by hand."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from properties.fake_link import Mesh
from sync.errors import DivergenceError, PeerStoppedError
from sync.exchange import Exchange
from sync.goals import Goal, Goals
from tests.sync.fake_store import FakeStore


class FakeLinked:
    """A link without a connection."""

    def __init__(self, replica: str, exchange: Exchange | None) -> None:
        self.replica = replica
        self.exchange = exchange
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def linked() -> tuple[Mesh, FakeLinked]:
    mesh = Mesh([FakeStore("a", durable="manual"), FakeStore("a", durable="manual")], [(0, 1)])
    mesh.connect(0)
    mesh.run()
    return mesh, FakeLinked("r", mesh.pairs[0][0].exchange)


def goal(mesh: Mesh, **how: Any) -> Goal:
    return Goal(Future(), mesh.nodes[0].marks.applied, how.pop("count", 1), **how)


def test_pushed_is_acknowledged_as_durable() -> None:
    """Sent is not enough, and received is not either."""
    mesh, link = linked()
    mesh.nodes[0].store.add(b"x")
    wanted = goal(mesh)
    assert not wanted.evaluate([link])
    mesh.nodes[0].store.settle()
    mesh.work()
    assert not wanted.evaluate([link])
    mesh.run()
    assert wanted.evaluate([link])
    assert wanted.future.done()


def test_pulled_is_answered_after_the_question() -> None:
    """What was exchanged before the call says nothing about what they have now."""
    mesh, link = linked()
    wanted = goal(mesh, pull=True)
    assert not wanted.evaluate([link])
    assert link.woken == 1
    mesh.nodes[1].store.add(b"x")
    mesh.run()
    assert wanted.evaluate([link])
    assert len(mesh.nodes[0].store.content()) == 1


def test_named_replicas_are_waited_for_beyond_the_count() -> None:
    """Who was connected when the question was asked must be among those that have it."""
    mesh, link = linked()
    wanted = goal(mesh, replicas=frozenset({"other"}))
    assert not wanted.evaluate([link])
    assert wanted.evaluate([FakeLinked("other", link.exchange)])


def test_the_same_replica_over_two_links_counts_once() -> None:
    """Distinct means distinct files."""
    mesh, link = linked()
    wanted = goal(mesh, count=2)
    assert not wanted.evaluate([link, FakeLinked("r", link.exchange)])
    assert wanted.evaluate([FakeLinked("s", link.exchange)])


def test_a_divergence_fails_what_waits_for_agreement_only() -> None:
    """Durability over there is one thing, the same content another."""
    mesh, link = linked()
    assert link.exchange is not None
    link.exchange.audit.diverged.add("a")
    pulled, pushed = goal(mesh, pull=True), goal(mesh)
    assert pulled.evaluate([link])
    with pytest.raises(DivergenceError):
        pulled.future.result()
    assert pushed.evaluate([link])
    pushed.future.result()


def test_a_new_link_starts_from_the_beginning() -> None:
    """What a lost link had promised is forgotten, what it had reached is not."""
    mesh, link = linked()
    goals = Goals()
    wanted = goal(mesh, count=2)
    goals.add(wanted)
    goals.evaluate([link])
    assert wanted.progress.keys() == {link}
    goals.forget(link)
    assert not wanted.progress
    assert wanted.reached == {"r"}
    goals.fail(PeerStoppedError("stopped"))
    assert not goals
    with pytest.raises(PeerStoppedError):
        wanted.future.result()

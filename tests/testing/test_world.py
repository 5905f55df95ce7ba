"""Replicas that act, send, lose, repeat, crash and restart."""

from __future__ import annotations

from typing import Any

import pytest

from crdtstore import CrdtstoreWarning, Store, UpdateError, configure_store, create_slice
from crdtstore.testing import ConvergenceError, World
from crdtstore.testing.storage import CrashingStorage
from tests.testing.samples import (
    Colour,
    add,
    label,
    never_below_zero,
    paint,
    shop,
    sold,
    todos,
    vote,
)


def titles(world: World, at: str) -> list[str]:
    return [str(item.title) for item in world.stores[at].state.todos.items]


def kinds(world: World) -> list[tuple[str, str]]:
    return [(event.kind, event.replica) for event in world.history.events]


def test_a_delta_arrives_when_a_step_says_so() -> None:
    """Others see an act after its delivery, which names the act as a cause."""
    with World([todos]) as world:
        world.act("A", add("x"))
        assert titles(world, "B") == []
        world.deliver("B")
        assert titles(world, "B") == ["x"]
        assert titles(world, "C") == []
        act, delivery = world.history.events
        assert (act.kind, act.label, act.causes) == ("act", "add(title='x', done=False)", ())
        assert (delivery.peer, delivery.label, delivery.causes) == ("A", "from A: 1 delta", (0,))
        assert delivery.detail.endswith(" bytes")


def test_events_name_the_previous_one_of_their_replica() -> None:
    """Program order is part of the causes."""
    with World([todos]) as world:
        world.act("A", add("x"))
        world.act("B", add("y"))
        world.deliver("B")
        world.act("B", add("z"))
        assert [event.causes for event in world.history.events] == [(), (), (0, 1), (2,)]


def test_messages_come_together_again_and_in_another_order() -> None:
    """Several may arrive at once, the newest first, twice, or never."""
    with World([todos], replicas=2) as world:
        for title in "abc":
            world.act("A", add(title))
        world.deliver("B", 2)
        event = world.history.events[-1]
        assert not event.changed
        assert "wait for others" in event.detail
        world.deliver("B", 0, again=True)
        assert titles(world, "B") == ["a"]
        world.deliver("B", 0, again=True)
        assert not world.history.events[-1].changed
        world.drop("B", 0)
        world.deliver("B", most=10)
        assert titles(world, "B") == ["a", "b", "c"]
        count = len(world.history.events)
        world.deliver("B")
        world.drop("B")
        assert len(world.history.events) == count, "nothing was left to arrive"


def test_what_was_dropped_comes_with_a_sync() -> None:
    """A replica that asks for what it lacks gets what never arrived."""
    with World([todos]) as world:
        world.act("A", add("x"))
        world.drop("C")
        world.sync("C", "A")
        assert titles(world, "C") == ["x"]
        assert world.history.events[-1].kind == "sync"
        world.sync("C", "A")
        assert kinds(world) == [("act", "A"), ("sync", "C")], "a sync of nothing is no event"


def test_nothing_passes_a_cut_link() -> None:
    """Messages wait and syncs fail between two replicas that are cut off; others pass."""
    with World([todos]) as world:
        world.cut("A", "B")
        world.act("A", add("x"))
        world.deliver("B")
        world.sync("B", "A")
        assert titles(world, "B") == []
        world.deliver("C")
        assert titles(world, "C") == ["x"]
        world.cut("B", "A")
        world.heal("A", "B")
        world.heal("A", "B")
        world.deliver("B")
        assert titles(world, "B") == ["x"]
        assert [kind for kind, _ in kinds(world)] == ["cut", "act", "deliver", "heal", "deliver"]


def test_a_crash_loses_only_what_nobody_got() -> None:
    """Acts that left are durable; later ones may go, and so do their deltas on the way."""
    with World([todos], replicas=2) as world:
        for title in "abc":
            world.act("A", add(title))
        world.deliver("B")
        world.crash("A", 2)
        assert world.history.events[-1].label == "crash, 2 unsynced lost"
        assert world.history.holds["A"] == "(down)"
        world.act("A", add("no"))
        world.sync("B", "A")
        world.deliver("B", most=10)
        assert titles(world, "B") == ["a"]
        world.restart("A")
        assert titles(world, "A") == ["a"]
        world.crash("A", 5)
        world.restart("A")
        assert titles(world, "A") == ["a"], "everything left is durable"


def test_a_restart_is_a_new_session_of_the_same_replica() -> None:
    """The name stays, the session does not, and nothing is lost."""
    with World([todos]) as world:
        world.act("A", add("x"))
        before = world.stores["A"]
        world.restart("A")
        after = world.stores["A"]
        assert (before.replica, before.state) == (after.replica, after.state)
        assert before.session != after.session


def test_a_restored_backup_is_older_and_gets_the_rest_back() -> None:
    """What others have returns to a replica that was set back."""
    with World([todos], replicas=2) as world:
        world.act("A", add("x"))
        world.act("A", add("y"))
        world.deliver("B", most=2)
        world.restore("A", 2)
        assert titles(world, "A") == []
        world.sync("A", "B")
        assert titles(world, "A") == ["x", "y"]
        world.settle()


def test_a_cloned_file_goes_on_under_a_session_of_its_own() -> None:
    """Two replicas that start from one file write side by side."""
    with World([todos], replicas=2) as world:
        world.act("A", add("x"))
        world.clone("B", "A")
        assert titles(world, "B") == ["x"]
        assert world.history.events[-1].peer == "A"
        world.act("A", add("y"))
        world.act("B", add("z"))
        world.settle()
        assert sorted(titles(world, "A")) == sorted(titles(world, "B")) == ["x", "y", "z"]


def test_clocks_jump() -> None:
    """A clock that is ahead wins a register against a later write."""
    with World([todos], replicas=2) as world:
        world.clock("A", 0)
        world.act("A", label("k", 1))
        world.act("B", label("k", 2))
        world.settle()
        assert world.stores["B"].state.todos.labels == {"k": 1}
        assert world.history.events[0].label == "clock +1 day"


def test_clocks_may_say_the_same() -> None:
    """After a jump to another's clock acts of the two in a row carry one time."""
    with World([todos], replicas=2) as world:
        stamps = []
        for name in ("A", "B"):
            world.stores[name].on_commit(lambda commit: stamps.append(commit.at))
        world.clock("B", 5)
        world.act("A", label("k", 1))
        world.act("B", label("k", 2))
        assert stamps[0] == stamps[1]


def test_a_reducer_that_raises_changes_nothing_and_is_noted() -> None:
    """Its act is an event without effect, with what was raised."""
    with World([todos]) as world:
        world.act("A", vote(3))
        (event,) = world.history.events
        assert not event.changed
        assert "IndexError" in event.detail
        world.settle()
        assert kinds(world) == [("act", "A")]


def test_setup_is_there_before_anything_happens() -> None:
    """What setup dispatches is at every replica, in every backup, and no event."""

    def setup(store: Store) -> None:
        store.dispatch(add("first"))

    with World([todos], setup=setup) as world:
        world.restore("B", 7)
        assert [titles(world, name) for name in world.names] == [["first"]] * 3
        assert kinds(world) == [("restore", "B")]


def test_the_first_break_ends_the_run_with_its_history() -> None:
    """The error carries what happened, where it broke, and what each replica held."""
    with World([shop], replicas=2, invariants=[never_below_zero]) as world:
        world.act("A", sold(1))
        world.act("B", sold(1))
        with pytest.raises(ConvergenceError, match="never_below_zero") as caught:
            world.deliver("A")
    history = caught.value.history
    (broken,) = history.broken
    assert (broken.event, broken.replica, broken.what) == (2, "A", "never_below_zero")
    assert history.holds_at_break == {"A": "shop:\n  pieces: -1", "B": "shop:\n  pieces: 0"}


def test_replicas_that_did_nothing_are_left_out() -> None:
    """A history shows only replicas that something happened to."""
    with World([shop]) as world:
        before = world.history
        world.act("B", sold(1))
        assert (before.replicas, world.history.replicas) == (("A", "B", "C"), ("B",))


def test_invariants_may_return_false_or_raise_anything() -> None:
    """False breaks, None and True do not, and an exception of another kind is told as one."""
    for check, said in ((lambda _: False, "it returned False"), (lambda s: s.no, "AttributeError")):
        with pytest.raises(ConvergenceError, match=said):
            World([shop], invariants=[check])
    World([shop], invariants=[lambda _: None, lambda _: True]).close()

    async def never(state: Any) -> None:
        """Take no time."""

    with pytest.raises(TypeError, match="a check is a plain function of the state"):
        World([shop], invariants=[never])
    with pytest.raises(TypeError, match=r"write \[never_below_zero\]"):
        World([shop], invariants=never_below_zero)  # type: ignore[arg-type]


def test_checks_for_quiet_times_wait_for_them() -> None:
    """A check at quiescence does not see what is on its way."""

    def all_there(state: Any) -> bool:
        return len(state.todos.items) in (0, 2)

    with World([todos], replicas=2, at_quiescence=[all_there]) as world:
        world.act("A", add("x"))
        world.act("B", add("y"))
        world.settle()
        world.act("A", add("z"))
        with pytest.raises(ConvergenceError, match="all_there") as caught:
            world.settle()
        history = caught.value.history
        assert history.broken[0].event == len(history.events)


def test_the_same_steps_give_the_same_bytes() -> None:
    """Two worlds that play alike have equal digests, vectors and histories."""

    def played() -> tuple[Any, ...]:
        with World([todos]) as world:
            world.act("A", add("x"))
            world.act("B", add("y"))
            world.act("B", paint(Colour.BLUE, "n"))
            world.deliver("C", most=9)
            world.crash("B", 1)
            world.restart("B")
            world.settle()
            store = world.stores["C"]
            return store.digest(), store.state_vectors(), store.session, world.history.to_json()

    assert played() == played()


def test_advice_is_shown_and_not_raised() -> None:
    """It is given once, so raising it in the first example only would make examples flaky."""

    def grown(state: Any) -> None:
        state.n += 1

    of = create_slice(name="advised", initial_state={"n": 0}, reducers={"grown": grown})
    with World([of], replicas=2) as world:
        with pytest.warns(CrdtstoreWarning, match="'n' is a register"):
            world.act("A", of.actions.grown())
        assert world.history.events[0].changed


# What the library itself could break


def test_a_replica_left_behind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that brings nothing is noticed once all is quiet."""
    with World([todos], replicas=2) as world:
        world.act("A", add("x"))
        world.drop("B")
        real = Store.merge
        monkeypatch.setattr(Store, "merge", lambda self, deltas: real(self, {}))
        with pytest.raises(ConvergenceError, match="one sync round leaves nobody behind"):
            world.settle()


def test_replicas_that_read_differently_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal vectors with another digest are noticed."""
    with World([todos], replicas=2) as world:
        world.act("A", add("x"))
        real = Store.digests
        monkeypatch.setattr(
            Store, "digests", lambda self: {**real(self), "own": self.session.encode()}
        )
        with pytest.raises(ConvergenceError, match="the digests differ"):
            world.settle()


def test_a_patch_that_was_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that misses a change differs from a full reading."""
    with World([shop], replicas=2) as world:
        monkeypatch.setattr("crdtstore.document.patch_value", lambda state, *_: state)
        with pytest.raises(ConvergenceError, match="patched snapshot equals full read"):
            world.act("A", sold(1))


def test_a_storage_that_loses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened again must be what was there."""
    real = CrashingStorage.copy
    monkeypatch.setattr(CrashingStorage, "copy", lambda self: real(self, 0))
    with World([shop], replicas=2) as world:
        world.act("A", sold(1))
        with pytest.raises(ConvergenceError, match="reload equals live: does not hold at A"):
            world.settle()
    with World([shop], replicas=2) as world:
        world.act("A", sold(1))
        with pytest.raises(ConvergenceError, match="reload equals live"):
            world.restart("A")


def test_a_delta_that_is_refused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Honest replicas can always merge what the others sent."""

    def refuse(self: Store, deltas: Any) -> None:
        raise UpdateError("session-reused")

    with World([shop], replicas=2) as world:
        world.act("A", sold(1))
        monkeypatch.setattr(Store, "merge", refuse)
        with pytest.raises(ConvergenceError, match=r"can be merged: does not hold at B.*reused"):
            world.deliver("B")


def test_stores_outside_stay_random() -> None:
    """A world's sessions are its own: a store opened beside it is as random as ever."""
    with World([shop], replicas=2), configure_store([shop]) as one, configure_store([shop]) as two:
        assert one.session != two.session

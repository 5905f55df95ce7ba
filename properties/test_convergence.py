"""Replicas converge, to what the oracle says, whatever happens to them and to what they send."""

from __future__ import annotations

import shutil
import tempfile
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crdtstore import Store, configure_store
from crdtstore.storage import MemoryStorage, SqliteStorage, Storage
from properties import model
from properties.histories import Plan, World, commands, plans
from properties.kitchen import SHAPE, Command, Fresh, Script, Stopped, kitchen, run

few = settings(max_examples=max(10, settings().max_examples // 5))
"""For examples that cost several times as much as others."""

batches = st.lists(commands, min_size=1, max_size=3).map(tuple)


@given(plans())
def test_any_history_reads_as_the_oracle_says(plan: Plan) -> None:
    """Whatever is done, lost, repeated, delayed and restarted, every store reads what it should."""
    with World.of_plan(plan) as world:
        world.play(plan.steps)
        world.settle()


@few
@given(plans(25))
def test_any_history_survives_in_files(plan: Plan) -> None:
    """The same holds for stores in SQLite files, which are closed, copied and opened again."""
    with tempfile.TemporaryDirectory() as folder:
        names = (Path(folder) / f"{number}.db" for number in range(1_000))

        def copy(storage: Storage) -> Storage:
            assert isinstance(storage, SqliteStorage)
            name = next(names)
            shutil.copy(storage.path, name)
            if (wal := Path(f"{storage.path}-wal")).exists():
                shutil.copy(wal, f"{name}-wal")
            return SqliteStorage(name, durability="normal")

        def create() -> Storage:
            return SqliteStorage(next(names), durability="normal")

        with World.of_plan(plan, storage=create, copy=copy) as world:
            world.play(plan.steps)
            world.settle()


def works(
    world: World, scripts: list[tuple[Command, ...]], seen: list[bool]
) -> list[dict[str, bytes]]:
    """Have every store do its script; return the deltas. Who has ``seen`` knows the first."""
    deltas: list[dict[str, bytes]] = []
    for at, (script, knows) in enumerate(zip(scripts, seen, strict=True)):
        if knows and deltas:
            world.places[at].store.merge(deltas[0])
        world.places[at].commits.clear()
        world.act(at, *script)
        deltas += [dict(commit.deltas) for commit in world.places[at].commits]
    return deltas


@few
@given(
    st.integers(0, 2**32),
    st.lists(batches, max_size=2),
    st.lists(batches, min_size=4, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_every_order_of_delivery_gives_the_same(
    seed: int, before: list[Any], scripts: list[Any], seen: list[bool]
) -> None:
    """Four deltas in all 24 orders, each also twice, end in one state: the oracle's."""
    with World(5, seed=seed) as world:
        for script in before:
            world.act(4, *script)
        for place in world.places[:4]:
            world.exchange(place, world.places[4])
        start = world.places[4].store.deltas_since({})
        deltas = works(world, scripts, seen)
        ends = set()
        for order in permutations(deltas):
            with configure_store([kitchen]) as store:
                store.merge(start)
                for delta in order:
                    store.merge(delta)
                    assert not store.merge(delta).changed
                ends.add((store.digest(), repr(store.state), store.state_vectors()["kitchen"]))
        assert len(ends) == 1
        expected = world.history.read(frozenset(world.history.events))
        assert not model.differs(SHAPE, expected, store[kitchen])


def merged(*deltas: dict[str, bytes]) -> Store:
    """Return a store that merged deltas."""
    store = configure_store([kitchen])
    for delta in deltas:
        store.merge(delta)
    return store


@few
@given(
    st.integers(0, 2**32),
    st.lists(batches, min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_merging_is_commutative_associative_and_idempotent(
    seed: int, scripts: list[Any], seen: list[bool]
) -> None:
    """How whole states are combined does not matter."""
    with World(3, seed=seed) as world:
        works(world, scripts, seen)
        a, b, c = (place.store.deltas_since({}) for place in world.places)
    ab, ba, bc = merged(a, b), merged(b, a), merged(b, c)
    left, right = merged(ab.deltas_since({}), c), merged(a, bc.deltas_since({}))
    again = merged(a, a, b, a)
    for one, other in ((ab, ba), (left, right), (again, ab)):
        assert one.digest() == other.digest()
        assert repr(one.state) == repr(other.state)
        assert one.state_vectors() == other.state_vectors()


class Stop(BaseException):
    """What a user's Ctrl-C is like."""


@given(st.lists(batches, max_size=3), batches, st.booleans())
def test_a_reducer_that_raises_at_any_point_changes_nothing(
    before: list[Any], script: tuple[Command, ...], hard: bool
) -> None:
    """No commit, no record, no new state object, and the digest and vectors stay."""
    storage = MemoryStorage()
    fresh = Fresh()
    error = Stop if hard else Stopped
    with configure_store([kitchen], storage=storage) as store:
        for each in before:
            store.dispatch(run(Script(each, fresh)))
        heard: list[Any] = []
        store.on_commit(heard.append)
        store.subscribe(lambda: heard.append("state"))
        holds = store.state, store.digest(), store.state_vectors(), storage.durable_seq
        for at in range(len(script) + 1):
            with pytest.raises(error):
                store.dispatch(run(Script(script, fresh, fail_at=at, error=error)))
        assert store.state is holds[0]
        assert (store.digest(), store.state_vectors(), storage.durable_seq) == holds[1:]
        assert not heard


@few
@given(st.integers(0, 2**32), st.lists(batches, min_size=1, max_size=12))
def test_one_round_leaves_nobody_behind(seed: int, scripts: list[Any]) -> None:
    """Two stores that never heard of each other are equal after both sent what the other lacks."""
    with World(2, seed=seed) as world:
        for at, script in enumerate(scripts):
            world.act(at % 2, *script)
        one, other = world.places
        one.inbox.clear()
        other.inbox.clear()
        world.exchange(one, other)
        assert world.seen(one) == frozenset(world.history.events)

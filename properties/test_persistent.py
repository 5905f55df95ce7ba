"""Persistent containers behave as plain ones do, and no old version ever changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crdtstore import persistent
from crdtstore.persistent import MISSING, SortedMap, Vector

LOAD = 4  # so that a few dozen steps cut and join chunks many times

keys = st.text("abc", max_size=4)
items = st.integers(0, 5)
fractions = st.floats(0, 1)


class MapMachine(RuleBasedStateMachine):
    """A SortedMap beside a dict, with every version it ever was."""

    def __init__(self) -> None:
        super().__init__()
        self.new = SortedMap.EMPTY
        self.oracle: dict[str, Any] = {}
        self.versions: list[tuple[SortedMap, dict[str, Any]]] = []

    def become(self, new: SortedMap) -> None:
        self.versions.append((self.new, dict(sorted(self.oracle.items()))))
        self.new = new

    @initialize(pairs=st.dictionaries(keys, items, max_size=60))
    def start(self, pairs: dict[str, int]) -> None:
        self.new, self.oracle = SortedMap.of(pairs), dict(pairs)

    @rule(key=keys, value=items)
    def set(self, key: str, value: int) -> None:
        new = self.new.set(key, value)
        assert (new is self.new) == (self.oracle.get(key, MISSING) is value)
        self.become(new)
        self.oracle[key] = value

    @precondition(lambda self: self.oracle)
    @rule(at=fractions)
    def remove(self, at: float) -> None:
        key = list(self.oracle)[int(at * (len(self.oracle) - 1))]
        self.become(self.new.remove(key))
        del self.oracle[key]

    @rule(changes=st.dictionaries(keys, items | st.just(MISSING), max_size=40))
    def evolve(self, changes: dict[str, Any]) -> None:
        changed = any(self.oracle.get(key, MISSING) is not changes[key] for key in changes)
        new = self.new.evolve(changes)
        assert (new is not self.new) == changed or not self.oracle
        self.become(new)
        self.oracle.update(changes)
        self.oracle = {key: v for key, v in self.oracle.items() if v is not MISSING}

    @rule(at=fractions)
    def return_to(self, at: float) -> None:
        if self.versions:
            new, oracle = self.versions[int(at * (len(self.versions) - 1))]
            self.become(new)
            self.oracle = dict(oracle)

    @rule(at=fractions)
    def compare(self, at: float) -> None:
        if not self.versions:
            return
        old, oracle = self.versions[int(at * (len(self.versions) - 1))]
        changes = list(self.new.changes_since(old))
        assert changes == [
            (key, oracle.get(key, MISSING), self.oracle.get(key, MISSING))
            for key in sorted(oracle.keys() | self.oracle.keys())
            if oracle.get(key, MISSING) is not self.oracle.get(key, MISSING)
        ]
        assert list(old.changes_since(self.new)) == [(key, new, was) for key, was, new in changes]
        assert self.new.unshared(old) == old.unshared(self.new) >= bool(changes)

    @rule(value=items)
    def transform(self, value: int) -> None:
        new = self.new.transform(lambda key, old: (key, old, value))
        assert dict(new.items()) == {key: (key, v, value) for key, v in self.oracle.items()}
        assert new == SortedMap.of(dict(new.items()))

    @rule(key=keys)
    def read(self, key: str) -> None:
        assert self.new.get(key, MISSING) is self.oracle.get(key, MISSING)
        assert (key in self.new) == (key in self.oracle)
        if key in self.oracle:
            assert self.new[key] is self.oracle[key]
        else:
            with pytest.raises(KeyError):
                self.new[key]

    @invariant()
    def agrees(self) -> None:
        assert list(self.new.items()) == sorted(self.oracle.items())
        assert list(self.new) == sorted(self.oracle)
        assert len(self.new) == len(self.oracle)
        assert self.new == SortedMap.of(self.oracle)

    @invariant()
    def is_balanced(self) -> None:
        sizes = [len(chunk) for chunk in self.new._keys]
        assert all(0 < size <= 2 * LOAD for size in sizes)
        assert len(sizes) < 2 or min(sizes) >= LOAD // 2

    def teardown(self) -> None:
        for new, oracle in self.versions:
            assert list(new.items()) == list(oracle.items())


class VectorMachine(RuleBasedStateMachine):
    """A Vector beside a list, with every version it ever was."""

    def __init__(self) -> None:
        super().__init__()
        self.new = Vector.EMPTY
        self.oracle: list[Any] = []
        self.versions: list[tuple[Vector, list[Any]]] = []

    def become(self, new: Vector) -> None:
        self.versions.append((self.new, self.oracle[:]))
        self.new = new

    def at(self, fraction: float, size: int) -> int:
        return round(fraction * size)

    @initialize(some=st.lists(items, max_size=60))
    def start(self, some: list[int]) -> None:
        self.new, self.oracle = Vector.of(some), list(some)

    @rule(where=fractions, item=items)
    def insert(self, where: float, item: int) -> None:
        index = self.at(where, len(self.oracle))
        self.become(self.new.insert(index, item))
        self.oracle.insert(index, item)

    @rule(item=items)
    def append(self, item: int) -> None:
        self.become(self.new.append(item))
        self.oracle.append(item)

    @precondition(lambda self: self.oracle)
    @rule(where=fractions, item=items)
    def set(self, where: float, item: int) -> None:
        index = self.at(where, len(self.oracle) - 1)
        new = self.new.set(index, item)
        assert (new is self.new) == (self.oracle[index] is item)
        self.become(new)
        self.oracle[index] = item

    @precondition(lambda self: self.oracle)
    @rule(where=fractions)
    def remove(self, where: float) -> None:
        index = self.at(where, len(self.oracle) - 1)
        self.become(self.new.remove(index))
        del self.oracle[index]

    @rule(where=fractions, part=fractions, some=st.lists(items, max_size=30))
    def splice(self, where: float, part: float, some: list[int]) -> None:
        index = self.at(where, len(self.oracle))
        deleted = self.at(part, len(self.oracle) - index)
        self.become(self.new.splice(index, deleted, some))
        self.oracle[index : index + deleted] = some

    @rule(where=fractions)
    def return_to(self, where: float) -> None:
        if self.versions:
            new, oracle = self.versions[self.at(where, len(self.versions) - 1)]
            self.become(new)
            self.oracle = oracle[:]

    @rule(index=st.integers(-99, 99), part=st.slices(60))
    def read(self, index: int, part: slice) -> None:
        assert self.new[part] == self.oracle[part]
        if -len(self.oracle) <= index < len(self.oracle):
            assert self.new[index] is self.oracle[index]
        else:
            with pytest.raises(IndexError):
                self.new[index]

    @rule(item=items)
    def find(self, item: int) -> None:
        assert (item in self.new) == (item in self.oracle)
        if item in self.oracle:
            assert self.new.index_of(item) == self.oracle.index(item)

    @precondition(lambda self: self.versions)
    @rule(where=fractions)
    def compare(self, where: float) -> None:
        other, oracle = self.versions[self.at(where, len(self.versions) - 1)]
        start, stop, others = self.new.unlike(other)
        assert self.oracle[:start] == oracle[:start]
        assert self.oracle[stop:] == oracle[others:]
        mine, their = self.oracle[start:stop], oracle[start:others]
        if mine and their:
            assert mine[0] is not their[0]
            assert mine[-1] is not their[-1]

    @invariant()
    def agrees(self) -> None:
        assert list(self.new) == self.oracle
        assert len(self.new) == len(self.oracle)
        assert list(reversed(self.new)) == self.oracle[::-1]
        assert self.new == Vector.of(self.oracle)

    @invariant()
    def is_balanced(self) -> None:
        sizes = [len(chunk) for chunk in self.new._chunks]
        assert all(0 < size <= 2 * LOAD for size in sizes)
        assert len(sizes) < 2 or min(sizes) >= LOAD // 2

    def teardown(self) -> None:
        assert all(list(new) == oracle for new, oracle in self.versions)


@pytest.mark.parametrize("machine", [MapMachine, VectorMachine])
def test_a_persistent_container_behaves_as_the_plain_one(
    machine: type[RuleBasedStateMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any sequence of changes gives what dict and list give, and old versions stay."""
    monkeypatch.setattr(persistent, "MAP_LOAD", LOAD)
    monkeypatch.setattr(persistent, "VECTOR_LOAD", LOAD)
    run_state_machine_as_test(machine)

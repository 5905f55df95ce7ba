"""Which listeners an action may concern, and in which order."""

from __future__ import annotations

import random
from typing import Any

from crdtstore.listeners.patterns import Origin, Pattern
from crdtstore.listeners.registry import Entry, Listener, Registry, Taker


def effect(action: Any, api: Any) -> None:
    """Do nothing."""


def listener(kind: str | None, origin: Origin = "local", of: Any = effect) -> Listener:
    """Make a listener for a type, or for everything."""
    pattern = (
        Pattern.of(type=kind) if kind is not None else Pattern.of(predicate=lambda action: True)
    )
    return Listener(pattern, origin, of, None)


def test_a_type_finds_its_own_entries_and_the_open_ones_in_order() -> None:
    """Those for other types are not even looked at."""
    registry = Registry()
    a, everything, b, another = listener("a"), listener(None), listener("b"), listener("a")
    for entry in (a, everything, b, another):
        assert registry.add(entry)
    assert registry.local("a") == (a, everything, another)
    assert registry.local("b") == (everything, b)
    assert registry.local("c") == (everything,)
    assert registry.remote("a") == ()


def test_an_entry_is_there_once() -> None:
    """Removed and added again, it comes last."""
    registry = Registry()
    one, two = listener("a"), listener("a")
    assert registry.add(one)
    assert registry.add(two)
    assert not registry.add(one)
    assert registry.local("a") == (one, two)
    assert registry.remove(one)
    assert not registry.remove(one)
    assert registry.local("a") == (two,)
    assert registry.add(one)
    assert registry.local("a") == (two, one)


def test_origins_are_kept_apart() -> None:
    """``any`` is on both sides."""
    registry = Registry()
    local, remote, both = listener("a"), listener("a", "remote"), listener("a", "any")
    assert not registry.hears_of_peers
    registry.add(local)
    assert not registry.hears_of_peers
    registry.add(remote)
    registry.add(both)
    assert registry.hears_of_peers
    assert registry.local("a") == (local, both)
    assert registry.remote("a") == (remote, both)
    registry.remove(both)
    assert registry.local("a") == (local,)
    assert registry.remote("a") == (remote,)


def test_the_same_listener_is_found_again() -> None:
    """By what it is for, its origin and its effect."""

    class Thing:
        def matches(self, action: Any) -> bool:
            return True

        def effect(self, action: Any, api: Any) -> None:
            """Do nothing."""

    thing, other = Thing(), Thing()
    registry = Registry()

    def add(of: Thing, origin: Origin = "local") -> Listener:
        return registry.listener(Listener(Pattern.of(matcher=of.matches), origin, of.effect, None))

    first = add(thing)
    assert add(thing) is first  # bound methods are made anew, and are equal
    assert add(other) is not first
    assert add(thing, "any") is not first
    pattern = Pattern.of(predicate=thing.matches)
    assert registry.find(pattern, "local", thing.effect) is first
    assert registry.find(pattern, "local", effect) is None
    assert registry.find(Pattern.of(type="a"), "local", thing.effect) is None


def test_clearing_leaves_nothing() -> None:
    """On neither side."""
    registry = Registry()
    for entry in (listener("a", "any"), listener(None, "any")):
        registry.add(entry)
        assert registry.local("a") != ()
        assert registry.remote("a") != ()
    registry.clear()
    assert registry.local("a") == registry.remote("a") == ()
    again = listener("a")
    registry.add(again)
    assert registry.local("a") == (again,)


def test_takers_heed_their_store_only() -> None:
    """Listeners heed all."""
    store = object()
    taker = Taker(Pattern.of(type="a"), "local", store, lambda *all: None)
    assert taker.heeds(store)
    assert not taker.heeds(object())
    assert listener("a").heeds(object())


def test_what_is_found_is_what_a_plain_list_would_give() -> None:
    """After any history of adding and removing, for every type, on both sides."""
    for seed in range(30):
        chance = random.Random(seed)
        registry = Registry()
        plain: list[Entry] = []
        kinds = ["a", "b", "c", None]
        pool: list[Entry] = [
            listener(chance.choice(kinds), chance.choice(["local", "remote", "any"]))
            for _ in range(12)
        ]
        for _ in range(120):
            entry = chance.choice(pool)
            if chance.random() < 0.5:
                if registry.add(entry):
                    plain.append(entry)
            elif registry.remove(entry):
                plain.remove(entry)
            kind = chance.choice(["a", "b", "c", "d"])
            for side, found in (("local", registry.local), ("remote", registry.remote)):
                assert list(found(kind)) == [
                    each
                    for each in plain
                    if each.origin in (side, "any") and each.pattern.type in (kind, None)
                ]

"""Selectors: a known result, with and without a parameter, and a state changed elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from benchmarks.app import Bench, bench, increment
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, interleave
from crdtstore import Store, configure_store
from crdtstore.selectors import create_selector

__all__ = ["selectors"]


def _titles() -> Callable[[Bench], list[str]]:
    return create_selector(
        lambda state: state.tasks,
        lambda state: state.name,
        lambda tasks, name: [name, *[task.title for task in tasks.values()]],
    )


def _title() -> Callable[[Bench, str], list[str]]:
    return create_selector(
        lambda state: state.name, lambda state, key: key, lambda name, key: [name, key]
    )


class _Anything:
    """Something to look up by; snapshots cannot be hashed."""


def _one(select: Callable[[Any], object], state: object) -> Contestant:
    def run(numbers: range) -> None:
        for _ in numbers:
            select(state)

    return Contestant(run)


def _two(select: Callable[[Any, str], object], state: object) -> Contestant:
    def run(numbers: range) -> None:
        for _ in numbers:
            select(state, "key")

    return Contestant(run)


def _changed(store: Store) -> Contestant:
    select = _titles()
    states: list[Bench] = []

    def prepare(numbers: range) -> None:
        states.clear()
        for _ in numbers:
            store.dispatch(increment())
            states.append(store[bench])

    def run(_: range) -> None:
        for state in states:
            select(state)

    return Contestant(run, prepare)


def selectors(scale: Scale) -> list[Row]:
    """Beside ``functools.lru_cache``, which is written in C, for the same calls."""
    store = configure_store([bench])
    state = store[bench]
    cached: Any = lru_cache(lambda *_: [])
    taken = interleave(
        {
            "one": _one(_titles(), state),
            "cached one": _one(cached, _Anything()),
            "two": _two(_title(), state),
            "cached two": _two(cached, _Anything()),
            "changed": _changed(store),
        },
        rounds=scale.rounds,
        batch=scale.batch * 5,
    )
    store.close()
    rows = [
        Row(
            what,
            taken[name].figure,
            taken[f"cached {name}"].figure,
            "functools.lru_cache (C), of an object and with the same parameter",
            taken[name].ratio(taken[f"cached {name}"]),
        )
        for what, name in (
            ("selector: a known result", "one"),
            ("selector: a known result, with a parameter", "two"),
        )
    ]
    note = "a new state with the same parts: two input selectors run, nothing is computed"
    return [*rows, Row("selector: the state changed elsewhere", taken["changed"].figure, note=note)]

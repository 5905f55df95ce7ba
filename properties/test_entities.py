"""Derived orders and indexes are what sorting and grouping give, however the state came about.

Two stores edit, merge and are read at random moments, old states are read again, and adapters that
sort and index in different ways are compared with ``sorted`` and dicts of lists, and with adapters
that never saw the table before. The reducers themselves are compared with a few lines on dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from crdtstore import Store, configure_store, create_slice, persistent
from crdtstore.entities import EntityAdapter, Many, Update, arranging, create_entity_adapter, groups

LOAD = 4  # so that a few dozen steps cut and join chunks many times


@dataclass
class Item:
    """A row."""

    id: str
    rank: int = 0
    status: str | None = None
    tags: str = ""


def by_rank(a: Item, b: Item) -> int:
    """Compare two items; many are equal."""
    return a.rank - b.rank


INDEXES: dict[str, Any] = {
    "status": lambda item: item.status,
    "tags": Many(lambda item: list(item.tags)),
}

ADAPTERS: dict[str, tuple[Callable[[], EntityAdapter[Item]], Callable[[Item], Any]]] = {
    "unsorted": (
        lambda: create_entity_adapter(Item, indexes=INDEXES),
        lambda item: item.id,
    ),
    "key": (
        lambda: create_entity_adapter(
            Item, sort_key=lambda item: (item.status or "", -item.rank), indexes=INDEXES
        ),
        lambda item: (item.status or "", -item.rank, item.id),
    ),
    "comparer": (
        lambda: create_entity_adapter(Item, sort_comparer=by_rank, indexes=INDEXES),
        lambda item: (item.rank, item.id),
    ),
}

ids = st.sampled_from([f"k{at}" for at in range(40)])
partial = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.integers(0, 3),
        "status": st.sampled_from([None, "open", "done"]),
        "tags": st.text("xyz", max_size=3),
    },
)
items = st.builds(lambda id, rest: Item(id, **rest), ids, partial)
mappings = st.builds(lambda id, rest: {"id": id, **rest}, ids, partial)
updates = st.builds(
    lambda id, changes, new: Update(id, changes if new is None else {**changes, "id": new}),
    ids,
    partial,
    st.none() | st.none() | ids,
)
several = st.lists(items | mappings, max_size=12)

calls = st.one_of(
    st.tuples(st.sampled_from(["add_one", "set_one", "upsert_one"]), items | mappings),
    st.tuples(st.sampled_from(["add_many", "set_many", "set_all", "upsert_many"]), several),
    st.tuples(st.just("update_one"), updates),
    st.tuples(st.just("update_many"), st.lists(updates, max_size=6)),
    st.tuples(st.just("remove_one"), ids),
    st.tuples(st.just("remove_many"), st.lists(ids, max_size=6)),
    st.tuples(
        st.just("remove_many"),
        st.builds(lambda where: {"where": where}, partial),
    ),
    st.tuples(st.just("remove_all"), st.none()),
)

NAMES = [
    f"{verb}_{how}"
    for verb in ("add", "set", "upsert", "update", "remove")
    for how in ("one", "many")
]
plain = create_entity_adapter(Item)
board = create_slice(
    name="board",
    initial_state=plain.get_initial_state(None, [Item(f"k{at}", at % 3) for at in range(0, 40, 3)]),
    reducers={
        **{name: getattr(plain, name) for name in NAMES},
        "set_all": plain.set_all,
        "remove_all": plain.remove_all,
    },
)


def dispatch(store: Store, call: tuple[str, Any]) -> None:
    """Dispatch the action of one of the adapter's reducers."""
    name, payload = call
    action = board.actions[name]
    store.dispatch(action() if name == "remove_all" else action(payload))


# The oracle of the reducers: Redux Toolkit's rules on a dict of dicts

Rows = dict[str, dict[str, Any]]
DEFAULTS = {field.name: field.default for field in fields(Item) if field.name != "id"}


def after(rows: Rows, name: str, payload: Any) -> Rows:
    """Return the rows after a call."""
    rows = dict(rows)
    verb, how = name.split("_")
    if how == "one":
        payload = [payload]
    if verb == "remove":
        if how == "all":
            return {}
        if isinstance(payload, dict):
            where = payload["where"].items()
            payload = [id for id in rows if where and all(rows[id][k] == v for k, v in where)]
        return {id: row for id, row in rows.items() if id not in payload}
    if verb == "update":
        _update(rows, payload)
        return rows
    given = [asdict(each) if isinstance(each, Item) else each for each in payload]
    if name == "set_all":
        rows = {}
    _put(rows, verb, given)
    return rows


def _put(rows: Rows, verb: str, given: Iterable[dict[str, Any]]) -> None:
    for entity in given:
        if verb == "upsert" and entity["id"] in rows:
            rows[entity["id"]] = {**rows[entity["id"]], **entity}
        elif verb == "set" or entity["id"] not in rows:
            rows[entity["id"]] = {**DEFAULTS, **entity}


def _update(rows: Rows, given: Iterable[Update]) -> None:
    merged: dict[str, dict[str, Any]] = {}
    for id, changes in given:
        if id in rows:
            merged[id] = {**merged.get(id, {}), **changes}
    for id, changed in merged.items():
        if id in rows:
            row = {**rows.pop(id), **changed}
            rows[row["id"]] = row


@given(st.lists(calls, max_size=8))
def test_reducers_do_what_redux_toolkit_does(program: list[tuple[str, Any]]) -> None:
    """On the draft of a store and on a snapshot alike; where nothing changes, nothing does."""
    store = configure_store([board])
    pure: Any = board.get_initial_state()
    expected = {id: asdict(row) for id, row in pure.entities.items()}
    for name, payload in program:
        before = store.state, pure, expected
        expected = after(expected, name, payload)
        dispatch(store, (name, payload))
        arguments = () if name == "remove_all" else (payload,)
        pure = getattr(plain, name)(pure, *arguments)
        found = store.state.board
        assert {id: asdict(row) for id, row in found.entities.items()} == expected
        assert pure == found
        if expected == before[2]:
            assert store.state is before[0]
            assert pure is before[1]
    store.close()


# Selectors


class Selecting(RuleBasedStateMachine):
    """Two stores of one slice, and adapters that read them now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.adapters = {name: make() for name, (make, _) in ADAPTERS.items()}
        self.stores = [configure_store([board]) for _ in range(2)]
        self.seen: list[Any] = []

    @initialize(start=several)
    def start(self, start: list[Any]) -> None:
        dispatch(self.stores[0], ("add_many", start))
        self.merge(0)

    @rule(at=st.integers(0, 1), call=calls)
    def edit(self, at: int, call: tuple[str, Any]) -> None:
        dispatch(self.stores[at], call)

    @rule(at=st.integers(0, 1))
    def merge(self, at: int) -> None:
        source, target = self.stores[at], self.stores[1 - at]
        target.merge(source.deltas_since(target.state_vectors()))

    @rule(at=st.integers(0, 1), names=st.sets(st.sampled_from(list(ADAPTERS)), min_size=1))
    def read(self, at: int, names: set[str]) -> None:
        state = self.stores[at].state.board
        for name in sorted(names):
            check(self.adapters[name], ADAPTERS[name], state)

    @rule(at=st.integers(0, 1))
    def keep(self, at: int) -> None:
        self.seen = [*self.seen[-9:], self.stores[at].state.board]

    @rule(at=st.floats(0, 1), name=st.sampled_from(list(ADAPTERS)))
    def read_an_old_state(self, at: float, name: str) -> None:
        if self.seen:
            check(self.adapters[name], ADAPTERS[name], self.seen[int(at * (len(self.seen) - 1))])

    @rule(at=st.integers(0, 1), call=calls, name=st.sampled_from(list(ADAPTERS)))
    def read_what_no_store_has(self, at: int, call: tuple[str, Any], name: str) -> None:
        arguments = () if call[0] == "remove_all" else (call[1],)
        state = getattr(plain, call[0])(self.stores[at].state.board, *arguments)
        check(self.adapters[name], ADAPTERS[name], state)

    @invariant()
    def one_order_is_always_right(self) -> None:
        check(self.adapters["key"], ADAPTERS["key"], self.stores[0].state.board)

    def teardown(self) -> None:
        self.merge(0)
        self.merge(1)
        one, other = (store.state.board for store in self.stores)
        assert one == other
        for name, adapter in self.adapters.items():
            check(adapter, ADAPTERS[name], one)
            check(adapter, ADAPTERS[name], other)
            select = adapter.get_selectors().select_index
            assert list(select(one, "tags")) == list(select(other, "tags"))
        for store in self.stores:
            store.close()


def check(
    adapter: EntityAdapter[Item],
    how: tuple[Callable[[], EntityAdapter[Item]], Callable[[Item], Any]],
    state: Any,
) -> None:
    """Compare everything that selectors return with the oracle, and with a new adapter."""
    make, key = how
    selectors, fresh = adapter.get_selectors(), make().get_selectors()
    expected = sorted(state.entities.values(), key=key)
    everything = selectors.select_all(state)
    assert list(everything) == expected
    assert all(row is state.entities[row.id] for row in everything)
    assert selectors.select_ids(state) == [item.id for item in expected]
    assert selectors.select_total(state) == len(everything) == len(expected)
    assert selectors.select_all(state) is everything
    assert fresh.select_all(state) == everything
    for name, values in (
        ("status", lambda i: [i.status]),
        ("tags", lambda i: dict.fromkeys(i.tags)),
    ):
        grouped: dict[Any, list[Item]] = {}
        for item in expected:
            for value in values(item):
                if value is not None:
                    grouped.setdefault(value, []).append(item)
        found = selectors.select_index(state, name)
        assert {value: list(group) for value, group in found.items()} == grouped
        assert list(fresh.select_index(state, name)) == list(found)
        assert selectors.select_index(state, name) is found
        for value in ("open", "x", None):
            assert selectors.select_by(state, name, value) == grouped.get(value, [])
        for value, group in found.items():
            assert selectors.select_by(state, name, value) is group
            assert group[:2] == grouped[value][:2]


def test_what_selectors_return_is_what_sorting_and_grouping_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through edits, merges, jumps to old states and states of no store, in any order."""
    monkeypatch.setattr(persistent, "MAP_LOAD", LOAD)
    monkeypatch.setattr(arranging, "LOAD", LOAD)
    monkeypatch.setattr(groups, "BUCKET", 1)
    run_state_machine_as_test(Selecting)

"""Snapshots: what can be read of them, and that nothing can be written to them."""

from __future__ import annotations

import copy
import dataclasses
import json
import operator
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crdtstore import FrozenStateError, configure_store, to_plain
from crdtstore.views import fields_of, read_field, read_fields, record_class, replace_field
from tests.draft.running import Address, State, Todo, opened, slice_of

ROOT = Path(__file__).resolve().parent.parent
READ_ONLY = r"^store\.state is read-only; change it in a reducer$"


@pytest.fixture
def state() -> Any:
    """The initial state of every kind, as a store shows it."""
    return opened()[0].state.s


def test_a_row_is_an_instance_of_the_user_s_class(state: Any) -> None:
    """``isinstance``, methods, properties, class patterns and the class's name are the user's."""
    row = state.items[0]
    assert isinstance(state, State)
    assert isinstance(row, Todo)
    assert row.label == "a"
    assert type(row).__name__ == "Todo"
    assert repr(row) == repr(Todo("a"))
    match row:
        case Todo(title="a", address=Address(street=street)):
            assert street == "high street"
        case _:
            raise AssertionError
    match row:
        case Todo("a", False, votes):
            assert votes == 0
        case _:
            raise AssertionError


def test_a_method_that_changes_the_row_is_refused(state: Any) -> None:
    """The user's own mutating methods work on drafts only."""
    with pytest.raises(FrozenStateError, match=READ_ONLY):
        state.items[0].toggle()
    with pytest.raises(FrozenStateError):
        state.items[0].label = "x!"


def test_views_compare_equal_to_plain_data_and_instances(state: Any) -> None:
    """Equality takes lists, dicts, sets, instances and other snapshots, on either side."""
    todos = [Todo("a"), Todo("b"), Todo("c")]
    for a, b in (
        (state.items, todos),
        (state.items[0], Todo("a")),
        (state.values, [3, 1, 2]),
        (state.rows, {"x": Todo("row x"), "y": Todo("row y")}),
        (state.entries, {"k": [1], "n": 1}),
        (state.tags, {"t"}),
        (state.tags, frozenset({"t"})),
        (state.title, "title"),
        (state, State()),
        (state.items, opened()[0].state.s.items),
        (state.rows, opened()[0].state.s.rows),
        (state.tags, opened()[0].state.s.tags),
    ):
        assert a == b
        assert b == a
        assert not operator.ne(a, b)
    for a, b in (
        (state.items, todos[:2]),
        (state.items, tuple(todos)),
        (state.items[0], Todo("z")),
        (state.items[0], "a"),
        (state.rows, {"x": Todo("row x")}),
        (state.entries, {"k": [1], "n": 2}),
        (state.tags, {"u"}),
        (state.tags, ["t"]),
    ):
        assert a != b
        assert b != a


def test_views_read_as_the_containers_they_look_like(state: Any) -> None:
    """Indexing, slicing, searching, iterating and combining give what list, dict and set give."""
    items, entries, tags = state.values, state.entries, state.tags
    assert (len(items), items[0], items[-1], items[1:], items[::-1]) == (3, 3, 2, [1, 2], [2, 1, 3])
    assert (items.index(1), items.count(3), 2 in items, list(reversed(items))) == (
        1,
        1,
        True,
        [2, 1, 3],
    )
    assert (items + [9], [9] + items, items * 2, 2 * items) == (  # noqa: RUF005
        [3, 1, 2, 9],
        [9, 3, 1, 2],
        [3, 1, 2] * 2,
        [3, 1, 2] * 2,
    )
    assert sorted(items) == [1, 2, 3]
    assert items < [4]
    assert items >= [3, 1]
    first, *rest = items
    assert (first, rest) == (3, [1, 2])
    assert (dict(entries), entries.get("no", 7), list(reversed(entries))) == (
        {"k": [1], "n": 1},
        7,
        ["n", "k"],
    )
    assert (entries | {"z": 1}, {"z": 1} | entries) == (
        {"k": [1], "n": 1, "z": 1},
        {"z": 1, "k": [1], "n": 1},
    )
    assert entries.keys() & {"k"} == {"k"}
    assert ("k", [1]) in entries.items()
    assert {**entries}["n"] == 1
    assert (tags | {"u"}, tags & {"t"}, tags - {"t"}, tags ^ {"u"}) == (
        {"t", "u"},
        {"t"},
        set(),
        {"t", "u"},
    )
    assert ({"u"} | tags, {"t"} - tags, tags <= {"t", "u"}, tags.isdisjoint({"u"})) == (
        {"t", "u"},
        set(),
        True,
        True,
    )
    assert tags.symmetric_difference(["u"]) == {"t", "u"}
    assert tags.union(["u"], ["v"]) == {"t", "u", "v"}


@pytest.mark.parametrize("index", [3, -4, 99])
def test_an_index_out_of_range_raises(state: Any, index: int) -> None:
    """As with a list."""
    with pytest.raises(IndexError):
        state.values[index]


def test_keys_that_are_no_str_are_not_there(state: Any) -> None:
    """Looking for another key is a ``KeyError`` or the default, as in a dict."""
    for view in (state.rows, state.entries):
        for key in (1, None, ("x",)):
            assert key not in view
            assert view.get(key, 7) == 7
            with pytest.raises(KeyError):
                view[key]


def test_match_takes_views_for_sequences_and_mappings(state: Any) -> None:
    """Sequence patterns match lists, mapping patterns tables and maps."""
    match state.values:
        case [first, *rest]:
            assert (first, rest) == (3, [1, 2])
        case _:
            raise AssertionError
    match state.entries:
        case {"k": [1], **rest}:
            assert rest == {"n": 1}
        case _:
            raise AssertionError
    match state:
        case State(items=[Todo(title="a"), *_], rows={"x": Todo()}):
            pass
        case _:
            raise AssertionError
    assert isinstance(state.items, Sequence)
    assert isinstance(state.rows, Mapping)


LIST_WRITES: list[Callable[[Any], Any]] = [
    lambda v: operator.setitem(v, 0, 1),
    lambda v: operator.setitem(v, slice(0, 1), [1]),
    lambda v: operator.delitem(v, 0),
    lambda v: operator.iadd(v, [1]),
    lambda v: operator.imul(v, 2),
    lambda v: v.append(1),
    lambda v: v.extend([1]),
    lambda v: v.insert(0, 1),
    lambda v: v.pop(),
    lambda v: v.remove(1),
    lambda v: v.clear(),
    lambda v: v.reverse(),
    lambda v: v.sort(),
    lambda v: v.move(0, 1),
]
MAP_WRITES: list[Callable[[Any], Any]] = [
    lambda v: operator.setitem(v, "k", 1),
    lambda v: operator.delitem(v, "k"),
    lambda v: operator.ior(v, {"k": 1}),
    lambda v: v.update(k=1),
    lambda v: v.pop("k"),
    lambda v: v.popitem(),
    lambda v: v.setdefault("z", 1),
    lambda v: v.clear(),
]
SET_WRITES: list[Callable[[Any], Any]] = [
    lambda v: v.add(1),
    lambda v: v.discard(1),
    lambda v: v.remove("t"),
    lambda v: v.pop(),
    lambda v: v.clear(),
    lambda v: v.update([1]),
    lambda v: v.difference_update([1]),
    lambda v: v.intersection_update([1]),
    lambda v: v.symmetric_difference_update([1]),
    lambda v: operator.ior(v, {1}),
    lambda v: operator.iand(v, {1}),
    lambda v: operator.isub(v, {1}),
    lambda v: operator.ixor(v, {1}),
]
TEXT_WRITES: list[Callable[[Any], Any]] = [
    lambda v: v.insert(0, "x"),
    lambda v: v.delete(0),
    lambda v: v.splice(0, 1, "x"),
]
RECORD_WRITES: list[Callable[[Any], Any]] = [
    lambda v: setattr(v, "done", True),
    lambda v: setattr(v, "tilte", True),
    lambda v: delattr(v, "done"),
]
WRITES: dict[str, list[Callable[[Any], Any]]] = {
    "items": LIST_WRITES,
    "values": LIST_WRITES,
    "rows": MAP_WRITES,
    "entries": MAP_WRITES,
    "tags": SET_WRITES,
    "title": TEXT_WRITES,
    "owner": RECORD_WRITES,
}


@pytest.mark.parametrize(
    ("field", "write"),
    [(field, at) for field, writes in WRITES.items() for at in range(len(writes))],
)
def test_every_write_to_a_snapshot_is_refused(state: Any, field: str, write: int) -> None:
    """Each mutator of each kind raises the same error, and changes nothing."""
    before = to_plain(state)
    with pytest.raises(
        FrozenStateError, match=r"^store\.state is read-only; change it in a reducer$"
    ):
        WRITES[field][write](getattr(state, field))
    assert to_plain(state) == before


def test_lists_and_dicts_in_registers_are_read_only(state: Any) -> None:
    """Plain containers inside of the state are frozen all the way down."""
    with pytest.raises(FrozenStateError):
        state.entries["k"].append(2)
    with pytest.raises(FrozenStateError):
        state.entries["k"][0] = 2


@pytest.mark.parametrize("write", [lambda s: setattr(s, "a", 1), lambda s: s.__setitem__("a", 1)])
@pytest.mark.parametrize(
    "place", [lambda store: store.state, lambda store: store.state.s, lambda store: store.state.s.d]
)
def test_the_root_and_dict_records_are_read_only(place: Any, write: Any) -> None:
    """Neither attributes nor items of the root state or of a dict record can be written."""
    store, _ = opened({"a": 0, "d": {"a": 1}})
    with pytest.raises(FrozenStateError):
        write(place(store))
    with pytest.raises(FrozenStateError):
        del place(store).a


def test_views_cannot_be_hashed(state: Any) -> None:
    """Snapshots compare by content like lists, so they have no hash."""
    for view in (state, state.items, state.items[0], state.rows, state.entries, state.tags):
        with pytest.raises(TypeError, match="unhashable"):
            hash(view)
    assert hash(state.title) == hash("title")


def test_dataclass_functions_work_on_rows(state: Any) -> None:
    """``fields``, ``asdict``, ``astuple`` and ``replace`` treat a row as the dataclass it is."""
    row = state.items[0]
    assert dataclasses.is_dataclass(row)
    assert [f.name for f in dataclasses.fields(row)] == [f.name for f in dataclasses.fields(Todo)]
    assert dataclasses.asdict(row) == dataclasses.asdict(Todo("a"))
    assert dataclasses.astuple(row) == dataclasses.astuple(Todo("a"))
    replaced = dataclasses.replace(row, done=True)
    assert type(replaced) is Todo
    assert replaced == Todo("a", True)
    whole = dataclasses.asdict(state)
    assert whole == dataclasses.asdict(State())
    assert type(whole["items"]) is list
    assert type(whole["items"][0]) is dict


def test_copies_are_plain_and_mutable(state: Any) -> None:
    """``copy`` and ``deepcopy`` of a snapshot give ordinary objects to work with."""
    row = copy.deepcopy(state.items[0])
    assert type(row) is Todo
    row.done = True
    row.tags.add("mine")
    row.address.street = "mine"
    assert state.items[0] == Todo("a")
    assert type(copy.copy(state.items[0])) is Todo
    for view, kind in (
        (state.items, list),
        (state.rows, dict),
        (state.entries, dict),
        (state.tags, set),
        (state.title, str),
    ):
        assert type(copy.copy(view)) is kind
        assert type(copy.deepcopy(view)) is kind
        assert copy.copy(view) == view
    mutable = copy.deepcopy(state.entries)
    mutable["k"].append(2)
    assert state.entries["k"] == [1]
    whole = copy.deepcopy(state)
    assert type(whole) is State
    whole.items.append(Todo())
    assert len(state.items) == 3


def test_snapshots_can_be_pickled(state: Any) -> None:
    """A pickled snapshot comes back equal, of the same classes, and frozen."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(state, protocol))
        assert again == state
        assert type(again) is type(state)
        assert type(again.items[0]) is type(state.items[0])
        assert again.items.key_at(0) == state.items.key_at(0)
        with pytest.raises(FrozenStateError):
            again.items.append(Todo())
        with pytest.raises(FrozenStateError):
            again.memo = 1
        with pytest.raises(FrozenStateError):
            again.entries["k"].append(1)


def test_a_whole_state_can_be_sent_to_another_process() -> None:
    """``pickle`` of ``store.state`` is readable where the state's classes can be imported."""
    store, dispatch = opened()
    dispatch(lambda s: s.items.append(Todo("new", votes=2)))
    code = (
        "import pickle, sys\n"
        "state = pickle.load(sys.stdin.buffer)\n"
        "print(state.s.items[-1].label, state.s.items[-1].votes, sorted(state.s.rows))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(store.state),
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    assert done.stdout.decode().split() == ["new", "2", "['x',", "'y']"]


def test_to_plain_is_ready_for_json(state: Any) -> None:
    """``to_plain`` of any view, row or root gives what ``json`` writes."""
    store, _ = opened()
    for value in (
        store.state,
        state,
        state.items,
        state.rows,
        state.entries,
        state.tags,
        state.title,
        state.items[0],
    ):
        assert json.loads(json.dumps(to_plain(value), allow_nan=False)) == to_plain(value)
    assert store.state.to_plain() == {"s": to_plain(state)}
    assert state.items.to_plain()[0]["title"] == "a"
    assert state.rows.to_plain()["x"]["address"] == {"street": "high street", "visits": 0}
    assert state.tags.to_plain() == ["t"]
    with pytest.raises(TypeError):
        json.dumps(state)


def test_only_what_changed_is_a_new_object() -> None:
    """After a dispatch everything beside the way to the change is the very object it was."""
    store, dispatch = opened()
    before = store.state.s
    dispatch(lambda s: setattr(s.items[1], "done", True))
    after = store.state.s
    assert after is not before
    assert after.items is not before.items
    assert after.items[1] is not before.items[1]
    for same in ("rows", "values", "entries", "tags", "owner"):
        assert getattr(after, same) is getattr(before, same)
    assert after.items[0] is before.items[0]
    assert after.items[1].address is before.items[1].address
    assert before.items[1].done is False


def test_only_what_changed_is_a_new_object_after_a_merge() -> None:
    """Merging a peer's work keeps the identity of everything else too."""
    store, dispatch = opened()
    peer = configure_store([slice_of()[0]])
    dispatch(lambda s: setattr(s.items[1], "done", True))
    before = peer.state.s
    peer.merge(store.deltas_since(peer.state_vectors()))
    after = peer.state.s
    assert after.items[1].done is True
    assert after.items[0] is before.items[0]
    for same in ("rows", "values", "entries", "tags", "owner"):
        assert getattr(after, same) is getattr(before, same)
    assert peer.merge(store.deltas_since({})).changed == frozenset()
    assert peer.state.s is after


def test_fields_of_records_can_be_read_and_replaced() -> None:
    """The helpers of snapshots treat classes and dict records alike."""
    for cls, names in ((Address, ("street", "visits")), (None, ("street", "visits"))):
        record = record_class(cls, names)(["a", 1])
        assert fields_of(record) == (("street", "a"), ("visits", 1))
        assert read_fields(record) == ("a", 1)
        assert read_field(record, "visits") == 1
        replaced = replace_field(record, "visits", 2)
        assert (read_fields(record), read_fields(replaced)) == (("a", 1), ("a", 2))
        assert type(replaced) is type(record)


def test_dict_records_hide_methods_of_mappings_behind_fields() -> None:
    """A field named ``items`` reads as an attribute, survives replacing, pickling and copying."""
    store, dispatch = opened({"items": [1], "get": 5, "sub": {"keys": 1}})
    dispatch(lambda s: s.items.append(2))
    state = store.state.s
    for each in (state, pickle.loads(pickle.dumps(state))):
        assert each.items == [1, 2]
        assert each["items"] is each.items
        assert (each.get, each.sub.keys) == (5, 1)
        assert each == {"items": [1, 2], "get": 5, "sub": {"keys": 1}}
    assert copy.copy(state)["get"] == 5
    assert copy.deepcopy(state) == {"items": [1, 2], "get": 5, "sub": {"keys": 1}}
    assert to_plain(state) == {"items": [1, 2], "get": 5, "sub": {"keys": 1}}
    with pytest.raises(TypeError, match="unhashable"):
        hash(state)


def test_a_record_without_equality_compares_by_identity() -> None:
    """``@dataclass(eq=False)`` keeps its meaning."""

    @dataclass(eq=False)
    class Unequal:
        n: int = 0

    store, dispatch = opened(Unequal())
    before = store.state.s
    dispatch(lambda s: setattr(s, "n", 1))
    after = store.state.s
    assert after == store.state.s
    assert before != after
    assert len({before, after}) == 2

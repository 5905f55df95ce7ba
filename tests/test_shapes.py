"""Shapes: plain data validated into snapshots, and rows as they travel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from crdtstore import Counter, List, Map, Set, StateValueError, Table, Text, create_slice
from crdtstore.shapes import (
    CounterShape,
    content_hash,
    describe,
    freeze_element,
    row_base,
    row_entries,
    row_texts,
    same_state,
)
from crdtstore.views import FrozenRecord


@dataclass
class Nested:
    street: str = "s"
    visits: Counter = Counter(1)
    about: Text = Text()


@dataclass
class Row:
    title: Text = Text("t")
    done: bool = False
    votes: Counter = Counter(0)
    tags: Set[Any] = Set({"x"})
    meta: Map[Any] = Map({"k": [1]})
    nested: Nested = field(default_factory=Nested)


@dataclass
class State:
    rows: Table[Row] = Table({"a": Row()})
    items: List[Row] = List([Row("i")])
    values: List[Any] = List([1, "a"])


@dataclass
class One:
    row: Row = field(default_factory=Row)


STATE: Any = create_slice(name="s", initial_state=State()).shape
ROW = STATE.fields["rows"].element


def frozen(row: Any) -> Any:
    """Make the snapshot of a row."""
    return freeze_element(ROW, row, ("s", "rows", "k"))


def test_every_place_is_described_once() -> None:
    """Containers name themselves and what is in them."""
    assert dict(describe(STATE)) == {
        "rows": "table",
        "rows/*/title": "text",
        "rows/*/done": "register",
        "rows/*/votes": "counter",
        "rows/*/tags": "set",
        "rows/*/meta": "map",
        "rows/*/nested/street": "register",
        "rows/*/nested/visits": "counter",
        "rows/*/nested/about": "text",
        "items": "list",
        "items/*/title": "text",
        "items/*/done": "register",
        "items/*/votes": "counter",
        "items/*/tags": "set",
        "items/*/meta": "map",
        "items/*/nested/street": "register",
        "items/*/nested/visits": "counter",
        "items/*/nested/about": "text",
        "values": "list",
        "values/*": "register",
    }


def test_instances_mappings_and_snapshots_freeze_alike() -> None:
    """A row may be given as an instance, as a dict of some fields, or as a snapshot."""
    row = frozen(Row("x", True, 2))
    assert isinstance(row, Row)
    assert isinstance(row, FrozenRecord)
    assert row == frozen({"title": "x", "done": True, "votes": 2}) == frozen(row)
    assert frozen({}) == Row()


def test_a_frozen_row_shares_nothing_with_what_it_was_made_of() -> None:
    """Later changes of the plain object are not seen."""
    plain = Row(meta={"k": [1]})
    row = frozen(plain)
    plain.meta["k"].append(2)
    plain.nested.street = "other"
    assert (row.meta, row.nested.street) == ({"k": [1]}, "s")


@pytest.mark.parametrize(
    ("row", "path"),
    [
        (Row(done=object()), "s.rows.k.done"),  # type: ignore[arg-type]
        (Row(votes=1.5), "s.rows.k.votes"),  # type: ignore[arg-type]
        (Row(votes=True), "s.rows.k.votes"),
        (Row(title=1), "s.rows.k.title"),  # type: ignore[arg-type]
        (Row(meta={"k": [{}, object()]}), r"s.rows.k.meta.k\[1\]"),
        (Row(meta={1: 2}), "s.rows.k.meta"),  # type: ignore[dict-item]
        (Row(tags={object()}), "s.rows.k.tags"),
        (Row(nested=Nested(street=object())), "s.rows.k.nested.street"),  # type: ignore[arg-type]
        (Row(nested={"sreet": 1}), "s.rows.k.nested: unknown field 'sreet'"),  # type: ignore[arg-type]
        ({"nested": None}, "s.rows.k.nested: expected Nested, got NoneType"),
        (None, "s.rows.k: expected Row, got NoneType"),
        (Nested(), "s.rows.k: expected Row, got Nested"),
    ],
)
def test_the_first_part_that_state_cannot_hold_is_named(row: Any, path: str) -> None:
    """Validation goes all the way down, before anything is changed."""
    with pytest.raises(StateValueError, match=f"^{path}"):
        frozen(row)


@dataclass
class Longer(Row):
    """A subclass with a field that rows have no place for."""

    more: int = 0


class Same(Row):
    """A subclass without fields of its own."""


def test_an_instance_of_a_subclass_with_more_fields_is_refused() -> None:
    """Its own fields would be lost; a subclass that adds none is the class itself."""
    with pytest.raises(
        StateValueError, match="expected Row, got its subclass Longer, whose fields"
    ):
        frozen(Longer(more=1))
    with pytest.raises(StateValueError, match=r"s\.row: .* whose fields more would be lost"):
        create_slice(name="s", initial_state=One(Longer()))
    assert frozen(Same("x")) == Row("x")


@pytest.mark.parametrize(
    ("number", "value", "message"),
    [
        (int, 1.0, "expected an int for a Counter, got float: 1.0"),
        (int, True, "expected an int for a Counter, got bool: True"),
        (float, "1", "expected an int or a float for a Counter, got str: '1'"),
        (float, float("inf"), "a Counter stays finite, got inf"),
        (float, float("nan"), "NaN"),
        (int, None, "expected an int for a Counter, got NoneType"),
    ],
)
def test_a_counter_holds_finite_numbers(number: type, value: Any, message: str) -> None:
    """What is no number, or none that can be added to, is refused."""
    with pytest.raises(StateValueError, match=message):
        freeze_element(CounterShape(number, 0), value, ("s", "n"))


def test_a_row_travels_as_its_base_its_texts_and_its_entries() -> None:
    """Registers, counters and nested records in one value; the rest beside it."""
    row = frozen(Row("title", True, 2, {"x", 1}, {"k": [1], "a/b": 2}, Nested("s", 3, "about")))
    assert row_base(ROW, row) == {
        "title": 0,
        "done": True,
        "votes": 2,
        "tags": 0,
        "meta": 0,
        "nested": {"street": "s", "visits": 3, "about": 0},
    }
    assert sorted(row_texts(ROW, row, "p")) == [("p/nested/about", "about"), ("p/title", "title")]
    assert dict(row_entries(ROW, row, "p")) == {
        "p/tags/n:1": 1,
        "p/tags/s:x": "x",
        "p/meta/k": [1],
        "p/meta/a%2Fb": 2,
    }
    empty = frozen({"title": "", "tags": [], "meta": {}})
    assert list(row_texts(ROW, empty, "p")) == list(row_entries(ROW, empty, "p")) == []


CHANGES: list[Callable[[Row], Row]] = [
    lambda row: replace(row, title="other"),
    lambda row: replace(row, done=0),  # type: ignore[arg-type]
    lambda row: replace(row, votes=1),
    lambda row: replace(row, tags={"x", "y"}),
    lambda row: replace(row, tags={"y"}),
    lambda row: replace(row, meta={"k": [1.0]}),
    lambda row: replace(row, meta={"k": [True]}),
    lambda row: replace(row, meta={"j": [1]}),
    lambda row: replace(row, meta={}),
    lambda row: replace(row, nested=Nested("other")),
    lambda row: replace(row, nested=Nested(visits=2)),
    lambda row: replace(row, nested=Nested(about="a")),
]


@pytest.mark.parametrize("change", range(len(CHANGES)))
def test_rows_are_the_same_only_if_they_read_alike(change: int) -> None:
    """Every field counts, types included, and so does the hash that names contents."""
    row, other = frozen(Row()), frozen(CHANGES[change](Row()))
    assert same_state(ROW, row, frozen(Row()))
    assert not same_state(ROW, row, other)
    assert content_hash(ROW, [row]) == content_hash(ROW, [frozen(Row())])
    assert content_hash(ROW, [row]) != content_hash(ROW, [other])


def test_whole_states_are_compared_with_their_rows_and_elements() -> None:
    """Tables by key, lists in order, plain elements with their types."""
    plain = State()
    for changed in (
        State(rows={"b": Row()}),
        State(rows={"a": Row(votes=1)}),
        State(rows={}),
        State(items=[Row("j")]),
        State(items=[]),
        State(values=["a", 1]),
        State(values=[True, "a"]),
    ):
        assert same_state(STATE, STATE.default, freeze_element(STATE, plain, ()))
        assert not same_state(STATE, STATE.default, freeze_element(STATE, changed, ()))


def test_the_keys_of_a_default_list_are_named_by_its_content() -> None:
    """The same default has the same keys everywhere, another default has others."""
    one, same, other = (
        create_slice(name="s", initial_state=State(values=values)).get_initial_state().values
        for values in ([1, 2], [1, 2], [1, 3])
    )
    keys = [[each.key_at(at) for at in range(2)] for each in (one, same, other)]
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])

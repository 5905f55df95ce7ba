"""Kinds as descriptors: what a plain instance of a state class holds."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from typing import Any

import pytest

from crdtstore import Counter, FrozenStateError, List, Map, Set, Table, Text, TextView
from crdtstore.kinds import ListView, MapView, SetView, TableView


@dataclass
class Row:
    name: str = ""


@dataclass
class State:
    votes: Counter = Counter(2)
    weight: Counter[float] = Counter(0.5)
    title: Text = Text("t")
    items: List[Row] = List([Row("a")])
    rows: Table[Row] = Table({"k": Row("k")})
    entries: Map[int] = Map({"m": 1})
    tags: Set[str] = Set({"x"})


def test_a_plain_instance_holds_plain_python_values() -> None:
    """Outside of stores the fields are an int, a str, a list, dicts and a set."""
    state: Any = State()
    assert (state.votes, state.weight, state.title) == (2, 0.5, "t")
    assert type(state.title) is str
    assert state.items == [Row("a")]
    assert type(state.items) is list
    assert type(state.rows) is type(state.entries) is dict
    assert type(state.tags) is set
    state.votes += 1
    state.items.append(Row("b"))
    assert (state.votes, len(state.items)) == (3, 2)


def test_a_plain_instance_is_an_ordinary_dataclass() -> None:
    """Equality, ``repr``, ``asdict``, ``replace``, copies and pickle work as for any dataclass."""
    state = State(votes=5)
    assert state == State(5)
    assert state != State()
    assert repr(state).startswith("State(votes=5, weight=0.5, title='t', items=[Row(name='a')]")
    assert asdict(state)["rows"] == {"k": {"name": "k"}}
    assert astuple(state)[0] == 5
    assert replace(state, votes=6) == State(6)
    assert [f.name for f in fields(State)][:2] == ["votes", "weight"]
    assert copy.deepcopy(state) == copy.copy(state) == pickle.loads(pickle.dumps(state)) == state


def test_values_are_copied_into_an_instance() -> None:
    """A list, dict or set that is passed in stays the caller's."""
    items, rows, tags = [Row("x")], {"r": Row("r")}, {"t"}
    state: Any = State(items=items, rows=rows, tags=tags)
    state.items.append(Row())
    state.rows["s"] = Row()
    state.tags.add("u")
    assert (len(items), len(rows), len(tags)) == (1, 1, 1)
    assert State(items=(Row(str(n)) for n in range(2))).items == [Row("0"), Row("1")]


def test_a_default_is_every_instance_s_own() -> None:
    """Changing one instance changes neither the declared default nor another instance."""
    first: Any = State()
    first.items[0].name = "changed"
    first.rows["k"].name = "changed"
    first.entries["n"] = 2
    first.tags.add("y")
    assert State() == State(items=[Row("a")], rows={"k": Row("k")}, entries={"m": 1}, tags={"x"})


def test_a_factory_may_give_the_kind_or_plain_data() -> None:
    """``field(default_factory=…)`` works with kinds and with what they hold."""

    @dataclass
    class Made:
        items: List[int] = field(default_factory=lambda: List([1]))  # type: ignore[arg-type]
        tags: Set[int] = field(default_factory=set)

    made: Any = Made()
    assert isinstance(made.items, List)
    assert made.tags == set()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: List("abc"), "List expects an iterable of elements, got str: 'abc'"),
        (lambda: List(5), "List expects an iterable of elements, got int: 5"),
        (lambda: List({"a": 1}), "List expects an iterable of elements, got dict"),
        (lambda: Table([1]), "Table expects a mapping of str keys, got list"),
        (lambda: Map({1}), "Map expects a mapping of str keys, got set"),
        (lambda: Set("abc"), "Set expects an iterable of elements, got str"),
        (lambda: State(items=5), "List expects an iterable of elements, got int"),
        (lambda: State(rows=[("a", 1)]), "Table expects a mapping of str keys, got list"),
    ],
)
def test_a_wrong_default_or_value_is_a_type_error(make: Any, message: str) -> None:
    """What a container kind cannot hold is refused where it is written."""
    with pytest.raises(TypeError, match=message):
        make()


def test_the_class_attribute_is_the_kind() -> None:
    """On the class the descriptor itself is found, with its default."""
    assert isinstance(State.votes, Counter)
    assert State.votes.default == 2
    assert repr(State.title) == "Text('t')"


def test_a_field_that_was_never_set_says_so() -> None:
    """Reading before ``__init__`` is an ``AttributeError``, so that ``hasattr`` works."""
    bare = object.__new__(State)
    with pytest.raises(AttributeError, match="'State' object has no attribute 'votes' yet"):
        _ = bare.votes
    assert not hasattr(bare, "items")


def test_a_text_view_is_a_str_that_outside_of_reducers_cannot_be_edited() -> None:
    """The edits of a text that is not a draft raise; every str method works."""
    view = TextView("abc")
    for edit in (
        lambda: view.insert(0, "x"),
        lambda: view.delete(0),
        lambda: view.splice(0, 1, "x"),
    ):
        with pytest.raises(FrozenStateError, match=r"store\.state is read-only"):
            edit()
    assert (view, view.upper(), view[1]) == ("abc", "ABC", "b")
    assert type(copy.copy(view)) is type(copy.deepcopy(view)) is str
    assert pickle.loads(pickle.dumps(view)) == view


def test_views_are_the_abstract_classes_they_look_like() -> None:
    """Code that asks for the collection classes of the standard library accepts the views."""
    from collections.abc import MutableMapping, MutableSequence, MutableSet

    assert issubclass(ListView, MutableSequence)
    assert issubclass(TableView, MutableMapping)
    assert issubclass(MapView, MutableMapping)
    assert issubclass(SetView, MutableSet)
    assert issubclass(TextView, str)

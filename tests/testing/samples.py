"""Slices with and without mistakes that only concurrency shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import uuid4

from hypothesis import settings

from crdtstore import Counter, List, Map, Set, Table, Text, create_slice
from crdtstore.testing import ConvergenceError, key_of

quick = settings(database=None, derandomize=True, max_examples=100)
"""The same examples every time, and nothing kept."""


def failure_of(test: Callable[..., Any]) -> ConvergenceError:
    """Run a test that must fail, and return how it did."""
    try:
        test()
    except ConvergenceError as error:
        return error
    raise AssertionError("nothing was found")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Shop:
    pieces: Counter = Counter(1)


shop = create_slice(name="shop", initial_state=Shop())


@shop.reducer
def sold(state: Shop, pieces: int) -> None:
    if state.pieces >= pieces:
        state.pieces -= pieces


def never_below_zero(state: Any) -> None:
    """The mistake: each of two replicas sells the last piece."""
    assert state.shop.pieces >= 0


@dataclass
class Todo:
    title: Text = Text()
    done: bool = False
    votes: Counter = Counter(0)
    tags: Set[str] = Set()


@dataclass
class Todos:
    items: List[Todo] = List()
    rows: Table[Todo] = Table()
    labels: Map[int] = Map()
    names: Set[str] = Set()
    filter: Literal["all", "done"] = "all"
    colour: Colour = Colour.RED


todos = create_slice(name="todos", initial_state=Todos())


@todos.reducer
def add(state: Todos, title: str, done: bool = False) -> None:
    state.items.append(Todo(title, done))


@todos.reducer
def move(
    state: Todos, at: Annotated[int, key_of("items")], to: Annotated[int, key_of("items")]
) -> None:
    state.items.move(at, to)


@todos.reducer
def vote(state: Todos, index: Annotated[int, key_of("items")], by: int = 1) -> None:
    state.items[index].votes += by


@todos.reducer
def put(state: Todos, todo: Todo) -> None:
    state.rows[uuid4().hex] = todo  # chance in a reducer is fine: what it did is what travels


@todos.reducer
def tag(state: Todos, key: Annotated[str, key_of("rows")], name: str) -> None:
    state.rows[key].tags.add(name)


@todos.reducer
def remove(state: Todos, key: Annotated[str, key_of("rows")]) -> None:
    del state.rows[key]


@todos.reducer
def label(state: Todos, name: str, number: int | None = None) -> None:
    if number is None:
        state.labels.pop(name, None)
    else:
        state.labels[name] = number


@todos.reducer
def paint(state: Todos, colour: Colour, *names: str) -> None:
    state.colour = colour
    state.names.update(names)

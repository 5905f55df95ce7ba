"""A state with a field of every kind, and a way to run reducers on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crdtstore import (
    Counter,
    List,
    Map,
    Set,
    Slice,
    Store,
    Table,
    Text,
    configure_store,
    create_slice,
)
from crdtstore.changes import Change
from crdtstore.draft import record

__all__ = ["Address", "State", "Todo", "changes_of", "opened", "slice_of", "state_after"]

Program = Callable[[Any], Any]


@dataclass
class Address:
    """A nested record."""

    street: str = "high street"
    visits: Counter = Counter(0)


@dataclass
class Todo:
    """A row."""

    title: Text = Text()
    done: bool = False
    votes: Counter = Counter(0)
    tags: Set[str] = Set()
    meta: Map[Any] = Map()
    extra: Any = None
    address: Address = field(default_factory=Address)

    def toggle(self) -> None:
        """Change the row, as a user's own method may."""
        self.done = not self.done

    @property
    def label(self) -> str:
        """Read the row, as a user's own property may."""
        return f"{self.title}{'!' if self.done else ''}"

    @label.setter
    def label(self, label: str) -> None:
        self.done = label.endswith("!")
        self.title = label.removesuffix("!")


@dataclass
class State:
    """Every kind once."""

    items: List[Todo] = List([Todo("a"), Todo("b"), Todo("c")])
    values: List[Any] = List([3, 1, 2])
    rows: Table[Todo] = Table({"x": Todo("row x"), "y": Todo("row y")})
    entries: Map[Any] = Map({"k": [1], "n": 1})
    tags: Set[Any] = Set({"t"})
    title: Text = Text("title")
    votes: Counter = Counter(0)
    weight: Counter[float] = Counter(0.5)
    memo: Any = None
    count: int = 0
    owner: Todo = field(default_factory=lambda: Todo("owner"))


def slice_of(initial: Any = None) -> tuple[Slice[Any], Any]:
    """Make a slice called ``s`` whose one reducer runs the program that is its payload."""
    made: Slice[Any] = create_slice(name="s", initial_state=State() if initial is None else initial)

    @made.reducer
    def run(state: Any, program: Program) -> Any:
        return program(state)

    return made, run


def opened(initial: Any = None) -> tuple[Store, Callable[[Program], Any]]:
    """Open a store in memory; return it, and what dispatches a program."""
    made, run = slice_of(initial)
    store = configure_store([made])
    return store, lambda program: store.dispatch(run(program))


def state_after(*programs: Program, initial: Any = None) -> Any:
    """Run programs, one a dispatch, and return the state of the slice."""
    store, dispatch = opened(initial)
    with store:
        for program in programs:
            dispatch(program)
        return store.state.s


def changes_of(program: Program, initial: Any = None) -> list[Change]:
    """Return what one program records."""
    made, _ = slice_of(initial)
    keys = map(str, itertools.count())
    return record(made.shape, made.shape.default, program, token=lambda: f"new{next(keys)}")

"""The first screen of the README, with its types pinned."""

from dataclasses import dataclass
from typing import Any, assert_type

from crdtstore import (
    Action,
    ActionCreator,
    Counter,
    List,
    ListView,
    Slice,
    Store,
    Text,
    TextView,
    configure_store,
    create_slice,
)


@dataclass
class Todo:
    title: Text = Text()
    done: bool = False
    votes: Counter = Counter(0)


@dataclass
class Todos:
    items: List[Todo] = List()
    filter: str = "all"


todos = create_slice(name="todos", initial_state=Todos())


@todos.reducer
def add(state: Todos, title: str) -> None:
    state.items.append(Todo(title))


@todos.reducer
def vote(state: Todos, index: int, by: int = 1) -> None:
    state.items[index].votes += by


a, b = configure_store([todos]), configure_store([todos])
a.dispatch(add("milk"))
b.dispatch(add("eggs"))  # offline, at the same time
a.merge(b.deltas_since(a.state_vectors()))
b.merge(a.deltas_since(b.state_vectors()))
assert a.digest() == b.digest()
assert len(a[todos].items) == 2

assert_type(todos, Slice[Todos])
assert_type(a, Store)
assert_type(a[todos], Todos)
assert_type(a[todos].items, ListView[Todo])
assert_type(a[todos].items[0], Todo)
assert_type(a[todos].items[0].title, TextView)
assert_type(a[todos].items[0].votes, int)
assert_type(a[todos].items[0].done, bool)
assert_type(add("milk"), Action[Any])
assert_type(a.dispatch(vote(0, by=2)), Action[Any])
assert_type(a.digest(), str)
assert_type(a.deltas_since(b.state_vectors()), dict[str, bytes])


def wants_a_creator(creator: ActionCreator[..., Any]) -> None:
    """Take any creator."""


wants_a_creator(add)

add(5)  # type: ignore[arg-type]
add()  # type: ignore[call-arg]
add("a", "b")  # type: ignore[call-arg]
add(tilte="a")  # type: ignore[call-arg]
vote("0")  # type: ignore[arg-type]
vote(0, by="1")  # type: ignore[arg-type]
a[todos].itms  # type: ignore[attr-defined]
Todo(title=5)  # type: ignore[arg-type]

"""The first screen of README.md, as type checkers see it."""

from dataclasses import dataclass
from typing import assert_type

from crdtstore import Counter, List, Text, configure_store, create_slice


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
    assert_type(state.filter, str)
    assert_type(state.items[0], Todo)
    state.items.append(Todo(title))


@todos.reducer
def vote(state: Todos, index: int, by: int = 1) -> None:
    assert_type(state.items[index].votes, int)
    state.items[index].votes += by


a, b = configure_store([todos]), configure_store([todos])
a.dispatch(add("milk"))
b.dispatch(add("eggs"))
a.dispatch(vote(0, by=2))
assert_type(a[todos], Todos)
assert_type(a[todos].items[0].votes, int)
a.merge(b.deltas_since(a.state_vectors()))
assert_type(a.state_vectors(), dict[str, bytes])
assert_type(a.deltas_since({}), dict[str, bytes])
assert_type(a.digest(), str)
assert_type(len(a[todos].items), int)

add(1)  # type: ignore[arg-type]
vote()  # type: ignore[call-arg]

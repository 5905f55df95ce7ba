"""Entity adapters: the class of the entities is known everywhere, of the states as far as told."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_type

from crdtstore import (
    Action,
    Counter,
    Slice,
    Table,
    TableView,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore.entities import (
    EntityAdapter,
    EntitySelectors,
    EntityState,
    Many,
    Update,
    WithEntities,
    create_entity_adapter,
)


@dataclass
class Todo:
    """An entity."""

    id: str
    title: str = ""
    status: str = "open"
    tags: tuple[str, ...] = ()
    votes: Counter = Counter(0)


@dataclass
class Todos:
    """A state with entities."""

    entities: Table[Todo] = Table()
    loading: str = "idle"


@dataclass
class Other:
    """A state without."""

    todos: Table[Todo] = Table()
    numbers: int = 0


def by_title(a: Todo, b: Todo) -> int:
    return (a.title > b.title) - (a.title < b.title)


adapter = create_entity_adapter(Todo, sort_comparer=by_title)
assert_type(adapter, EntityAdapter[Todo])
assert_type(adapter.select_id(Todo("a")), str)
assert_type(adapter.entity, type[Todo])

# The functions are typed by the entity

create_entity_adapter(
    Todo,
    select_id=lambda todo: todo.id,
    sort_key=lambda todo: (todo.status, -todo.votes),
    indexes={
        "by_status": lambda todo: todo.status,
        "by_letter": lambda todo: todo.title[:1] or None,
        "by_tag": Many(lambda todo: todo.tags),
    },
)
create_entity_adapter(Todo, select_id=lambda todo: todo.votes)  # type: ignore[arg-type, return-value]
create_entity_adapter(Todo, sort_comparer=lambda a, b: a.title)  # type: ignore[arg-type, return-value]
create_entity_adapter(Todo, sort_key=lambda todo: todo.titel)  # type: ignore[attr-defined]
create_entity_adapter(Todo, indexes={"by": lambda todo: [todo]})  # type: ignore[dict-item, return-value]
create_entity_adapter(sort_comparer=by_title)  # type: ignore[call-arg]


# States

assert_type(adapter.get_initial_state(), EntityState[Todo])
assert_type(adapter.get_initial_state().entities, TableView[Todo])
assert_type(adapter.get_initial_state(None, [Todo("a")]).entities["a"], Todo)
assert_type(adapter.get_initial_state(Todos(), {"a": Todo("a")}), Todos)
open_state = adapter.get_initial_state({"loading": "idle"})
assert_type(open_state.entities["a"].title, str)
assert_type(open_state.loading, Any)
assert_type(adapter.get_initial_state(loading="idle").loading, Any)
assert_type(adapter.get_initial_state({"a": 1}, [Todo("a")], b=2).entities["a"], Todo)
adapter.get_initial_state(None, [5])  # type: ignore[list-item]


# Reducers: the state comes back with its type

table: TableView[Todo] = Todos().entities
assert_type(adapter.add_one(Todos(), Todo("a")), Todos)
assert_type(adapter.add_one(table, {"id": "a"}), TableView[Todo])
assert_type(adapter.add_many(open_state, [Todo("a")]).entities, TableView[Todo])
assert_type(adapter.set_one(Todos(), Todo("a")), Todos)
assert_type(adapter.set_many(Todos(), {"x": Todo("a")}), Todos)
assert_type(adapter.set_all(Todos(), (Todo("a"), {"id": "b"})), Todos)
assert_type(adapter.upsert_one(Todos(), {"id": "a", "title": "b"}), Todos)
assert_type(adapter.upsert_many(Todos(), Todos().entities), Todos)
assert_type(adapter.update_one(Todos(), Update("a", {"title": "b"})), Todos)
assert_type(adapter.update_one(Todos(), {"id": "a", "changes": {"title": "b"}}), Todos)
assert_type(adapter.update_many(Todos(), [Update("a", {})]), Todos)
assert_type(adapter.remove_one(Todos(), "a"), Todos)
assert_type(adapter.remove_many(Todos(), ["a"]), Todos)
assert_type(adapter.remove_many(Todos(), {"where": {"title": "a"}}), Todos)
assert_type(adapter.remove_all(Todos()), Todos)

adapter.add_one(Todos(), 5)  # type: ignore[arg-type]
adapter.add_many(Todos(), Todo("a"))  # type: ignore[arg-type]
adapter.add_many(Todos(), [5])  # type: ignore[list-item]
adapter.set_all(Todos(), [Todos()])  # type: ignore[list-item]
adapter.update_one(Todos(), "a")  # type: ignore[arg-type]
adapter.remove_one(Todos(), 5)  # type: ignore[arg-type]
adapter.remove_many(Todos(), 5)  # type: ignore[arg-type]
adapter.remove_all()  # type: ignore[call-arg]


# In slices

fetched = create_action("todos/fetched")
todos = create_slice(
    name="todos",
    initial_state=Todos(),
    reducers={"added": adapter.add_one, "cleared": adapter.remove_all},
    extra_reducers={fetched: adapter.set_all},
)
assert_type(todos, Slice[Todos])
with_extra = create_slice(
    name="extra",
    initial_state=adapter.get_initial_state(),
    reducers={"updated": adapter.update_one},
    extra_reducers=lambda builder: builder.add_case(fetched, adapter.set_all).add_case(
        "logged_out", adapter.remove_all
    ),
)
assert_type(with_extra, Slice[EntityState[Todo]])


@todos.reducer
def rename(state: Todos, id: str, title: str) -> None:
    """Call a reducer of the adapter inside another."""
    assert_type(adapter.update_one(state, Update(id, {"title": title})), Todos)


@todos.reducer
def received(state: Todos, action: Action[list[Todo]]) -> Todos:
    """Hand on the action, and return the state."""
    return adapter.set_all(state, action)


# Selectors

own = adapter.get_selectors()
assert_type(own, EntitySelectors[Todo, WithEntities[Todo]])
state = Todos()
assert_type(own.select_all(state), Sequence[Todo])
assert_type(own.select_all(state)[:50], Sequence[Todo])
assert_type(own.select_all(state)[0], Todo)
assert_type(own.select_all(state.entities), Sequence[Todo])
assert_type(own.select_ids(state), Sequence[str])
assert_type(own.select_entities(state), TableView[Todo])
assert_type(own.select_entities(state)["a"], Todo)
assert_type(own.select_total(state), int)
assert_type(own.select_by_id(state, "a"), Todo | None)
assert_type(own.select_by_ids(state, ["a", "b"]), Sequence[Todo])
assert_type(own.select_by(state, "by_status", "open"), Sequence[Todo])
assert_type(own.select_index(state, "by_status"), Mapping[Hashable, Sequence[Todo]])
assert_type(own.select_index(state, "by_status")["open"][0].title, str)

own.select_all(5)  # type: ignore[arg-type]
own.select_all(Other())  # type: ignore[arg-type]
own.select_by_id(state, 5)  # type: ignore[arg-type]
own.select_by(state, "by_status", [])  # type: ignore[arg-type]

store = configure_store([todos])
assert_type(own.select_by_id(store[todos], "a"), Todo | None)


def of_other(other: Other) -> TableView[Todo]:
    """Find the entities in another state."""
    return other.todos


def numbers_of(other: Other) -> int:
    """Find no entities."""
    return other.numbers


elsewhere = adapter.get_selectors(of_other)
assert_type(elsewhere, EntitySelectors[Todo, Other])
assert_type(elsewhere.select_all(Other()), Sequence[Todo])
elsewhere.select_all(Todos())  # type: ignore[arg-type]
adapter.get_selectors(numbers_of)  # type: ignore[arg-type]
of_root = adapter.get_selectors(todos.select_slice)
assert_type(of_root.select_by_id(store.state, "a"), Todo | None)
of_lambda = adapter.get_selectors(lambda root: root.todos)
assert_type(of_lambda, EntitySelectors[Todo, Any])
assert_type(of_lambda.select_all(store.state), Sequence[Todo])

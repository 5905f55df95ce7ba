"""Reducers without a store: what create_reducer makes, and what a slice's ``reduce`` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from crdtstore import (
    Action,
    Counter,
    DispatchError,
    FrozenStateError,
    List,
    Map,
    ReducerError,
    Set,
    ShapeError,
    StateValueError,
    Table,
    Text,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore.draft import is_draft
from crdtstore.reducers import create_reducer

up = create_action("up")
by = create_action("by")


@dataclass
class Todo:
    text: str
    completed: bool = False


@dataclass
class Todos:
    items: List[Todo] = List()
    title: Text = Text()
    seen: Counter = Counter(0)
    other: Todo = field(default_factory=lambda: Todo("nested"))
    tags: Set[str] = Set()
    prices: Map[int] = Map()
    rows: Table[Todo] = Table()
    data: Any = None


def add_todo(state: Todos, action: Action[str]) -> None:
    state.items.append(Todo(action.payload))


def toggle(state: Todos, action: Action[int]) -> None:
    todo = state.items[action.payload]
    todo.completed = not todo.completed


todos = create_reducer(
    Todos(), lambda builder: builder.add_case("add", add_todo).add_case("toggle", toggle)
)


def test_it_handles_the_initial_state() -> None:
    """``None`` stands for it; an unknown action returns the very state that came."""
    initial = todos(None, Action("unknown"))
    assert initial.items == []
    assert initial is todos.get_initial_state()
    one = todos(initial, Action("add", "milk"))
    assert todos(one, Action("unknown")) is one


def test_it_leaves_the_state_before_alone_and_shares_the_rest() -> None:
    """What no reducer touched is the same object before and after."""
    before = todos(todos(None, Action("add", "a")), Action("add", "b"))
    after = todos(before, Action("toggle", 1))
    assert [t.completed for t in before.items] == [False, False]
    assert [t.completed for t in after.items] == [False, True]
    assert after.items[0] is before.items[0]
    for name in ("other", "tags", "rows", "prices", "title"):
        assert getattr(after, name) is getattr(before, name)
    assert isinstance(after.items[1], Todo)


def test_what_comes_out_is_frozen() -> None:
    """The initial state as well."""
    with pytest.raises(FrozenStateError):
        todos(None, Action("add", "a")).items[0].text = "edited"
    with pytest.raises(FrozenStateError):
        todos.get_initial_state().data = 1


def test_a_plain_state_may_come_in() -> None:
    """Instances of one's class, or dicts of its fields."""
    assert todos(Todos(items=[Todo("x")]), Action("toggle", 0)).items[0].completed
    assert todos({"items": [{"text": "x"}]}, Action("toggle", 0)).items[0].completed  # type: ignore[arg-type]
    with pytest.raises(StateValueError, match="unknown field 'nope'"):
        todos({"nope": 1}, Action("add", "x"))  # type: ignore[arg-type]


def test_a_state_of_one_number() -> None:
    """Case reducers return the next one; ``None`` leaves it as it is."""
    count = create_reducer(
        0,
        lambda builder: builder.add_case(by, lambda state, action: state + action.payload).add_case(
            "none", lambda state: None
        ),
    )
    assert [count(5, by(5)), count(5, by(-5)), count(5, Action("none")), count(None, by(1))] == [
        10,
        0,
        5,
        1,
    ]


def test_each_of_several_reducers_sees_what_the_one_before_left() -> None:
    """Whether it edited its draft or returned a new state."""

    def build(builder: Any) -> None:
        builder.add_case(up, lambda state: Todos(items=[Todo("returned")], seen=state.seen + 1))
        builder.add_matcher(up, lambda state: state.items.append(Todo(f"{len(state.items)}")))
        builder.add_matcher(up, lambda state: Todos(title=state.items[-1].text, seen=state.seen))
        builder.add_matcher(up, lambda state: setattr(state, "seen", state.seen * 10))

    after = create_reducer(Todos(), build)(None, up())
    assert (after.items, after.title, after.seen) == ([], "1", 10)


def test_numbers_pass_through_several_reducers_too() -> None:
    """A state that is one value goes from hand to hand."""

    def build(builder: Any) -> None:
        builder.add_case(up, lambda state: state + 1)
        builder.add_matcher(up, lambda state: state * 10)
        builder.add_matcher(up, lambda state: None)
        builder.add_matcher(up, lambda state: state + 2)

    for initial in (4, Counter(4)):
        assert create_reducer(initial, build)(None, up()) == 52
        counted = create_slice(name="n", initial_state=initial, extra_reducers=build)
        with configure_store([counted]) as store:
            store.dispatch(up())
            assert store.state.n == 52


def test_plain_values_edited_in_place_are_seen_by_the_next() -> None:
    """A list in a register, and an object put into the state and edited afterwards."""

    def first(state: Todos) -> None:
        state.data = [1]
        state.data.append(2)
        row = Todo("x")
        state.rows["k"] = row
        row.text = "late"

    def second(state: Todos) -> None:
        assert state.data == [1, 2]
        assert state.rows["k"].text == "late"
        state.data.append(3)

    reducer = create_reducer(
        Todos(), lambda builder: builder.add_case(up, first).add_matcher(up, second)
    )
    after = reducer(None, up())
    assert after.data == [1, 2, 3]
    assert after.rows["k"].text == "late"


def test_edit_or_return_holds_for_each_reducer_by_itself() -> None:
    """One that does both is refused, also if another one edited before it."""

    def both(state: Todos) -> Todos:
        state.seen += 1
        return Todos()

    for build in (
        lambda builder: builder.add_case(up, both),
        lambda builder: builder.add_case(up, lambda state: setattr(state, "data", 1)).add_matcher(
            up, both
        ),
    ):
        with pytest.raises(ReducerError, match="never both"):
            create_reducer(Todos(), build)(None, up())


def test_an_async_reducer_is_refused() -> None:
    """Wherever it stands in the order."""

    async def later(state: Any) -> None:
        """Never runs."""

    for initial in (0, Todos()):
        reducer = create_reducer(initial, lambda b: b.add_case(up, later))
        with pytest.raises(ReducerError, match="reducers are plain functions"):
            reducer(None, up())  # type: ignore[arg-type]


def test_a_reducer_works_on_the_draft_of_another() -> None:
    """Called inside a reducer it edits the draft that it is given."""

    def outer(state: Todos, action: Action[Any]) -> None:
        assert is_draft(state)
        assert todos(state, Action("add", "from inside")) is state
        assert todos(state, Action("unknown")) is state
        todos(state, Action("toggle", 0))

    made = create_slice(name="outer", initial_state=Todos(), extra_reducers={up: outer})
    with configure_store([made]) as store:
        store.dispatch(up())
        assert store[made].items == [Todo("from inside", True)]


def test_a_lazy_initial_state_is_asked_for_once_and_late() -> None:
    """Not before it is needed, and not again."""
    calls: list[int] = []

    def initial() -> int:
        calls.append(1)
        return 42

    reducer = create_reducer(initial, lambda builder: None)
    assert not calls
    assert reducer(None, up()) == 42
    assert reducer.get_initial_state() == 42
    assert calls == [1]


def test_a_lazy_initial_state_that_is_wrong_says_so_when_needed() -> None:
    """With the error that it would have had at once."""
    lazy = create_reducer(lambda: {"a": object()}, lambda builder: None)
    with pytest.raises(StateValueError):
        lazy.get_initial_state()


def test_a_class_that_needs_arguments_is_no_initial_state() -> None:
    """Its own message says which, and ours what to do."""
    with pytest.raises(ShapeError, match=r"is the class Todo, and .*'text'; pass an instance"):
        create_reducer(Todo, lambda builder: None).get_initial_state()


def test_the_object_notation_is_refused() -> None:
    """As in Redux Toolkit 2, with what to write instead."""
    with pytest.raises(TypeError, match=r"lambda builder: builder\.add_case"):
        create_reducer(0, {up: lambda state: state})  # type: ignore[arg-type]


def test_what_is_no_action_is_refused() -> None:
    """As dispatch does."""
    with pytest.raises(DispatchError, match="did you forget to call"):
        todos(None, up)  # type: ignore[arg-type]
    assert todos(None, {"type": "add", "payload": "x"}).items == [Todo("x")]  # type: ignore[arg-type]


def test_a_store_takes_a_reducer_under_a_name() -> None:
    """As ``configureStore({reducer: {counter}})`` does; twice makes two independent states."""
    count = create_reducer(
        Counter(0), lambda builder: builder.add_case(by, lambda state, a: state + a.payload)
    )
    with configure_store({"left": count, "right": count}) as store:
        store.dispatch(by(2))
        assert (store.state.left, store.state.right) == (2, 2)
    with pytest.raises(TypeError, match="give a reducer a name"):
        configure_store([count])  # type: ignore[list-item]


def test_a_slice_reduces_as_a_store_does() -> None:
    """``slice.reduce`` is the store's answer to an action, without the store."""
    made = create_slice(
        name="todos", initial_state=Todos(), extra_reducers={"add": add_todo, "toggle": toggle}
    )

    @made.reducer
    def retitle(state: Todos, title: str) -> None:
        state.title = title
        state.title.insert(0, ">")
        state.tags |= {title}
        state.prices[title] = len(title)

    state = made.get_initial_state()
    with configure_store([made]) as store:
        for action in (Action("add", "a"), Action("toggle", 0), retitle("x"), made.reset()):
            state = made.reduce(state, action)
            store.dispatch(action)
            assert state == store[made]
    assert state == Todos()


def test_a_builder_that_is_wrong_raises_where_it_is_used() -> None:
    """``create_reducer`` runs it at once."""
    with pytest.raises(ShapeError):
        create_reducer(0, lambda b: b.add_default_case(lambda s: s).add_case(up, lambda s: s))


def test_a_state_declared_by_a_dict_may_be_returned_with_its_kinds() -> None:
    """What made the initial state makes it again, as resets are written."""

    def initial() -> dict[str, Any]:
        return {
            "n": Counter(3),
            "rows": Table[Todo]({"a": Todo("x")}),
            "deep": {"tags": Set({"t"})},
        }

    def change(state: Any) -> None:
        state.n += 5
        state.rows.clear()
        state.deep.tags.add("u")

    def build(builder: Any) -> None:
        builder.add_case("change", change).add_case("reset", lambda state: initial())

    reducer = create_reducer(initial(), build)
    changed = reducer(None, Action("change"))
    assert changed == {"n": 8, "rows": {}, "deep": {"tags": {"t", "u"}}}
    assert reducer(changed, Action("reset")) == reducer.get_initial_state()

"""Calls drawn from the reducers' signatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, NoSuchExample

from crdtstore import Action, Counter, configure_store, create_slice
from crdtstore.testing.actions import Call, actions_of
from crdtstore.testing.arguments import existing_key
from tests.testing.samples import add, label, paint, put, quick, todos, vote


@dataclass
class Number:
    n: Counter = Counter(0)
    last: str = ""


number = create_slice(name="number", initial_state=Number())


@number.reducer
def grown(state: Number, action: Action[int]) -> None:
    state.n += action.payload


def doubled(by: int) -> dict[str, int]:
    return {"payload": 2 * by}


@number.reducer(prepare=doubled)
def doubly(state: Number, action: Action[int]) -> None:
    state.n += action.payload


@number.reducer
def bare(state, value, *, flag: bool):  # type: ignore[no-untyped-def]
    state.last = f"{value}{flag}"


@number.async_thunk()
async def fetched(arg: int) -> int:
    return arg


def found(calls: st.SearchStrategy[Call], condition: Callable[[Call], Any]) -> Call:
    return find(calls, condition, settings=settings(quick, max_examples=1_000))


@quick
@given(st.lists(actions_of([todos, number]), max_size=10))
def test_everything_drawn_can_be_dispatched(calls: list[Call]) -> None:
    """Whatever is drawn of two slices makes an action of its type, which a store takes."""
    with configure_store([todos, number]) as store:
        for call in calls:
            try:
                action, label, whole = call.resolved(store.state)
            except LookupError:
                continue
            assert action.type == call.type
            assert label.startswith(f"{call.shown}(")
            assert whole.endswith(")")
            if "known=False" not in repr(call):
                store.dispatch(action)


def test_every_action_creator_is_drawn_and_nothing_else() -> None:
    """Every reducer's action comes; thunks and resets do not."""
    kinds: set[str] = set()

    @settings(quick, max_examples=400)
    @given(actions_of([todos, number]))
    def collect(call: Call) -> None:
        kinds.add(call.type)

    collect()
    drawn = {"number/grown", "number/doubly", "number/bare"}
    drawn |= {f"todos/{name}" for name in todos.actions}
    assert kinds == drawn


def test_calls_read_as_code() -> None:
    """A label is what one would write; arguments with a default may be left out."""
    call = found(actions_of([todos]), lambda call: call.type == "todos/add")
    assert call.resolved({})[1] == "add(title='')"
    call = found(actions_of([todos]), lambda call: len(call.kwargs) == 2 and call.shown == "add")
    assert call.resolved({})[1] == "add(title='', done=False)"
    call = found(
        actions_of([todos]), lambda call: call.type == "todos/paint" and len(call.args) > 1
    )
    assert call.resolved({})[1] == "paint(Colour.RED, '')"


def test_long_arguments_are_shortened() -> None:
    """A label stays short, while the whole is kept beside it."""
    call = Call("todos/add", "add", "todos", add, (), (("title", "x" * 500),))
    _, short, whole = call.resolved({})
    assert len(short) <= 121
    assert len(whole) > 500


def test_parameters_that_take_the_action_draw_its_payload() -> None:
    """Action[T] draws a T, and prepare is called with what is drawn for it."""
    calls = actions_of([number])
    grown_call = found(calls, lambda c: c.type == "number/grown" and c.kwargs[0][1] == 3)
    assert grown_call.resolved({})[0] == grown(3)
    doubly_call = found(calls, lambda c: c.type == "number/doubly" and c.kwargs[0][1] == 3)
    assert doubly_call.resolved({})[0].payload == 6


def test_keys_are_looked_up_when_the_call_is_dispatched() -> None:
    """One drawn number finds a key in any state that has one."""
    call = Call("todos/vote", "vote", "todos", vote, (), (("index", existing(1, index=True)),))
    with configure_store([todos]) as store:
        with pytest.raises(LookupError):
            call.resolved(store.state)
        store.dispatch(add("a"))
        assert call.resolved(store.state)[0] == vote(0)
        store.dispatch(add("b"))
        assert call.resolved(store.state)[1] == "vote(index=1)"


def existing(number: int, *, index: bool = False) -> Any:
    picks = existing_key("items", index=index)
    return find(picks, lambda pick: pick.number == number, settings=quick)


def test_strategies_of_ones_own_replace_and_add() -> None:
    """actions= replaces a creator's strategy, adds others, and leaves out what it maps to None."""
    only: dict[Any, Any] = dict.fromkeys((f"todos/{name}" for name in todos.actions), None)
    only |= {add: st.builds(add, st.just("mine")), "other/kind": st.just(Action("other/kind", 1))}
    calls = actions_of([todos], only)
    assert (
        found(calls, lambda c: c.type == "todos/add").resolved({})[1]
        == "add(title='mine', done=False)"
    )
    assert found(calls, lambda c: c.type == "other/kind").resolved({})[1] == "kind(1)"
    with pytest.raises(NoSuchExample):
        found(calls, lambda c: c.type not in ("todos/add", "other/kind"))


def test_strategies_of_ones_own_may_pick_keys() -> None:
    """existing_key stands for a key in the payload of an action that was drawn whole."""
    own = {vote: st.builds(vote, existing_key("items", index=True), st.just(2))}
    call = found(actions_of([todos], own), lambda c: c.type == "todos/vote")
    with configure_store([todos]) as store:
        store.dispatch(add("a"))
        assert call.resolved(store.state)[1] == "vote(index=0, by=2)"


def test_creators_of_one_name_are_told_apart() -> None:
    """Where two slices have a creator of one name, labels carry the slice's."""
    other = create_slice(name="other", initial_state=Number(), reducers={"add": _nothing})
    call = found(actions_of([todos, other]), lambda c: c.type == "other/add")
    assert call.resolved({})[1] == "other.add()"


def _nothing(state: Number) -> None:
    """Do nothing."""


def test_mistakes_in_overrides_are_named() -> None:
    """What names no action, draws no action, or leaves nothing to draw is refused."""
    with pytest.raises(InvalidArgument, match="leaves out 'todos/ad', which is not drawn anyway"):
        actions_of([todos], {"todos/ad": None})
    with pytest.raises(InvalidArgument, match="there is no action to draw"):
        actions_of([create_slice(name="empty", initial_state=Number())])
    with pytest.raises(InvalidArgument, match="draws int 3; it draws actions"):
        found(actions_of([todos], {add: st.just(3)}), lambda call: True)
    actions_of([number], {"number/fetched": None})  # a thunk may be left out in so many words


class Opaque:
    """A class that nothing can be drawn of."""

    def __init__(self, unknown) -> None:  # type: ignore[no-untyped-def]
        self.unknown = unknown


def test_parameters_that_say_nothing_to_draw_are_named() -> None:
    """A type without a strategy is refused with the reducer, the parameter and the way out."""

    def keep(state: Number, what: Opaque) -> None:
        """Keep it."""

    def lost(state: Number, what: Nowhere) -> None:  # type: ignore[name-defined] # noqa: F821
        """Refer to what is not there."""

    for reducer, said in ((keep, "no values can be drawn"), (lost, "cannot be looked up")):
        of = create_slice(name="odd", initial_state=Number(), reducers={"act": reducer})
        with pytest.raises(InvalidArgument, match=f"'odd/act'.*{said}|{said}.*'odd/act'|{said}"):
            actions_of([of])
        actions_of([of], {"odd/act": st.builds(of.actions.act, st.just(1))})


def test_names_of_enclosing_functions_are_looked_up() -> None:
    """Annotations in text may name what a reducer's closure holds."""

    class Local:
        pass

    def act(state: Number, what: Local) -> None:
        assert isinstance(what, str), Local

    st.register_type_strategy(Local, st.just("local"))
    of = create_slice(name="local", initial_state=Number(), reducers={"act": act})
    assert found(actions_of([of]), lambda c: True).kwargs == (("what", "local"),)


def test_other_samples_are_drawn_too() -> None:
    """Optional numbers and records come as such."""
    assert found(actions_of([todos]), lambda c: c.type == "todos/label" and len(c.kwargs) == 2)
    assert (
        found(actions_of([todos]), lambda c: c.type == "todos/put").resolved({})[0].type == put.type
    )
    assert label.type == "todos/label"
    assert paint.type == "todos/paint"

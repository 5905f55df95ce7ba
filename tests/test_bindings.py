"""Bound action creators, predicates of actions, and composition."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from crdtstore import Action, Store, configure_store, create_action, create_slice
from crdtstore.bindings import (
    bind_action_creators,
    compose,
    is_action,
    is_action_creator,
    is_flux_standard_action,
)

TIMEOUT = 30

todos = create_slice(name="todos", initial_state={"items": ["first"]})


@todos.reducer
def add(state: Any, text: str, *, times: int = 1) -> None:
    """Add a to-do."""
    state.items += [text] * times


@todos.reducer
def clear(state: Any) -> None:
    state.items.clear()


def opened() -> Store:
    return configure_store([todos])


# bind_action_creators


def test_a_bound_creator_dispatches_what_it_makes() -> None:
    """It returns what ``dispatch`` does: the action."""
    with opened() as store:
        bound = bind_action_creators(add, store.dispatch)
        assert bound("milk", times=2) == add("milk", times=2)
        assert list(store.state.todos.items) == ["first", "milk", "milk"]


def test_a_bound_creator_keeps_name_and_signature() -> None:
    """Editors and ``inspect`` see those of the creator."""
    bound = bind_action_creators(add, lambda action: action)
    assert str(inspect.signature(bound)) == str(inspect.signature(add))
    assert bound.__name__ == "add"
    assert bound.__doc__ == "Add a to-do."
    with pytest.raises(TypeError, match="missing a required argument: 'text'"):
        bound()  # type: ignore[call-arg]


def test_arguments_are_handed_on_as_they_are() -> None:
    """Those of a plain function too, methods included."""

    class Creators:
        def make(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return {"type": "x", "self": self, "args": args, "kwargs": kwargs}

    creators = Creators()
    bound = bind_action_creators(creators.make, lambda action: action)
    assert bound(1, 2, three=3) == creators.make(1, 2, three=3)


def test_a_dict_gives_the_same_names() -> None:
    """What is no function is left out."""
    with opened() as store:
        bound = bind_action_creators(
            {"add": add, "clear": clear, "foo": 42, "bar": "baz", "wow": None, "much": {}},
            store.dispatch,
        )
        assert list(bound) == ["add", "clear"]
        bound["clear"]()
        bound.add("milk")
        assert list(store.state.todos.items) == ["milk"]


def test_the_actions_of_a_slice_can_be_bound() -> None:
    """All of them, as attributes and as items."""
    with opened() as store:
        bound = bind_action_creators(todos.actions, store.dispatch)
        assert list(bound) == ["add", "clear"]
        assert bound.add("milk") == add("milk")
        assert bound["clear"]() == clear()
        assert list(store.state.todos.items) == []
        with pytest.raises(AttributeError, match="no bound action creator named 'remove'"):
            _ = bound.remove


def test_creators_of_thunks_can_be_bound() -> None:
    """What the thunk returns comes back, or what it can be waited for with."""

    def twice(text: str) -> Callable[..., int]:
        def thunk(dispatch: Any, get_state: Any) -> int:
            dispatch(add(text, times=2))
            return len(get_state().todos.items)

        return thunk

    def later(text: str) -> Any:
        async def thunk(dispatch: Any, get_state: Any) -> str:
            await asyncio.sleep(0)
            dispatch(add(text))
            return text

        return thunk

    with opened() as store:
        assert bind_action_creators(twice, store.dispatch)("milk") == 3
        assert bind_action_creators(later, store.dispatch)("eggs").wait(TIMEOUT) == "eggs"
        assert list(store.state.todos.items) == ["first", "milk", "milk", "eggs"]


@pytest.mark.parametrize("wrong", [None, "add", 1, [add], SimpleNamespace()], ids=repr)
def test_other_things_cannot_be_bound(wrong: Any) -> None:
    """The message says what can, and what came."""
    with pytest.raises(TypeError, match=f"an action creator.*got {type(wrong).__name__}"):
        bind_action_creators(wrong, lambda action: action)


def test_a_store_is_no_dispatch_function() -> None:
    """The message names the one that was meant."""
    with opened() as store, pytest.raises(TypeError, match=r"store\.dispatch say; got Store"):
        bind_action_creators(add, store)  # type: ignore[call-overload]


# Predicates


creator = create_action("an action")


class LooksLike:
    """Not an action, nor a creator of one."""

    type = "totally an action"

    def match(self, action: object) -> bool:
        return False


class Creator(LooksLike):
    """Makes actions and says which."""

    def __call__(self) -> Action[None]:
        return Action(self.type)


def test_is_action() -> None:
    """Actions are, and dicts that ``dispatch`` takes for one."""
    for action in (creator(), {"type": "an action"}, {"type": "more", "extra": True}, add("x")):
        assert is_action(action)
    for other in (creator, add, LooksLike(), {"type": 5}, {"payload": 1}, {}, "a string", None):
        assert not is_action(other)


def test_is_flux_standard_action() -> None:
    """A dict with other keys than an action's fields is none."""
    for action in (
        creator(1),
        Action("x", 1, {"a": 1}, True),
        {"type": "x"},
        {"type": "x", "payload": 1, "meta": {}, "error": True},
    ):
        assert is_flux_standard_action(action)
    for other in ({"type": "x", "extra": 1}, {"type": 5}, {"payload": 1}, creator, None):
        assert not is_flux_standard_action(other)


def test_is_action_creator() -> None:
    """What can be called, has a type and matches is one, whoever made it."""
    for made in (creator, add, todos.actions.clear, Creator()):
        assert is_action_creator(made)
    for other in (
        creator(),
        {"type": "an action"},
        LooksLike(),
        Creator,
        is_action,
        bind_action_creators(add, lambda action: action),
        False,
        "a string",
    ):
        assert not is_action_creator(other)


# compose


def double(number: int) -> int:
    return number * 2


def square(number: int) -> int:
    return number * number


def total(*numbers: int, extra: int = 0) -> int:
    return sum(numbers) + extra


def test_composition_goes_from_right_to_left() -> None:
    """The last function is called first."""
    assert compose(square)(5) == 25
    assert compose(square, double)(5) == 100
    assert compose(double, square, double)(5) == 200
    assert compose(str, double, square, double, double)(1) == "32"


def test_layers_compose() -> None:
    """Functions from functions to functions are wrapped in the order in which they stand."""

    def adding(letter: str) -> Callable[[Callable[[str], str]], Callable[[str], str]]:
        return lambda following: lambda text: following(text + letter)

    a, b, c = adding("a"), adding("b"), adding("c")
    assert compose(a, b, c)(str)("") == "abc"
    assert compose(b, c, a)(str)("") == "bca"


def test_the_last_function_takes_all_arguments() -> None:
    """Positional ones and keywords."""
    assert compose(square, total)(1, 2, extra=3) == 36


def test_one_function_comes_back_as_it_is() -> None:
    """There is nothing to compose."""
    assert compose(double) is double


def test_no_function_gives_the_first_argument_back() -> None:
    """The neutral element of composition."""
    assert compose()(3) == 3
    assert compose()(1, 2) == 1
    assert compose()(None) is None


@pytest.mark.parametrize("wrong", [None, False, 42, "text"], ids=repr)
def test_only_functions_compose(wrong: Any) -> None:
    """What cannot be called is refused when it is composed, not when it is called."""
    with pytest.raises(TypeError, match=f"compose takes functions, got {type(wrong).__name__}"):
        compose(square, total, wrong)

"""Which arguments of a selector its inputs get, by position and by name."""

from __future__ import annotations

import functools
import inspect
from operator import attrgetter, itemgetter
from typing import Any
from unittest.mock import Mock

import pytest

from crdtstore.selectors import create_selector
from crdtstore.selectors.inputs import Inputs, describe
from tests.selectors.states import Counted, a, state


def collect(*inputs: Any) -> Any:
    """Make a selector of what its inputs give, which warns of nothing."""
    return create_selector(
        inputs,
        lambda *values: list(values),
        dev_mode_checks={"input_stability_check": "never", "identity_function_check": "never"},
    )


def with_default(state: Any, key: Any, more: Any = "m") -> Any:
    """Take two arguments or three."""
    return key, more


def test_each_input_gets_as_many_arguments_as_it_takes() -> None:
    """From the left; an input that takes any number gets all."""
    selector = collect(
        lambda one: one,
        lambda one, two: two,
        lambda *every: every,
        lambda one, *rest: rest,
        with_default,
    )
    assert selector(1, 2) == [1, 2, (1, 2), (2,), (2, "m")]
    assert selector(1, 2, 3) == [1, 2, (1, 2, 3), (2, 3), (2, 3)]
    assert selector(1, 2, 3, 4) == [1, 2, (1, 2, 3, 4), (2, 3, 4), (2, 3)]


def test_an_input_is_not_given_more_than_the_selector_got() -> None:
    """A function that takes any number gets the state alone if there is nothing else."""
    seen = Counted(lambda *args: len(args))
    assert collect(seen)(state()) == [1]


def test_every_kind_of_callable_can_be_an_input() -> None:
    """Methods, partials, classes, builtins and other selectors."""

    class Reader:
        def read(self, state: Any, key: str) -> Any:
            return getattr(state, key)

        def __call__(self, state: Any) -> Any:
            return state.b

    selector = collect(
        Reader().read,
        Reader(),
        functools.partial(Reader().read, key="items"),
        attrgetter("a", "b"),
        repr,
        Mock(return_value="mock"),
        create_selector(a, lambda _, key: key, lambda value, key: f"{key}{value}"),
    )
    old = state(1, 2)
    assert selector(old, "a") == [1, 2, [1, 2, 3], (1, 2), repr(old), "mock", "a1"]
    assert collect(itemgetter(0))(["x"]) == ["x"]


def test_arguments_can_be_given_by_name() -> None:
    """The names are those of the input that takes most; in any order they are the same call."""
    selector = collect(lambda s: s, lambda s, key: key, lambda state, key, more="m": more)
    assert selector(1, key=2) is selector(key=2, state=1) is selector(1, 2)
    assert selector(1, key=2) == [1, 2, "m"]
    assert selector(1, more=3, key=2) is selector(1, 2, 3)
    assert selector(1, 2, 3) == [1, 2, 3]
    assert selector.recomputations() == 2


def test_a_default_fills_a_gap_in_front_of_a_named_argument() -> None:
    """As it does in any call."""

    def both(state: Any, first: Any = "f", second: Any = "s") -> Any:
        return first, second

    selector = collect(both, lambda s: s)
    assert selector(1, second=2) == [("f", 2), 1]
    assert selector(1) == [("f", "s"), 1]


def test_arguments_that_no_input_takes_are_refused() -> None:
    """By position and by name, and so are missing ones."""
    selector = collect(a, with_default)
    message = (
        r"got 4 arguments, and none of its inputs takes more than 3: a \(states\.py:\d+\), with"
    )
    with pytest.raises(TypeError, match=message):
        selector(state(), 1, 2, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'k'"):
        selector(state(), 1, k=1)
    with pytest.raises(TypeError, match="missing a required argument: 'key'"):
        selector(state(), more=1)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'key'"):
        selector(state())
    with pytest.raises(TypeError):
        selector()


def test_an_input_that_wants_a_name_is_refused() -> None:
    """Unless it can do without."""

    def named(state: Any, *, key: str) -> str:
        return key

    with pytest.raises(TypeError, match=r"named \(test_inputs\.py:\d+\) has the parameter 'key' "):
        create_selector(named, len)
    assert collect(lambda s, *, key=3: key)(1) == [3]


def test_a_selector_has_the_signature_of_the_input_that_takes_most() -> None:
    """So a selector can be an input as any function can."""
    selector = collect(a, with_default, lambda s: s)
    assert list(inspect.signature(selector).parameters) == ["state", "key", "more"]
    assert Inputs.of((selector, a)).takes == (3, 1)
    assert str(inspect.signature(collect(attrgetter("x")))) in ("(state, /)", "(obj, /)")


def test_functions_are_described_by_name_and_place() -> None:
    """As far as they are known."""
    line = with_default.__code__.co_firstlineno
    assert describe(with_default) == f"with_default (test_inputs.py:{line})"
    assert describe(create_selector(a, with_default)) == describe(with_default)
    assert describe(len) == "len"
    assert describe(itemgetter(1)) == "operator.itemgetter(1)"

"""Whatever is asked in whatever order, a memory never gives the result of another question."""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtstore.selectors import create_selector_creator, lru_memoize, weak_map_memoize

VALUES = [None, 0, 1, True, False, 0.0, -0.0, 1.0, 10**20, "", "1", b"1", float("nan"), (), (1,)]
PLACES = 6


class Thing:
    """An object whose number says which one it is."""

    def __init__(self, number: int) -> None:
        self.number = number


def told_apart(argument: Any) -> Any:
    """Say what a function can tell of an argument."""
    return argument.number if isinstance(argument, Thing) else argument


def answer(*args: Any) -> list[Any]:
    """Compute something that tells all arguments apart."""
    return [repr(told_apart(arg)) for arg in args]


argument = st.one_of(
    st.tuples(st.just("thing"), st.integers(0, PLACES - 1)),
    st.tuples(st.just("list"), st.integers(0, PLACES - 1)),
    st.tuples(st.just("value"), st.sampled_from(VALUES)),
)
step = st.one_of(
    st.lists(argument, max_size=3),
    st.tuples(st.just("renew"), st.integers(0, PLACES - 1)),  # its memory goes to another one
    st.sampled_from(["collect", "clear"]),
)
memory = st.one_of(
    st.builds(lambda size: (weak_map_memoize, size), st.integers(1, 8)),
    st.builds(lambda size: (lru_memoize, size), st.integers(1, 4)),
)


def ask(func: Any, steps: list[Any], clear: Callable[[], None]) -> None:
    """Ask all questions, and see that the answers are right and stay what they were."""
    numbers = iter(range(10**6))
    things = [Thing(next(numbers)) for _ in range(PLACES)]
    lists: list[Any] = [[next(numbers)] for _ in range(PLACES)]
    for each in steps:
        if each == "collect":
            gc.collect(0)
        elif each == "clear":
            clear()
        elif isinstance(each, tuple):
            at = each[1]
            del things[at], lists[at]
            things.insert(at, Thing(next(numbers)))
            lists.insert(at, [next(numbers)])
        else:
            places = {"thing": things, "list": lists}
            args = [places[kind][at] if kind in places else at for kind, at in each]
            found = func(*args)
            assert found == answer(*args)
            assert func(*args) is found


@given(memory, st.lists(step, max_size=60))
def test_a_memory_never_mixes_up_arguments(memory: Any, steps: list[Any]) -> None:
    """Objects that come and go, values that are nearly equal, any number of them, any bound."""
    memoize, size = memory
    memoized = memoize(answer, max_size=size)
    ask(memoized, steps, memoized.clear_cache)


@given(memory, memory, st.lists(step, max_size=60))
def test_a_selector_never_mixes_up_arguments(outer: Any, inner: Any, steps: list[Any]) -> None:
    """The same through input selectors, with a memory below and one above."""
    create = create_selector_creator(
        inner[0],
        memoize_options={"max_size": inner[1]},
        args_memoize=outer[0],
        args_memoize_options={"max_size": outer[1], "result_equality_check": operator.eq},
    )
    select = create(
        lambda *args: args[:1], lambda *args: args[1:], lambda x, y: answer(*x, *y),
        dev_mode_checks={"input_stability_check": "never"},
    )  # fmt: skip

    def clear() -> None:
        select.clear_cache()
        select.memoized_result_func.clear_cache()

    ask(select, steps, clear)

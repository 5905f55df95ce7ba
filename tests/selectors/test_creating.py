"""Selectors: what runs when, what they are made of, and that drafts are taken as they show."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import operator
import re
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from crdtstore.selectors import (
    Selector,
    create_selector,
    create_selector_creator,
    create_structured_selector,
    lru_memoize,
    weak_map,
    weak_map_memoize,
)
from tests.draft.running import Todo
from tests.selectors.states import Counted, State, Thing, a, b, replaced, state

SILENT: Any = {"input_stability_check": "never", "identity_function_check": "never"}


def identity(value: Any) -> Any:
    """Do what the checks warn of."""
    return value


# What runs when


def test_a_result_is_computed_once_for_a_state_and_for_equal_values_of_its_inputs() -> None:
    """The inputs run for each new state; the result function for each new value they give."""
    selector = create_selector(a, identity, dev_mode_checks=SILENT)
    first = state(1)
    assert selector(first) == selector(first) == 1
    assert (selector.recomputations(), selector.dependency_recomputations()) == (1, 1)
    assert selector(state(1)) == 1
    assert (selector.recomputations(), selector.dependency_recomputations()) == (1, 2)
    assert selector(state(2)) == 2
    assert (selector.recomputations(), selector.dependency_recomputations()) == (2, 3)


def test_several_inputs_give_the_arguments_of_the_result_function_in_order() -> None:
    """The result function gets one argument for each input."""
    selector = create_selector(a, b, lambda first, second: [first, second])
    assert selector(state(1, 2)) == [1, 2]
    again = state(1, 2)
    assert selector(again) is selector(again)
    assert selector.recomputations() == 1
    assert selector(state(3, 2)) == [3, 2]
    assert selector.recomputations() == 2


@pytest.mark.parametrize("kind", [list, tuple])
def test_the_inputs_can_be_given_as_one_sequence(kind: Callable[..., Sequence[Any]]) -> None:
    """A list or tuple of inputs in front of the result function means the same."""
    selector = create_selector(kind([a, b]), operator.add)
    assert selector(state(1, 2)) == 3
    assert selector.dependencies == (a, b)


def test_any_number_of_inputs_can_be_given() -> None:
    """More than the six that have types of their own."""
    selector = create_selector(a, a, a, a, a, a, a, b, lambda *values: values)
    assert selector(state(1, 2)) == (1, 1, 1, 1, 1, 1, 1, 2)


def test_a_part_of_the_state_that_is_the_same_object_is_the_same_argument() -> None:
    """A change elsewhere in the state computes nothing."""
    selector = create_selector(lambda s: s.items, lambda items: [*items])
    old = state()
    assert selector(old) is selector(replaced(old, a=5))
    assert selector(replaced(old, items=[*old.items])) is not selector(old)
    assert selector.recomputations() == 2


def test_selectors_can_be_inputs() -> None:
    """What one selector remembers saves the other its computation."""
    sub = create_selector(lambda s: s.items, lambda items: {"items": items})
    size = create_selector(sub, lambda found: len(found["items"]))
    old = state()
    assert size(old) == size(replaced(old, a=7)) == 3
    assert (sub.recomputations(), size.recomputations()) == (1, 1)
    assert size(replaced(old, items=[1])) == 1
    assert (sub.recomputations(), size.recomputations()) == (2, 2)


def test_more_arguments_than_the_state_are_remembered_together() -> None:
    """Results for many values of a parameter are all kept, at both levels."""
    selector = create_selector(a, lambda _, more: more, lambda first, more: [first, more])
    old = state()
    first = [selector(old, more) for more in range(5)]
    for _ in range(3):
        assert [selector(old, more) for more in range(5)] == first
        assert all(selector(replaced(old, b=9), n) is first[n] for n in range(5))
    assert selector.recomputations() == 5
    assert selector.dependency_recomputations() == 20


def test_a_chain_of_selectors_with_parameters() -> None:
    """Each selector of a chain gets what it takes of the arguments."""
    inner = create_selector(
        a, lambda _, props, another: props["x"] + another, lambda first, x: {"first": first, "x": x}
    )
    outer = create_selector(
        inner, lambda _, props: props["y"], lambda found, y: found["first"] + found["x"] + y
    )
    old, props = state(1), {"x": 100, "y": 200}
    assert outer(old, props, 100) == outer(old, props, 100) == 401
    assert outer.recomputations() == 1
    assert outer(state(2), {"x": 100, "y": 201}, 200) == 503
    assert outer.recomputations() == 2


def test_an_exception_is_not_remembered() -> None:
    """Whether it comes from an input or from the result function, the next call tries again."""

    def fail(*_: Any) -> Any:
        raise LookupError("nothing here")

    for selector in (create_selector(a, failing := Counted(fail)), create_selector(failing, len)):
        old, before = state(), failing.times
        for _ in range(2):
            with pytest.raises(LookupError, match="nothing here"):
                selector(old)
        assert failing.times == before + 2
        assert selector.last_result() is None


def test_an_exception_leaves_earlier_results_alone() -> None:
    """What was computed before an exception is still known after it."""
    divide = Counted(lambda number: 12 // number)
    selector = create_selector(a, divide)
    good, bad = state(3), state(0)
    assert selector(good) == 4
    with pytest.raises(ZeroDivisionError):
        selector(bad)
    assert selector(good) == 4
    assert divide.times == 2


def test_none_is_a_result_like_any_other() -> None:
    """A result of None is remembered too, by both memories."""
    for memoize in (weak_map_memoize, lru_memoize):
        nothing = Counted(lambda _: None)
        selector = create_selector(a, nothing, memoize=memoize, args_memoize=memoize)
        old = state()
        assert selector(old) is selector(old) is selector(state()) is None
        assert nothing.times == 1


def test_a_selector_keeps_no_state_alive() -> None:
    """States, what was read of them and results go when nobody else wants them any more."""
    selector = create_selector(a, lambda part: Thing(part.number))
    part = Thing()
    old = state(part)
    gone = [weakref.ref(each) for each in (old, part)]
    first = weakref.ref(selector(old))
    del old, part
    assert [each() for each in gone] == [None, None]
    assert first() is selector.last_result()
    selector(state(Thing()))
    assert first() is None


def test_a_selector_that_nobody_wants_goes_with_all_it_holds() -> None:
    """Without waiting for the garbage collector."""
    old = state(Thing())
    selector = create_selector(a, lambda thing: [thing])
    selector(old)
    gone = weakref.ref(old.a), weakref.ref(selector)
    gc.disable()
    try:
        del old, selector
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


# What it is made of


def test_a_selector_shows_what_it_is_made_of() -> None:
    """Functions, memoizers and counts are fields; it is named after its result function."""

    def total(first: int, second: int) -> int:
        """Add up."""
        return first + second

    selector = create_selector(a, b, total)
    assert selector.result_func is total
    assert selector.dependencies == (a, b)
    assert selector.memoize is selector.args_memoize is weak_map_memoize
    assert selector.last_result() is None
    assert selector(state(1, 2)) == selector.last_result() == 3
    assert selector.memoized_result_func(1, 2) == 3
    assert selector.recomputations() == 1
    assert selector.memoized_result_func(5, 2) == 7
    assert selector.recomputations() == 2
    assert selector.results_count() == 1
    assert selector.memoized_result_func.results_count() == 2
    assert selector.__name__ == "total"
    assert selector.__doc__ == "Add up."
    assert str(inspect.signature(selector)) == "(state: 'Any')"
    assert "total" in repr(selector)


def test_counts_can_be_set_back() -> None:
    """Both counts, each on its own."""
    selector = create_selector(a, identity, dev_mode_checks=SILENT)
    selector(state(1))
    selector(state(2))
    selector.reset_recomputations()
    assert (selector.recomputations(), selector.dependency_recomputations()) == (0, 2)
    selector.reset_dependency_recomputations()
    selector.reset_results_count()
    selector(state(3))
    assert (selector.recomputations(), selector.dependency_recomputations()) == (1, 1)
    assert selector.results_count() == 1


def test_each_memory_is_cleared_on_its_own() -> None:
    """Clearing a selector runs its inputs again, clearing both memories computes again."""
    selector = create_selector(a, identity, dev_mode_checks=SILENT)
    old = state()
    selector(old)
    selector.clear_cache()
    assert selector.results_count() == 0
    selector(old)
    assert (selector.recomputations(), selector.dependency_recomputations()) == (1, 2)
    selector.memoized_result_func.clear_cache()
    selector(old)
    assert (selector.recomputations(), selector.dependency_recomputations()) == (1, 2)
    selector.clear_cache()
    selector(old)
    assert (selector.recomputations(), selector.dependency_recomputations()) == (2, 3)


def test_what_cannot_be_called_is_refused() -> None:
    """The message says which one it is and what came in its place."""

    def second(_: Any) -> None: ...

    wrong: Any = "not a function"
    with pytest.raises(
        TypeError,
        match=r"^create_selector expects all input selectors to be functions, but got \[function "
        r"<lambda>\(\), function second\(\), str\]; number 3 is 'not a function'$",
    ):
        create_selector(lambda s: s, second, wrong, operator.add)
    with pytest.raises(
        TypeError,
        match=r"^create_selector expects a result function after the input selectors, but got "
        r"str: 'not a function'$",
    ):
        create_selector(a, wrong)
    for functions, hint in (
        ((a, b, {"memoize": lru_memoize}), "options are keyword arguments"),
        (([a, b],), "comes after the list"),
        ((a, [b, len]), "comes after the list"),
        ((len,), r"expects input selectors before len, its result function, but got none"),
        ((), "got NoneType: None"),
    ):
        with pytest.raises(TypeError, match=hint):
            create_selector(*functions)


def test_an_unknown_option_is_refused() -> None:
    """The message lists those that there are."""
    wrong: Any = {"memoise": lru_memoize}
    with pytest.raises(TypeError, match=r"no option 'memoise'; options: args_memoize, "):
        create_selector(a, len, **wrong)


@pytest.mark.parametrize("option", ["memoize", "args_memoize"])
def test_a_memoizer_is_a_function(option: str) -> None:
    """Anything else is refused where the selector is made."""
    wrong: Any = {option: 5}
    with pytest.raises(
        TypeError,
        match=rf"^create_selector expects a memoizer as {option}=, .* got int: 5$",
    ):
        create_selector(a, len, **wrong)


def test_the_decorator_makes_the_same_selector() -> None:
    """``over`` takes input selectors and options; the function below it is the result function."""

    @create_selector.over(a, b, memoize=lru_memoize)
    def total(first: int, second: int) -> int:
        return first + second

    assert total(state(1, 2)) == 3
    assert total.dependencies == (a, b)
    assert total.memoize is lru_memoize
    assert total.__name__ == "total"


# Other memories


def test_a_memoizer_gets_its_options_in_three_ways() -> None:
    """As keyword arguments, as positional ones, or as the one positional one."""
    calls = 0

    def same(x: Any, y: Any) -> bool:
        nonlocal calls
        calls += 1
        return bool(x == y)

    options: tuple[Any, ...] = ({"equality_check": same}, [same], (same,), same)
    for each in options:
        selector = create_selector(a, operator.neg, memoize=lru_memoize, memoize_options=each)
        args = create_selector(a, operator.neg, args_memoize=lru_memoize, args_memoize_options=each)
        for made in (selector, args):
            calls = 0
            assert (made(state(1)), made(state(1))) == (-1, -1)
            assert calls
            assert made.recomputations() == 1


def test_a_creator_gives_its_options_to_all_its_selectors() -> None:
    """``create_selector_creator`` takes them by position or by name; an absurd one shows it."""

    def same_type(x: Any, y: Any) -> bool:
        return type(x) is type(y)

    for create in (
        create_selector_creator(lru_memoize, same_type),
        create_selector_creator(lru_memoize, memoize_options={"equality_check": same_type}),
        create_selector_creator(memoize=lru_memoize, memoize_options=same_type),
    ):
        selector = create(a, identity, dev_mode_checks=SILENT)
        assert (selector(state(1)), selector(state(2)), selector(state("x"))) == (1, 1, "x")
        assert selector.recomputations() == 2
        assert selector.memoize is lru_memoize


def test_an_option_of_the_creator_can_be_overridden() -> None:
    """A memoizer that is overridden takes its options with it, and leaves the other one alone."""
    equality = {"equality_check": lambda x, y: True}
    create = create_selector_creator(
        lru_memoize,
        memoize_options=equality,
        args_memoize=lru_memoize,
        args_memoize_options={"max_size": 2, **equality},
    )
    assert [create(a, operator.neg)(state(n)) for n in (1, 2)] == [-1, -2]
    everything = create(a, operator.neg)
    assert [everything(state(n)) for n in (1, 2)] == [-1, -1]
    for options in (
        {"args_memoize": weak_map_memoize},
        {"memoize": weak_map_memoize},
        {"memoize": lru_memoize, "args_memoize_options": {"max_size": 3}},
    ):
        half: Any = create(a, operator.neg, **options)
        assert [half(state(n)) for n in (1, 2)] == [-1, -1]
    neither = create(a, operator.neg, memoize=weak_map_memoize, args_memoize=weak_map_memoize)
    assert [neither(state(n)) for n in (1, 2)] == [-1, -2]
    assert neither.memoize is neither.args_memoize is weak_map_memoize
    fresh = create(a, operator.neg, memoize_options=[], args_memoize_options=[])
    assert [fresh(state(n)) for n in (1, 2)] == [-1, -2]


def test_a_memoizer_of_the_user_s_own() -> None:
    """Any function that wraps a function will do, functools.lru_cache for one."""

    def by_repr(func: Callable[..., Any], key: Callable[..., Any] = repr) -> Callable[..., Any]:
        results: dict[Any, Any] = {}

        @functools.wraps(func)
        def memoized(*args: Any) -> Any:
            if key(args) not in results:
                results[key(args)] = func(*args)
            return results[key(args)]

        setattr(memoized, "results", results)  # noqa: B010
        return memoized

    selector: Any = create_selector_creator(by_repr, str)(a, b, lambda x, y: [x, y])
    assert selector(state([1], [2])) is selector(state([1], [2]))
    assert selector.recomputations() == 1
    assert list(selector.memoized_result_func.results) == ["([1], [2])"]

    cached: Any = create_selector(a, str, args_memoize=functools.lru_cache)
    old = state(5)
    assert cached(old) is cached(old)
    assert cached.cache_info().hits == 1
    assert not hasattr(cached, "clear_cache")


def test_wrong_uses_of_a_creator_are_refused() -> None:
    """What is no memoizer, and options given twice."""
    wrong: Any = {"memoize": lru_memoize}
    with pytest.raises(TypeError, match=r"expects a memoizer, got \{'memoize'"):
        create_selector_creator(wrong)
    with pytest.raises(TypeError, match="by position and by name"):
        create_selector_creator(lru_memoize, operator.eq, memoize_options={"max_size": 2})


def test_types_can_be_said_in_advance() -> None:
    """``with_types`` is for type checkers: it is the same creator."""
    assert create_selector.with_types(State) is create_selector
    assert create_selector.with_types(State).with_types(Todo) is create_selector


def test_a_result_equal_to_the_one_before_is_the_one_before() -> None:
    """Selectors on top of it need not compute again."""
    for memoize in (weak_map_memoize, lru_memoize):
        equal = Counted(operator.eq)
        selector = create_selector(
            lambda s: s.items,
            lambda items: [item * 2 for item in items],
            memoize=memoize,
            memoize_options={"result_equality_check": equal},
        )
        old = state()
        first = selector(old)
        assert equal.times == 0
        new = replaced(old, items=[*old.items])
        assert selector(new) is first is selector.last_result()
        assert equal.times == 1
        assert selector.memoized_result_func.results_count() == 1
        assert (selector.recomputations(), selector.results_count()) == (2, 2)
        assert selector(replaced(old, items=[7])) == [14]
        assert selector.memoized_result_func.results_count() == 2


# Structured selectors


def test_a_structured_selector_gives_a_dict() -> None:
    """Its dict has a result at each key, and is the same as long as they are."""
    selector = create_structured_selector({"x": a, "y": b})
    first = selector(state(1, 2))
    assert first == {"x": 1, "y": 2}
    assert type(first) is dict
    assert selector(state(1, 2)) is first
    assert selector(state(2, 2)) == {"x": 2, "y": 2}
    assert selector.result_func(5, 6) == {"x": 5, "y": 6}
    assert selector.dependencies == (a, b)
    assert selector.__name__ == "create_structured_selector(x, y)"


def test_a_structured_selector_can_have_parameters_and_another_creator() -> None:
    """Its inputs take what they need."""
    selector = create_structured_selector(
        {"all": lambda s: s.items, "one": lambda s, at: s.items[at]},
        create_selector_creator(lru_memoize, args_memoize=lru_memoize),
    )
    old = state()
    assert selector(old, 1) == {"all": [1, 2, 3], "one": 2}
    assert selector(old, 1) is selector(old, at=1)
    assert selector.memoize is lru_memoize
    with pytest.raises(TypeError, match="at"):
        selector(old)


def test_a_structured_selector_is_made_of_a_mapping_of_selectors() -> None:
    """Anything else is refused, and so is an entry that is not callable."""
    wrong: Any = a
    with pytest.raises(TypeError, match=r"a mapping of input selectors by name, got function a\("):
        create_structured_selector(wrong)
    wrong = {"x": a, "c": "d"}
    with pytest.raises(TypeError, match=r"got \[function a\(\), str\]; number 2 is 'd'$"):
        create_structured_selector(wrong)


# Threads


def test_threads_that_race_get_right_results() -> None:
    """Many threads share a selector whose memory is always full and cleared under them."""
    selector: Selector[..., Any] = create_selector(
        a,
        lambda _, more: more,
        lambda number, more: (number, more),
        memoize_options={"max_size": 3},
        args_memoize_options={"max_size": 5},
    )
    states = [state(number) for number in range(4)]
    wrong: list[Any] = []
    start = threading.Barrier(6)

    def read(seed: int) -> None:
        start.wait(10)
        for turn in range(4000):
            number, more = (turn * seed) % 4, (turn // seed) % 5
            chosen = states[number] if turn % 3 else state(number)
            if selector(chosen, more) != (number, more):
                wrong.append((number, more))
            if turn % 500 == seed:
                selector.clear_cache()
                selector.memoized_result_func.clear_cache()

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(1, 7)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert not weak_map._NO_OBJECTS
    assert not weak_map._NO_VALUES


def test_a_copy_of_a_selector_is_the_selector() -> None:
    """As with every function."""
    selector = create_selector(a, str)
    assert copy.deepcopy(selector) is selector
    assert re.match(r"<function .* at ", repr(selector))

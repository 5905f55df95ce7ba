"""The memory for the last few calls."""

from __future__ import annotations

import operator
from typing import Any
from unittest.mock import Mock

import pytest

from crdtstore.selectors import lru_memoize, reference_equality_check
from tests.draft.running import opened
from tests.selectors.states import Counted, Thing


def test_the_last_call_is_remembered() -> None:
    """By default nothing but that."""
    func = Counted(lambda thing: [thing.number])
    memoized = lru_memoize(func)
    first, second = Thing(1), Thing(2)
    assert memoized(first) is memoized(first)
    assert func.times == 1
    assert memoized(second) == [2]
    assert memoized(first) == [1]
    assert func.times == memoized.results_count() == 3


def test_calls_with_fewer_or_more_arguments_are_other_calls() -> None:
    """The number of arguments counts, and so do names."""
    memoized = lru_memoize(lambda *args, **named: [args, named], max_size=9)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1,), {}),
        ((1, 2), {}),
        ((1,), {"x": 2}),
        ((1,), {"y": 2}),
        ((), {"x": 1, "y": 2}),
    ]
    for _ in range(2):
        for args, named in calls:
            assert memoized(*args, **named) == [args, named]
    assert memoized(y=2, x=1) is memoized(x=1, y=2)
    assert memoized.results_count() == len(calls)


def test_an_equality_of_the_user_s_own() -> None:
    """It gets the remembered argument and the new one, and is believed whatever it says."""
    absurd = Counted(lambda x, y: type(x) is type(y))
    func = Counted(lambda value: value)
    for memoized in (lru_memoize(func, absurd), lru_memoize(func, equality_check=absurd)):
        func.calls.clear()
        absurd.calls.clear()
        assert (memoized(1), memoized(2), memoized("x")) == (1, 1, "x")
        assert func.times == 2
        assert absurd.calls == [(1, 2), (1, "x")]
    never = lru_memoize(func, lambda x, y: False)
    func.calls.clear()
    same = Thing()
    assert never(same) is never(same)
    assert func.times == 2


def test_equality_by_value_can_be_chosen() -> None:
    """Lists that are equal are the same argument then."""
    memoized = lru_memoize(lambda items: [sum(items)], operator.eq)
    assert memoized([1, 2]) is memoized([1, 2])
    assert memoized([1, 3]) == [4]


def test_the_least_recently_used_result_goes_first() -> None:
    """A result that is used moves to the front."""
    func = Counted(lambda value: value)
    memoized = lru_memoize(func, max_size=3)
    times = []
    for value in "aabcdaced":
        assert memoized(value) == value
        times.append(func.times)
    assert times == [1, 1, 2, 3, 4, 5, 5, 6, 7]


@pytest.mark.parametrize("size", [1, 0, -2])
def test_a_size_below_one_counts_as_one(size: int) -> None:
    """The last call is always remembered."""
    func = Counted(lambda value: [value])
    memoized = lru_memoize(func, max_size=size)
    assert memoized(1) is memoized(1)
    memoized(2)
    memoized(1)
    assert func.times == 3


@pytest.mark.parametrize("size", [1, 3])
def test_a_result_equal_to_a_remembered_one_is_that_one(size: int) -> None:
    """It is remembered for the new arguments too, so the function does not run for them again."""
    func = Counted(lambda items: [item // 10 for item in items])
    memoized = lru_memoize(func, max_size=size, result_equality_check=operator.eq)
    old, new = [10, 20], [11, 21]
    first = memoized(old)
    assert memoized(new) is first
    assert func.times == 2
    assert memoized(new) is first
    assert func.times == 2
    assert memoized.results_count() == 1


def test_results_are_compared_with_all_that_are_remembered() -> None:
    """The latest first; nothing is asked about the first result."""
    equal = Counted(operator.eq)
    memoized = lru_memoize(lambda n: [n % 3], max_size=3, result_equality_check=equal)
    results = [memoized(number) for number in range(3)]
    assert equal.calls == [([0], [1]), ([1], [2]), ([0], [2])]
    assert memoized(3) is results[0]


def test_none_is_a_result_like_any_other() -> None:
    """It is remembered."""
    func = Counted(lambda _: None)
    memoized = lru_memoize(func)
    assert memoized(1) is memoized(1) is None
    assert func.times == 1


def test_an_exception_is_not_remembered() -> None:
    """And leaves what is."""
    func = Counted(lambda number: 6 // number)
    memoized = lru_memoize(func)
    assert memoized(3) == 2
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            memoized(0)
    assert memoized(3) == 2
    assert func.times == 3


def test_the_cache_can_be_cleared_and_the_count_too() -> None:
    """Clearing sets the count of results to 0 as well."""
    func = Counted(lambda value: value)
    memoized = lru_memoize(func, max_size=2)
    memoized(1)
    memoized(2)
    memoized.reset_results_count()
    assert memoized.results_count() == 0
    memoized.clear_cache()
    memoized(1)
    assert func.times == 3
    assert memoized.results_count() == 1


def test_a_draft_is_passed_on_and_never_remembered() -> None:
    """The function sees the draft itself at each call."""
    seen = Mock(side_effect=lambda part, *_, **__: len(part))
    memoized = lru_memoize(seen, operator.eq, max_size=5)

    def program(s: Any) -> None:
        for part in (s.values, s.rows, s.tags):
            assert memoized(part) == memoized(part, 1) == memoized(part, more=part) == len(part)
            part.clear()
            assert memoized(part) == memoized(part, 1) == memoized(part, more=part) == 0

    opened()[1](program)
    assert seen.call_count == 18
    assert memoized.results_count() == 0


def test_references_are_equal_by_identity_and_values_by_type_and_value() -> None:
    """The default equality of arguments."""
    thing = Thing()
    for same in (thing, [], 10**20, "x", 1.5, None, b"x", float("nan")):
        assert reference_equality_check(same, same)
    assert reference_equality_check(10**20, int("1" + "0" * 20))
    assert reference_equality_check("ab", "".join(["a", "b"]))
    for one, other in (
        (thing, Thing()),
        ([], []),
        ((), [*()]),
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", 1),
        (b"x", "x"),
        (None, False),
        (float("nan"), float("nan")),
    ):
        assert not reference_equality_check(one, other)
        assert not reference_equality_check(other, one)

"""The development checks: what they find, how often they look, and what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import pytest

from crdtstore.errors import CrdtstoreWarning
from crdtstore.selectors import (
    create_selector,
    create_structured_selector,
    lru_memoize,
    set_global_dev_mode_checks,
    weak_map_memoize,
)
from crdtstore.selectors.checks import _global
from tests.draft.running import opened
from tests.selectors.states import Counted, a, b, state

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    """Leave the global settings as they were."""
    before = _global.copy()
    yield
    set_global_dev_mode_checks(**before)


@contextmanager
def advice() -> Iterator[list[str]]:
    """Collect the texts of the warnings."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    assert all(each.category is CrdtstoreWarning for each in caught)
    texts += [str(each.message) for each in caught]


def pair(x: Any, y: Any = None) -> Any:
    """Build a new object, as no input selector should."""
    return [x, y]


def total(both: Any) -> Any:
    """Add up a pair."""
    return sum(both)


def unchanged(value: Any) -> Any:
    """Return the input, as no result function should."""
    return value


# Unstable inputs


def test_an_input_that_builds_a_new_object_is_warned_of() -> None:
    """The inputs run twice at the first computation; what they read out of the state passes."""
    unstable = Counted(pair)
    with advice() as texts:
        assert create_selector(unstable, total)(1, 2) == 3
    assert unstable.calls == [(1, 2), (1, 2)]
    assert len(texts) == 1
    with advice() as texts:
        assert create_selector(lambda x: x, lambda _, y: y, lambda x, y: x + y)(1, 2) == 3
        assert create_selector(attrgetter("items"), b, lambda x, y: [x, y])(state())
    assert texts == []


def test_the_warning_names_selector_and_input_and_says_what_to_do() -> None:
    """It is issued at the line of the input that is to be changed."""
    selector = create_selector(a, pair, b, lambda *values: str(values))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        selector(state())
    (warning,) = caught
    assert re.fullmatch(
        r"test_the_warning_names.*<lambda> \(test_checks\.py:\d+\): its input selector 2 of 3, "
        r"pair \(test_checks\.py:\d+\), gave a different object when it was called again with the "
        r"same arguments, so the result is computed anew at every change of the state; let it "
        r"return what the state holds, and build new objects in the result function",
        str(warning.message),
    )
    assert warning.filename == __file__
    assert warning.lineno == pair.__code__.co_firstlineno


def test_every_unstable_input_is_named() -> None:
    """And only those."""
    with advice() as texts:
        create_selector(pair, a, pair, b, lambda *values: str(values))(state())
    assert [re.findall(r"selector (\d) of 4, (\w+)", text) for text in texts] == [
        [("1", "pair")],
        [("3", "pair")],
    ]


def test_an_input_without_a_line_is_warned_of_where_it_is_called() -> None:
    """A builtin has no place in the sources."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create_selector(itemgetter(slice(2)), len)([1, 2, 3])
    (warning,) = caught
    assert "selector 1 of 1, operator.itemgetter(slice(None, 2, None)), gave" in str(
        warning.message
    )
    assert warning.filename == __file__


def test_the_memoizer_decides_what_is_different() -> None:
    """Lists that are equal are the same to a memory that compares by value."""
    unstable = Counted(pair)
    for options in (
        {"memoize_options": {"equality_check": lambda x, y: x == y}},
        {"memoize_options": [lambda x, y: x == y]},
    ):
        unstable.calls.clear()
        with advice() as texts:
            assert create_selector(unstable, total, memoize=lru_memoize, **options)(1, 2) == 3
        assert unstable.times == 2
        assert texts == []


@pytest.mark.parametrize("memoize", [weak_map_memoize, lru_memoize])
@pytest.mark.parametrize("read", [lambda s: s.items, lambda s: [*s.items]])
def test_results_of_the_check_are_not_shown_to_the_user_s_equality(memoize: Any, read: Any) -> None:
    """``result_equality_check`` only ever gets results of the result function."""
    equal = Counted(lambda x, y: x == y)
    selector = create_selector(
        read,
        lambda items: [1, *items],
        memoize=memoize,
        memoize_options={"result_equality_check": equal},
        dev_mode_checks={"input_stability_check": "always"},
    )
    with advice():
        assert selector(state()) is selector(state()) == [1, 1, 2, 3]
    assert equal.calls == [([1, 1, 2, 3], [1, 1, 2, 3])]


def test_a_draft_is_checked_as_what_it_shows() -> None:
    """Inputs that are stable for states are stable in reducers."""
    selector = create_selector(lambda s: s.items, lambda s: s.title, lambda x, y: [len(x), str(y)])

    def program(s: Any) -> None:
        s.items.pop()
        s.title.insert(0, "x")
        assert selector(s) == [2, "xtitle"]

    with advice() as texts:
        opened()[1](program)
    assert not [text for text in texts if "selector" in text]


def test_a_structured_selector_is_named_by_its_keys() -> None:
    """Its result function has no place in the user's sources."""
    with advice() as texts:
        create_structured_selector({"x": a, "y": pair})(state())
    (text,) = texts
    assert text.startswith("create_structured_selector(x, y): its input selector 2 of 2, pair (")


# Identity functions


def test_a_result_function_that_returns_its_input_is_warned_of() -> None:
    """It is called once more, with an object that it cannot know."""
    same = Counted(unchanged)
    with advice() as texts:
        old = state()
        assert create_selector(lambda s: s, same)(old) is old
    assert same.times == 2
    assert len(texts) == 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create_selector(a, unchanged)(state())
    (warning,) = caught
    assert str(warning.message).startswith(
        "the result function of a selector, unchanged (test_checks.py:"
    )
    assert "use the input selector itself" in str(warning.message)
    assert warning.lineno == unchanged.__code__.co_firstlineno


def test_a_result_function_that_only_now_returns_its_input_passes() -> None:
    """Whether it depends on the input, picks one of several, or fails on another object."""
    with advice() as texts:
        old = state("text", "")
        create_selector(a, lambda value: value if isinstance(value, str) else None)(old)
        create_selector(b, lambda value: None if value else value)(old)
        create_selector(a, lambda value: value + "")(old)
        create_selector(a, b, lambda first, _: first)(old)
        create_selector(a, b, lambda first, second=None: first)(old)
        create_selector(a, lambda value: value.number)(state(old_with_number()))
    assert texts == []


def old_with_number() -> Any:
    """Return an object that is its own number."""

    class Own:
        @property
        def number(self) -> Own:
            return self

    return Own()


# How often


def runs(selector: Callable[..., Any]) -> list[int]:
    """Count the warnings of three computations and a known result."""
    counts = []
    for old in (first := state(1), state(2), state(3), first):
        with advice() as texts:
            selector(old)
        counts.append(len(texts))
    return counts


EXPECTED = {"once": [2, 0, 0, 0], "always": [2, 2, 2, 0], "never": [0, 0, 0, 0]}


def wrong_in_both_ways(**options: Any) -> Any:
    """Make a selector with an unstable input that its result function returns."""
    return create_selector(pair, unchanged, **options)


@pytest.mark.parametrize("frequency", EXPECTED)
def test_a_check_runs_as_often_as_its_selector_says(frequency: Any) -> None:
    """Once is at the first computation; a known result is never checked."""
    checks = {"input_stability_check": frequency, "identity_function_check": frequency}
    assert runs(wrong_in_both_ways(dev_mode_checks=checks)) == EXPECTED[frequency]


@pytest.mark.parametrize("frequency", EXPECTED)
def test_a_check_runs_as_often_as_the_global_setting_says(frequency: Any) -> None:
    """For selectors that exist already too; what a selector says itself goes first."""
    selector = wrong_in_both_ways()
    own = wrong_in_both_ways(dev_mode_checks={"identity_function_check": "once"})
    set_global_dev_mode_checks(input_stability_check=frequency, identity_function_check="never")
    assert runs(selector) == [count // 2 for count in EXPECTED[frequency]]
    assert runs(own)[0] == EXPECTED[frequency][0] // 2 + 1


@pytest.mark.parametrize("checks", [None, {}])
def test_checks_run_once_if_nobody_says_otherwise(checks: Any) -> None:
    """The default, and what an empty dict of settings means."""
    options = {} if checks is None else {"dev_mode_checks": checks}
    assert runs(wrong_in_both_ways(**options)) == EXPECTED["once"]


def test_warnings_that_are_errors_do_not_break_a_selector() -> None:
    """The first call fails, loudly; it was the check, and the next one is served."""
    selector = create_selector(pair, total)
    with pytest.raises(CrdtstoreWarning):
        selector(1, 2)
    assert selector(1, 2) == 3


def test_unknown_checks_and_frequencies_are_refused() -> None:
    """The message lists those that there are."""
    wrong: Any = {"identity": "never"}
    with pytest.raises(ValueError, match=r"no check 'identity'; checks: input_stability_check, "):
        set_global_dev_mode_checks(**wrong)
    wrong = {"identity_function_check": "sometimes"}
    with pytest.raises(ValueError, match=r"expected one of 'always', 'once', 'never', got 'some"):
        create_selector(a, len, dev_mode_checks=wrong)


def test_nothing_is_checked_under_dash_o() -> None:
    """An optimised program runs its inputs once and hears no warnings."""
    program = """
from crdtstore.selectors import create_selector
calls = []
selector = create_selector(lambda s: calls.append(s) or [s], lambda items: items)
assert selector(1) == [1] and selector(2) == [2]
print(calls)
"""
    done = subprocess.run(
        [sys.executable, "-O", "-W", "error", "-c", program.replace("assert ", "_ = ")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[1, 2]\n", "")

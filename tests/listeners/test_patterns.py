"""The ways of saying what a listener is for, and how many arguments a predicate takes."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from crdtstore import Action, RootState, create_action
from crdtstore.listeners.patterns import Pattern, asked
from tests.listeners.stage import add, counts, others

ACTION = Action("a", 1)
NOW, BEFORE = RootState({"counts": 2, "others": 0}), RootState({"counts": 1, "others": 0})


def three(*args: Any) -> Any:
    return args


class Method:
    def one(self, action: Any) -> Any:
        return (action,)

    def __call__(self, action: Any, current: Any) -> Any:
        return (action, current)


def test_a_predicate_gets_as_many_arguments_as_it_needs() -> None:
    """The first of ``(action, current, previous)``; defaults are its own business."""
    whole = (ACTION, NOW, BEFORE)
    cases: list[tuple[Any, Any]] = [
        (lambda: (), ()),
        (lambda action: (action,), whole[:1]),
        (lambda action, current: (action, current), whole[:2]),
        (lambda action, current, previous: (action, current, previous), whole),
        (lambda action, wanted=5: (action, wanted), (ACTION, 5)),
        (lambda action, *, wanted=5: (action, wanted), (ACTION, 5)),
        (three, whole),
        (partial(three, 0), (0, *whole)),
        (Method().one, whole[:1]),
        (Method(), whole[:2]),
    ]
    for predicate, expected in cases:
        assert asked(predicate, "predicate")(*whole) == expected


def test_functions_without_a_signature_get_the_action() -> None:
    """As builtins in C that say nothing of themselves."""
    assert asked(type, "predicate")(ACTION, NOW, BEFORE) is Action
    assert asked(threading.Event().is_set, "predicate")(ACTION, NOW, BEFORE) is False


def test_a_creator_stands_for_its_actions() -> None:
    """As a matcher or predicate; calling it would say yes to everything."""
    for pattern in (Pattern.of(matcher=add), Pattern.of(predicate=add)):
        assert pattern.test is not None
        assert not pattern.test(ACTION, NOW, BEFORE)
        assert pattern.test(add(2), NOW, BEFORE)
        assert pattern.key == Pattern.of(matcher=add.match).key


def test_a_type_and_its_creator_are_the_same() -> None:
    """Neither needs a test: entries are found by type."""
    one, two = Pattern.of(type="counts/add"), Pattern.of(action_creator=add)
    assert one == two
    assert one.test is None
    assert Pattern.of(action_creator=create_action("x")).type == "x"


def test_slices_are_compared_by_identity() -> None:
    """By the name they have in the state; what is in neither state has not changed."""

    def changed(slices: Any, now: Any = NOW) -> Any:
        test = Pattern.of(slices=slices).test
        assert test is not None
        return test(ACTION, now, BEFORE)

    assert changed(counts)
    assert changed("counts")
    assert not changed(others)
    assert changed([others, "counts"])
    assert not changed("elsewhere")
    assert not changed([counts], BEFORE)
    assert changed("new", RootState({**BEFORE, "new": 1}))
    assert Pattern.of(slices=[counts, others]).key == Pattern.of(slices=("others", "counts")).key


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "exactly one of type, action_creator, matcher, predicate, slices; got none of them"),
        ({"type": "a", "slices": counts}, "got type= and slices="),
        ({"type": ""}, "non-empty str"),
        ({"action_creator": "a"}, "action_creator= is an action creator, got 'a'"),
        ({"matcher": 5}, "matcher= is a function of an action, got 5"),
        ({"predicate": 5}, "predicate= is a function of an action, got 5"),
        ({"predicate": lambda a, b, c, d: 1}, r"got a function of \(a, b, c, d\)"),
        ({"slices": ()}, "got none at all"),
        ({"slices": [5]}, "got 5"),
    ],
)
def test_a_refusal_says_what_is_expected_and_what_came(wrong: dict[str, Any], words: str) -> None:
    """So that one need not look it up."""
    with pytest.raises(TypeError, match=words):
        Pattern.of(**wrong)

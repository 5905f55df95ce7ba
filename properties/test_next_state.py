"""Changing plain data in a copy: what a deep copy gives, with no more new objects than needed."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtstore.next_state import create_next_state

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
data = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=2), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def change(draft: Any, choices: list[int], new: Any) -> list[Any]:
    """Go down as the choices say, write something, and return the containers on the way."""
    way = [draft]
    for choice in choices:
        inner = [each for each in parts(way[-1]) if isinstance(each, (list, dict))]
        if not inner:
            break
        way.append(inner[choice % len(inner)])
    if isinstance(way[-1], list):
        way[-1].insert(0, new)
    elif isinstance(way[-1], dict):
        way[-1]["new"] = new
    return way


@given(data, data, st.lists(st.integers(0, 3), max_size=5))
def test_the_result_is_that_of_a_deep_copy(base: Any, new: Any, choices: list[int]) -> None:
    """Nothing is lost or added, the base is as it was, and it comes back where nothing changed."""
    before = copy.deepcopy(base)
    expected = copy.deepcopy(base)
    change(expected, choices, new)

    def recipe(draft: Any) -> None:
        change(draft, choices, new)

    after = create_next_state(base, recipe)
    assert repr(after) == repr(expected)
    assert repr(base) == repr(before)
    assert (after is base) == (repr(after) == repr(base))


@given(data, data, st.lists(st.integers(0, 3), max_size=5))
def test_only_what_lies_on_the_way_to_a_change_is_new(
    base: Any, new: Any, choices: list[int]
) -> None:
    """Every part beside the way is the original object, as is everything in it."""
    depth: list[int] = []

    def recipe(draft: Any) -> None:
        depth.append(len(change(draft, choices, new)))

    after = create_next_state(base, recipe)
    originals = {id(each) for each in inside(base)}
    fresh = [each for each in inside(after) if id(each) not in originals]
    added = {id(each) for each in inside(new)}
    assert len([each for each in fresh if id(each) not in added]) <= depth[0]


def inside(value: Any) -> list[Any]:
    """All containers in a value, itself included."""
    if not isinstance(value, (list, dict, tuple)):
        return []
    return [value, *(each for part in parts(value) for each in inside(part))]

"""A reducer without a store does what it does in one, and shares what it did not change."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from crdtstore import Action, TableView, configure_store, current, original
from crdtstore.reducers import create_reducer
from crdtstore.views import fields_of
from properties.histories import commands
from properties.kitchen import Command, Fresh, Kitchen, Script, kitchen, run
from properties.plain_twin import alike, bare

scripts = st.lists(st.lists(commands, max_size=4), min_size=1, max_size=4)


def script(written: list[Command], part: int = 0) -> Script:
    """Make a script; the same numbers make the same one, but for the names of new elements."""
    fresh = Fresh()
    fresh(97 * part)
    return Script(written, fresh)


def check_shared(before: Any, after: Any, played: Script) -> None:
    """Check that fields, rows and elements that a script did not touch are the same objects."""
    touched = {effect.path[:depth] for effect in played.effects for depth in (1, 2)}
    reshaped = {effect.path for effect in played.effects}  # with (name,) if rows came or went
    for name, old in fields_of(before):
        new = getattr(after, name)
        if (name,) not in touched:
            assert new is old
        elif isinstance(old, TableView) and (name,) not in reshaped:
            for key in old.keys() & new.keys():
                assert new[key] is old[key] or (name, key) in touched


@given(scripts)
def test_reduce_ends_where_a_store_does(written: list[list[Command]]) -> None:
    """From every state on the way, in content and types; what did not change is the same object."""
    with configure_store([kitchen]) as store:
        for each in written:
            before = store[kitchen]
            played = script(each)
            reduced = kitchen.reduce(before, run(played))
            store.dispatch(run(script(each)))
            assert alike(bare(reduced), bare(store[kitchen]))
            check_shared(before, reduced, played)


@given(scripts)
def test_reducers_in_a_row_are_as_good_as_dispatches_in_a_row(written: list[list[Command]]) -> None:
    """Several cases that run for one action leave what they would leave for one action each."""

    def doing(each: list[Command], part: int, state: Any) -> None:
        script(each, part)(state)

    def one_by_one(builder: Any) -> None:
        for part, each in enumerate(written):
            builder.add_matcher(lambda action: True, partial(doing, each, part))

    together = create_reducer(kitchen.get_initial_state(), one_by_one)
    state = kitchen.get_initial_state()
    for part, each in enumerate(written):
        state = kitchen.reduce(state, run(script(each, part)))
    assert alike(bare(together(None, Action("any"))), bare(state))


@given(st.lists(commands, max_size=6))
@example([Command("insert", 100), Command("remove", 28)])  # into an empty map, and out again
def test_current_shares_what_was_not_edited(written: list[Command]) -> None:
    """Halfway through a reducer as well, so that selectors can be used there."""

    def check(state: Any) -> None:
        played = script(written)
        played(state)
        now = current(state)
        check_shared(original(state), now, played)
        assert alike(bare(now), bare(current(state)))

    reducer = create_reducer(Kitchen(), lambda builder: builder.add_case("x", check))
    reducer(None, Action("x"))

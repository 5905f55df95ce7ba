"""Keys that exist, looked up late."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from crdtstore import RootState, configure_store
from crdtstore.testing.keys import Pick, Unresolved, key_of, lookup, resolved
from tests.testing.samples import Colour, Todo, add, label, paint, put, tag, todos


def state_of(*actions: object) -> RootState:
    with configure_store([todos]) as store:
        for action in actions:
            store.dispatch(action)  # type: ignore[call-overload]
        return store.state


def test_a_number_picks_among_the_keys_there_are() -> None:
    """Numbers go round the keys of a map, whichever those are."""
    state = state_of(label("x", 1), label("y", 2))
    picked = [lookup(Pick("labels", number), state, "todos") for number in range(3)]
    assert picked == ["x", "y", "x"]


def test_elements_of_sets_are_keys() -> None:
    """A set's keys are its elements."""
    state = state_of(paint(Colour.RED, "n"))
    assert lookup(Pick("names", 5), state, "todos") == "n"


def test_lists_have_indices_and_lasting_keys() -> None:
    """An int gets an index of a list, a str the element's lasting key."""
    state = state_of(add("a"), add("b"))
    assert lookup(Pick("items", 3, index=True), state, "todos") == 1
    assert lookup(Pick("items", 1), state, "todos") == state.todos.items.key_at(1)


def test_dotted_paths_go_through_rows() -> None:
    """A star stands for every row."""
    state = state_of(put(Todo("t")))
    (key,) = state.todos.rows
    with configure_store([todos]) as store:
        store.dispatch(put(Todo("t")))
        (key,) = store.state.todos.rows
        store.dispatch(tag(key, "urgent"))
        assert lookup(Pick("rows.*.tags", 0), store.state, "todos") == "urgent"


def test_other_slices_are_reached_by_name() -> None:
    """A path that begins with a slice's name looks there."""
    state = state_of(label("x", 1))
    assert lookup(Pick("todos.labels", 0), state, "another") == "x"


def test_unknown_keys_are_not_there() -> None:
    """A pick of an unknown key gives one that no replica has here."""
    state = state_of(label("a", 1), label("b", 1), label("c", 1), add("x"))
    for number in range(4):
        assert lookup(Pick("labels", number, known=False), state, "todos") not in "abc"
        assert lookup(Pick("items", number, False, index=True), state, "todos") >= 1


def test_nothing_to_pick_is_no_mistake() -> None:
    """Where nothing is yet there is nothing to pick, which says so and is skipped."""
    with pytest.raises(Unresolved):
        lookup(Pick("labels", 0), state_of(), "todos")


def test_a_path_that_no_state_has_is_a_mistake() -> None:
    """A misspelt field is reported with its path, and so is one that holds no keys."""
    with pytest.raises(LookupError, match=r"key_of\('lables'\).*'todos' has no 'lables'"):
        lookup(Pick("lables", 0), state_of(), "todos")
    with pytest.raises(LookupError, match="expected a List, Table, Map or Set"):
        lookup(Pick("colour", 0), state_of(), "todos")
    with pytest.raises(ValueError, match="key_of takes a field"):
        key_of("a..b")


@dataclass
class Both:
    left: object
    right: object


def test_picks_are_found_wherever_they_are() -> None:
    """Picks in containers and dataclasses are replaced; what holds none stays the same object."""
    pick = Pick("x", 1)
    given = {"a": [pick, (pick,)], "b": Both(pick, 2), "c": {pick}}
    assert resolved(given, lambda _: "k") == {"a": ["k", ("k",)], "b": Both("k", 2), "c": {"k"}}
    untouched = [1, Both([2], 3)]
    assert resolved(untouched, lambda _: "k") is untouched

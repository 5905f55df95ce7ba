"""Drafts of lists: what they record, and that elements keep their keys."""

from __future__ import annotations

import random
from typing import Any

import pytest

from crdtstore import ReducerError, StateValueError
from crdtstore.changes import Insert, Move, Put, Remove
from crdtstore.draft.lists import ListDraft
from tests.draft.running import Todo, changes_of, opened, state_after


def kinds(program: Any) -> list[str]:
    """The kinds of the changes that a program records."""
    return [type(change).__name__ for change in changes_of(program)]


def keys(items: Any) -> dict[str, str]:
    """The key of each element by title."""
    return {str(item.title): items.key_at(at) for at, item in enumerate(items)}


def test_appending_records_one_insert_after_the_last() -> None:
    """An insert names its neighbour by key, and carries the whole row."""
    first, second = changes_of(lambda s: s.items.extend([Todo("d"), Todo("e")]))
    assert isinstance(first, Insert)
    assert isinstance(second, Insert)
    assert (first.path, second.path) == (("items", "new0"), ("items", "new1"))
    assert second.after == "new0"
    assert second.row == Todo("e")


def test_assigning_to_an_element_edits_its_fields() -> None:
    """``items[0] = x`` keeps the element's key and writes only what differs."""

    def program(state: Any) -> None:
        state.items[0] = Todo("ab", votes=2)

    assert kinds(program) == ["Splice", "Add"]
    store, dispatch = opened()
    before = store.state.s.items.key_at(0)
    dispatch(program)
    assert store.state.s.items[0] == Todo("ab", votes=2)
    assert store.state.s.items.key_at(0) == before


def test_filtering_a_list_records_removals_only() -> None:
    """``items = [x for x in items if …]`` keeps the elements it keeps, keys and all."""

    def program(state: Any) -> None:
        state.items = [item for item in state.items if item.title != "b"]

    assert kinds(program) == ["Remove"]


def test_sorted_assignment_moves() -> None:
    """Assigning the same elements in another order records the fewest moves."""

    def program(state: Any) -> None:
        state.items = sorted(state.items, key=lambda t: t.title, reverse=True)

    assert kinds(program) == ["Move", "Move"]
    store, dispatch = opened()
    before = keys(store.state.s.items)
    dispatch(program)
    assert keys(store.state.s.items) == before
    assert [t.title for t in store.state.s.items] == ["c", "b", "a"]


def test_equal_elements_of_an_assigned_list_are_kept() -> None:
    """Whole assignment from plain data, a reloaded file say, changes only what differs."""

    def program(state: Any) -> None:
        state.items = [Todo("new"), Todo("a"), Todo("c")]

    assert kinds(program) == ["Remove", "Insert"]
    assert [t.title for t in state_after(program).items] == ["new", "a", "c"]


def test_snapshots_of_the_list_keep_their_keys_when_assigned() -> None:
    """Elements read from ``store.state`` are recognised as the elements they are."""
    store, dispatch = opened()
    before = keys(store.state.s.items)
    snapshots = list(store.state.s.items)[::-1]
    dispatch(lambda state: setattr(state, "items", snapshots))
    assert keys(store.state.s.items) == before
    assert [t.title for t in store.state.s.items] == ["c", "b", "a"]


def test_an_element_twice_in_an_assigned_list_is_copied() -> None:
    """An element can be at one place only; the second one is a new element."""

    def program(state: Any) -> None:
        state.items = [state.items[0], state.items[0]]
        state.items[1].title = "copy"

    assert [t.title for t in state_after(program).items] == ["a", "copy"]


def test_two_elements_can_be_swapped_by_assignment() -> None:
    """``x[i], x[j] = x[j], x[i]`` and ``random.shuffle`` lose no element."""

    def swap(state: Any) -> None:
        state.items[0].votes += 5
        state.items[0], state.items[2] = state.items[2], state.items[0]

    state = state_after(swap)
    assert [(t.title, t.votes) for t in state.items] == [("c", 0), ("b", 0), ("a", 5)]
    shuffled = state_after(lambda s: random.Random(7).shuffle(s.items)).items
    assert sorted(t.title for t in shuffled) == ["a", "b", "c"]
    turned = state_after(lambda s: s.items.__setitem__(slice(None, None, -1), s.items[:])).items
    assert [t.title for t in turned] == ["c", "b", "a"]


def test_a_popped_element_can_be_put_in_again() -> None:
    """``insert(j, pop(i))`` works as in Python: the element's content goes with it."""

    def program(state: Any) -> None:
        item = state.items.pop(0)
        item.votes += 3
        item.meta["k"] = [1]
        item.meta["k"].append(2)
        state.items.append(item)
        item.done = True
        state.rows["popped"] = item

    state = state_after(program)
    assert [t.title for t in state.items] == ["b", "c", "a"]
    assert state.items[2] == state.rows["popped"] == Todo("a", True, 3, meta={"k": [1, 2]})


def test_a_removed_element_is_detached() -> None:
    """What is done to an element after it was removed stays with the object."""

    def program(state: Any) -> None:
        kept = state.items[1]
        del state.items[1]
        kept.done = True
        kept.extra = [1]
        kept.extra.append(2)
        kept.address.street = "elsewhere"
        assert (kept.done, kept.extra, kept.label) == (True, [1, 2], "b!")

    assert kinds(program) == ["Remove"]
    assert [t.title for t in state_after(program).items] == ["a", "c"]


def test_an_element_that_comes_and_goes_is_not_recorded() -> None:
    """Insert and remove in one reducer cancel, with all that was done in between."""

    def program(state: Any) -> None:
        state.items.insert(1, Todo("passing"))
        state.items[1].votes += 1
        state.items[1].address.street = "x"
        state.items.append(Todo("kept"))
        del state.items[1]

    assert kinds(program) == ["Insert"]
    assert [t.title for t in state_after(program).items] == ["a", "b", "c", "kept"]


def test_an_element_that_others_were_placed_after_is_recorded() -> None:
    """The place of a new element may be known only by a neighbour that is gone again."""

    def program(state: Any) -> None:
        state.items.append(Todo("passing"))
        state.items.append(Todo("kept"))
        del state.items[3]

    assert kinds(program) == ["Insert", "Insert", "Remove"]
    assert [t.title for t in state_after(program).items] == ["a", "b", "c", "kept"]


def test_emptying_what_was_filled_records_nothing() -> None:
    """Elements placed after one another cancel together when all of them go."""

    def program(state: Any) -> None:
        state.items.extend([Todo("1"), Todo("2"), Todo("3")])
        del state.items[3:]

    assert changes_of(program) == []


def test_move_moves_one_element() -> None:
    """``move(i, j)`` records one move, and none to where the element is."""
    (change,) = changes_of(lambda s: s.items.move(2, 0))
    assert isinstance(change, Move)
    assert change.after is None
    assert changes_of(lambda s: s.items.move(1, 1)) == []
    assert [t.title for t in state_after(lambda s: s.items.move(-1, -3)).items] == ["c", "a", "b"]


@pytest.mark.parametrize(("index", "to"), [(3, 0), (0, 3), (-4, 0), (0, -4)])
def test_move_stays_within_the_list(index: int, to: int) -> None:
    """Positions outside raise ``IndexError`` with the length."""
    with pytest.raises(IndexError, match=f"cannot move {index} to {to}: the list has 3 elements"):
        state_after(lambda s: s.items.move(index, to))


def test_keys_lead_to_elements_and_back() -> None:
    """``key_at`` and ``index_of`` are each other's inverse; a key that is gone raises."""

    def program(state: Any) -> None:
        for at in range(3):
            assert state.items.index_of(state.items.key_at(at)) == at
        gone = state.items.key_at(0)
        del state.items[0]
        with pytest.raises(KeyError):
            state.items.index_of(gone)

    state_after(program)


def test_an_element_of_plain_values_is_assigned_as_one_value() -> None:
    """Elements that are no records are registers: assigning one is one write."""

    def program(state: Any) -> None:
        state.values[1] = 9
        state.values[0] = 3

    (change,) = changes_of(program)
    assert isinstance(change, Put)
    assert (change.value, change.was) == (9, 1)


def test_lists_of_wrong_elements_are_refused_whole() -> None:
    """A bad element names its position, and the action changes nothing."""
    store, dispatch = opened()
    before = store.state
    with pytest.raises(StateValueError, match=r"s\.items\[4\]: expected Todo, got int: 5"):
        dispatch(lambda s: s.items.extend([Todo("fine"), 5]))
    assert store.state is before


def test_what_was_removed_says_where_it_was() -> None:
    """A removal keeps the row as it was shown, edits included, and its neighbour, for undo."""

    def program(state: Any) -> None:
        state.items[1].votes += 4
        del state.items[1]

    changes = changes_of(program)
    gone = changes[-1]
    assert isinstance(gone, Remove)
    assert gone.was == Todo("b", votes=4)
    assert gone.after == opened()[0].state.s.items.key_at(0)


def test_a_list_edited_in_two_ways_at_once_is_refused() -> None:
    """A list that was assigned is followed, until the state's own is edited too."""

    def followed(state: Any) -> None:
        mine = [Todo("x")]
        state.items = mine
        mine.append(Todo("y"))
        assert len(state.items) == 2
        mine.append(Todo("z"))

    def torn(state: Any) -> None:
        mine = [Todo("x")]
        state.items = mine
        state.items.append(Todo("y"))
        mine.append(Todo("z"))

    assert [t.title for t in state_after(followed).items] == ["x", "y", "z"]
    with pytest.raises(ReducerError, match=r"s\.items: a reducer changed this list, and also"):
        state_after(torn)


def test_a_list_draft_shows_itself_as_the_list() -> None:
    """``repr`` in a debugger is that of a list of drafts."""

    def program(state: Any) -> None:
        assert isinstance(state.items, ListDraft)
        assert repr(state.values) == "[3, 1, 2]"
        assert repr(state.items[:1]).startswith("[Todo(title='a', done=False, votes=0, tags=set()")

    state_after(program)


def test_a_slice_can_be_one_list() -> None:
    """A slice whose whole state is a List is changed in place or replaced."""
    assert state_after(lambda values: values.append(4), initial=[1]) == [1, 4]
    assert state_after(lambda values: [v + 1 for v in values], initial=[1]) == [2]

"""Drafts of tables, maps and sets: what they record, and what they refuse."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from crdtstore import StateValueError, Table
from crdtstore.changes import ABSENT, Insert, Put, Remove
from tests.draft.running import Todo, changes_of, opened, state_after


def kinds(program: Any) -> list[str]:
    """The kinds of the changes that a program records."""
    return [type(change).__name__ for change in changes_of(program)]


def test_a_row_is_edited_field_by_field() -> None:
    """Editing one row records that row's fields, and nothing of the others."""

    def program(state: Any) -> None:
        state.rows["x"].done = True
        state.rows["x"].address.visits += 1

    assert [change.path for change in changes_of(program)] == [
        ("rows", "x", "done"),
        ("rows", "x", "address", "visits"),
    ]


def test_assigning_to_a_key_puts_a_fresh_row() -> None:
    """A row put over another replaces it whole, and remembers it for undo."""
    (change,) = changes_of(lambda s: s.rows.__setitem__("x", Todo("other")))
    assert isinstance(change, Insert)
    assert (change.row, change.was) == (Todo("other"), Todo("row x"))
    (fresh,) = changes_of(lambda s: s.rows.__setitem__("z", Todo("new")))
    assert isinstance(fresh, Insert)
    assert fresh.was is ABSENT


def test_a_row_that_comes_and_goes_is_not_recorded() -> None:
    """Put and delete in one reducer cancel; an old row and its successor are one removal."""

    def passing(state: Any) -> None:
        state.rows["z"] = Todo("z")
        state.rows["z"].votes += 1
        del state.rows["z"]

    def replaced_and_gone(state: Any) -> None:
        del state.rows["x"]
        state.rows["x"] = Todo("second")
        del state.rows["x"]

    assert changes_of(passing) == []
    assert kinds(replaced_and_gone) == ["Remove"]


def test_a_replaced_row_is_let_go() -> None:
    """Who holds the row that was there before writes into nothing."""

    def program(state: Any) -> None:
        old = state.rows["x"]
        state.rows["x"] = Todo("new")
        old.votes += 7
        assert (old.title, old.votes) == ("row x", 7)

    assert state_after(program).rows["x"] == Todo("new")


def test_rows_can_be_swapped() -> None:
    """``rows[a], rows[b] = rows[b], rows[a]`` swaps their content."""

    def program(state: Any) -> None:
        state.rows["x"].votes += 1
        state.rows["x"], state.rows["y"] = state.rows["y"], state.rows["x"]

    state = state_after(program)
    assert (state.rows["x"], state.rows["y"]) == (Todo("row y"), Todo("row x", votes=1))


def test_setdefault_gives_the_state_s_own_row() -> None:
    """What ``setdefault`` returns can be edited, whether it was there or not."""

    def program(state: Any) -> None:
        state.rows.setdefault("x", Todo("unused")).votes += 1
        state.rows.setdefault("z", Todo("z")).votes += 2
        state.entries.setdefault("list", []).append(1)
        state.entries.setdefault("list", []).append(2)
        assert state.entries.setdefault("none") is None

    state = state_after(program)
    assert (state.rows["x"].title, state.rows["x"].votes, state.rows["z"].votes) == ("row x", 1, 2)
    assert state.entries["list"] == [1, 2]
    assert state.entries["none"] is None


def test_a_row_may_be_given_as_a_dict() -> None:
    """A mapping with some of the fields makes a row; the others start at their defaults."""

    def program(state: Any) -> None:
        state.rows["d"] = {"title": "from a dict", "votes": 3, "address": {"street": "s"}}

    assert state_after(program).rows["d"].address.street == "s"


def test_assigning_a_whole_table_changes_what_differs() -> None:
    """Rows that are equal stay, others are put or removed."""

    def program(state: Any) -> None:
        state.rows = {"x": Todo("row x"), "z": Todo("z")}

    changes = changes_of(program)
    assert {(type(change), change.path) for change in changes} == {
        (Remove, ("rows", "y")),
        (Insert, ("rows", "z")),
    }


def test_containers_that_were_assigned_are_followed() -> None:
    """A dict or set that was put into the state can be filled afterwards, as in Python."""

    def program(state: Any) -> None:
        rows: dict[str, Todo] = {}
        entries: dict[str, Any] = {}
        tags: set[str] = set()
        state.rows, state.entries, state.tags = rows, entries, tags
        rows["a"] = Todo("a")
        rows["a"].done = True
        entries["e"] = [1]
        tags.add("late")
        assert set(state.tags) == {"late"}
        state.entries["mine"] = 1
        entries["e"].append(2)
        entries["f"] = 3
        tags.discard("late")
        tags.add("later")

    state = state_after(program)
    assert state.rows == {"a": Todo("a", True)}
    assert state.entries == {"e": [1, 2], "mine": 1, "f": 3}
    assert state.tags == {"later"}


@pytest.mark.parametrize("key", [1, None, ("a",), b"a", 1.5])
def test_keys_are_str(key: Any) -> None:
    """Other keys are refused by tables and maps, with what to write where it helps."""
    hint = r"; write str\(key\)" if isinstance(key, (int, float)) else ""
    for name, value in (("rows", Todo()), ("entries", 1)):
        with pytest.raises(StateValueError, match=rf"s\.{name}: expected a str as the key.*{hint}"):
            state_after(lambda s, n=name, v=value: getattr(s, n).__setitem__(key, v))
        with pytest.raises(StateValueError, match="expected a str as the key"):
            state_after(lambda s, n=name, v=value: setattr(s, n, {key: v}))

        def look(state: Any, name: str = name) -> None:
            assert key not in getattr(state, name)
            assert getattr(state, name).get(key, 7) == 7
            with pytest.raises(KeyError):
                getattr(state, name)[key]

        state_after(look)


def test_a_key_that_is_no_utf_8_is_refused() -> None:
    """Keys are text like any other."""
    with pytest.raises(StateValueError, match="surrogate"):
        state_after(lambda s: s.entries.__setitem__("\ud800", 1))


def test_strange_keys_are_kept_apart() -> None:
    """Keys that look like paths, escapes or nothing at all are just keys."""
    strange = ["", "/", "a/b", "a", "%", "%2F", "@", "#", "!", "a@b", "\0", "é", "e\u0301", "🙂"]

    def program(state: Any) -> None:
        state.entries = dict.fromkeys(strange, 1)
        for key in strange:
            state.rows[key] = Todo(key)
            state.rows[key].tags.add(key)
            state.rows[key].meta[key] = key

    state = state_after(program)
    assert set(state.entries) == set(strange)
    assert all(state.rows[key] == Todo(key, tags={key}, meta={key: key}) for key in strange)


def test_iteration_tolerates_changes_under_way() -> None:
    """A loop over a draft runs over the entries of its start."""

    def program(state: Any) -> None:
        for key in state.entries:
            state.entries[key + "2"] = 1
        for key in state.entries:
            del state.entries[key]
        for value in state.tags:
            state.tags.add(value + "2")

    state = state_after(program)
    assert state.entries == {}
    assert state.tags == {"t", "t2"}


def test_adding_an_equal_element_is_no_change() -> None:
    """Values that Python calls equal are one element; the first one stays."""

    def program(state: Any) -> None:
        state.tags.add(1)
        state.tags.add(True)
        state.tags.add(1.0)
        state.tags.add("t")

    (change,) = changes_of(program)
    assert isinstance(change, Put)
    assert change.value is 1 or change.value == 1  # noqa: F632
    assert type(change.value) is int


def test_what_cannot_be_in_a_set_is_not_in_it() -> None:
    """Looking for, or discarding, what state cannot hold finds nothing."""

    def program(state: Any) -> None:
        assert object() not in state.tags
        state.tags.discard(object())
        with pytest.raises(KeyError):
            state.tags.remove("absent")

    assert changes_of(program) == []


def test_set_operators_take_sets_only() -> None:
    """``tags |= "abc"`` is the same mistake as with a plain set."""

    def program(state: Any) -> None:
        state.tags |= "abc"

    with pytest.raises(TypeError, match="unsupported operand"):
        state_after(program)
    assert state_after(lambda s: s.tags.update("ab")).tags == {"t", "a", "b"}


def test_copies_are_plain() -> None:
    """``copy``, ``deepcopy`` and the operators that make a new container give ordinary ones."""

    def program(state: Any) -> None:
        for made, kind in (
            (state.entries.copy(), dict),
            (copy.copy(state.entries), dict),
            (copy.deepcopy(state.entries), dict),
            (state.entries | {"a": 1}, dict),
            ({"a": 1} | state.entries, dict),
            (state.rows.copy(), dict),
            (copy.deepcopy(state.rows), dict),
            (state.tags.copy(), set),
            (copy.deepcopy(state.tags), set),
            (state.tags | {1}, set),
            ({1} | state.tags, set),
            (state.tags.union([1]), set),
        ):
            assert type(made) is kind
        assert copy.deepcopy(state.rows)["x"] == Todo("row x")
        assert state.entries.to_plain() == {"k": [1], "n": 1}
        assert state.rows.to_plain()["x"]["title"] == "row x"
        assert state.tags.to_plain() == ["t"]

    assert changes_of(program) == []


def test_clearing_thousands_is_no_work_for_hours() -> None:
    """Emptying a large set or table takes one step an entry."""
    many = 3000
    store, dispatch = opened()
    dispatch(lambda s: s.tags.update(map(str, range(many))))
    dispatch(lambda s: s.tags.clear())
    assert store.state.s.tags == set()


def test_a_slice_can_be_one_table() -> None:
    """A slice whose whole state is a Table is changed in place or replaced."""
    assert state_after(
        lambda rows: rows.update(a=Todo("a")), initial=Table[Todo]({"b": Todo("b")})
    ) == {"a": Todo("a"), "b": Todo("b")}
    assert state_after(lambda _: {"c": Todo("c")}, initial=Table[Todo]()) == {"c": Todo("c")}
    assert state_after(lambda m: m.update(a=1), initial={}) == {"a": 1}
    assert state_after(lambda s: s.add(2), initial={1}) == {1, 2}

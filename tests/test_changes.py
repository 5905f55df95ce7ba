"""What a reducer did, as data: coalesced, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from crdtstore.changes import (
    ABSENT,
    Add,
    Arrange,
    Change,
    Insert,
    Move,
    Put,
    Remove,
    Splice,
    coalesce,
    invert,
)


def put(path: str, value: Any, was: Any = ABSENT) -> Put:
    """Write a ``Put`` shortly."""
    return Put((path,), value, was, value)


def drop(path: str, was: Any) -> Remove:
    """Write the removal of an entry shortly."""
    return Remove((path,), was, was)


def test_the_last_assignment_of_several_is_written() -> None:
    """With what was there before the first."""
    assert coalesce([put("a", 1, 0), put("b", 5, 4), put("a", 2, 1)]) == [
        put("a", 2, 0),
        put("b", 5, 4),
    ]


def test_what_comes_back_to_where_it_was_is_not_written() -> None:
    """Values, entries that came and went, entries that went and came, and sums of nothing."""
    assert coalesce([put("a", 1, 0), put("a", 0, 1)]) == []
    assert coalesce([put("a", 1), drop("a", 1)]) == []
    assert coalesce([drop("a", 1), put("a", 1)]) == []
    assert coalesce([Add(("n",), 2), Add(("n",), -2)]) == []


def test_an_equal_value_of_another_type_is_written() -> None:
    """``True`` is not back where ``1`` was."""
    assert coalesce([put("a", 5, 1), put("a", True, 5)]) == [put("a", True, 1)]


def test_an_entry_removed_and_put_again_is_put() -> None:
    """Over what was there before."""
    assert coalesce([drop("a", 1), put("a", 2)]) == [put("a", 2, 1)]
    assert coalesce([put("a", 2, 1), drop("a", 2)]) == [Remove(("a",), 1, 2)]


def test_increments_add_up() -> None:
    """At their place."""
    assert coalesce([Add(("n",), 2), Add(("m",), 1), Add(("n",), 3)]) == [
        Add(("n",), 5),
        Add(("m",), 1),
    ]


def test_edits_of_a_text_stay_as_they_are() -> None:
    """One after another."""
    edits: list[Change] = [Splice(("t",), 0, "", "ab"), Splice(("t",), 1, "b", "")]
    assert coalesce(edits) == edits


def test_writes_are_not_merged_across_a_change_of_structure() -> None:
    """What has the same path may be another row then."""
    row = put("x", 1, 0)._replace(path=("r", "k", "x"))
    changes: list[Change] = [
        row,
        Remove(("r", "k"), {"x": 1}),
        Insert(("r", "k"), {"x": 0}),
        row._replace(value=2, encoded=2),
    ]
    assert coalesce(changes) == changes


def test_a_row_that_came_and_went_was_never_there() -> None:
    """Nor was anything in it, also if it was put there several times."""
    row: Any = {"x": 0}
    inside = Put(("r", "k", "x"), 1, 0, 1)
    assert coalesce([Insert(("r", "k"), row), inside, Remove(("r", "k"), row)]) == []
    twice = [Insert(("r", "k"), row), Insert(("r", "k"), {"x": 1}, None, row)]
    assert coalesce([*twice, Remove(("r", "k"), row), put("a", 1, 0)]) == [put("a", 1, 0)]


def test_a_row_that_replaced_another_is_removed_all_the_same() -> None:
    """Taking a passing row out leaves the removal of what was there."""
    old: Any = {"x": 0}
    changes: list[Change] = [
        Remove(("r", "k"), old),
        Insert(("r", "k"), {"x": 1}),
        Remove(("r", "k"), {"x": 1}),
    ]
    assert coalesce(changes) == [Remove(("r", "k"), old)]


def test_a_passing_element_that_others_were_placed_after_stays_and_is_removed() -> None:
    """Or nobody would know where they belong."""
    changes: list[Change] = [
        Insert(("l", "a"), 1, None),
        Insert(("l", "b"), 2, "a"),
        Remove(("l", "a"), 1),
    ]
    assert coalesce(changes) == changes


INVERSES: list[tuple[Change, Change]] = [
    (put("a", 1, 0), Put(("a",), 0, 1, None)),
    (put("a", 1), drop("a", 1)),
    (put("a", None), Remove(("a",), None, False)),
    (drop("a", 1), put("a", 1)),
    (Remove(("a",), None, False), put("a", None)),
    (Add(("n",), 2), Add(("n",), -2)),
    (Splice(("t",), 3, "old", "new"), Splice(("t",), 3, "new", "old")),
    (Insert(("l", "k"), "row", "before"), Remove(("l", "k"), "row", after="before")),
    (Remove(("l", "k"), "row", after="before"), Insert(("l", "k"), "row", "before")),
    (Insert(("r", "k"), "new", None, "old"), Insert(("r", "k"), "old", None, "new")),
    (Move(("l", "k"), "to", "from"), Move(("l", "k"), "from", "to")),
    (Arrange(("l",), ("b", "a"), ("a", "b")), Arrange(("l",), ("a", "b"), ("b", "a"))),
]


@pytest.mark.parametrize(("change", "inverse"), INVERSES, ids=lambda c: type(c).__name__)
def test_every_change_has_an_inverse(change: Change, inverse: Change) -> None:
    """Which is an ordinary change."""
    assert invert([change]) == [inverse]


def test_changes_are_taken_back_last_first() -> None:
    """As they built on one another."""
    changes = [change for change, _ in INVERSES]
    assert invert(changes) == [inverse for _, inverse in reversed(INVERSES)]

"""Resolution of cells, as a pure function."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from crdtstore.cells import (
    REMOVED,
    STAMP_MAX,
    VIRTUAL,
    Cell,
    Place,
    age,
    bases_of,
    candidates,
    child,
    entry,
    increments,
    next_stamp,
    number,
    parse_cell,
    places_of,
    total,
)
from crdtstore.changes import ABSENT
from crdtstore.shapes import CounterShape, RecordShape, RegisterShape
from crdtstore.values import ANY

INTS = CounterShape(int, 0)
FLOATS = CounterShape(float, 0.0)
RECORD = RecordShape(None, {}, None)
PLAIN = RegisterShape(ANY, None)


def cell(stamp: int, writer: str, value: Any, inc: str | None = None) -> Cell:
    """Write a cell shortly."""
    return stamp, writer, value, inc


def test_a_cell_reads_back_as_it_was_written() -> None:
    """Numbers that the document gives as floats are ints again."""
    assert parse_cell("w", [5.0, 1.0]) == (5, "w", 1, None)
    assert parse_cell("w", [5, "x"]) == (5, "w", "x", None)
    assert parse_cell("w", [5, {"a": 1.0}, "inc"]) == (5, "w", {"a": 1}, "inc")
    assert parse_cell("w", [5, bytearray(b"\x01")]) == (5, "w", b"\x01", None)


def test_the_removed_marker_is_a_cell() -> None:
    """Empty bytes are no value, but they are that."""
    assert parse_cell("w", [5, bytearray()]) == (5, "w", REMOVED, None)
    assert parse_cell("w", [5, b""]) == (5, "w", REMOVED, None)


def test_a_base_may_hold_records_with_binary_values() -> None:
    """Which a plain value never does."""
    fields = {"size": {"width": bytearray(b"\xcb"), "n": 2.0}, "m": {"b": 1.0, "a": [2.0]}}
    parsed = parse_cell("w", [5, fields, "inc"])
    assert parsed == (5, "w", {"size": {"width": b"\xcb", "n": 2}, "m": {"a": [2], "b": 1}}, "inc")
    assert parse_cell("w", [5, fields]) is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "text",
        [],
        [1],
        [1, 2, "inc", 4],
        ["1", 2],
        [-1, 2],
        [1.5, 2],
        [2**53, 2],
        [float("nan"), 2],
        [True, 2],
        [1, 2, 3],
        [1, 2, ""],
        [1, 2, "not alphanumeric"],
        [1, 2, "é"],
        [1, float("nan")],
        [1, 2.0**60],
        [1, {"deep": {"er": {"a": b""}}}, "inc"],
        [1, [bytearray(b"\x01")]],
    ],
    ids=repr,
)
def test_what_no_version_writes_is_no_cell(raw: Any) -> None:
    """It is kept in the document and read as nothing."""
    assert parse_cell("w", raw) is None


def test_a_stamp_is_the_clock_unless_it_knows_a_newer_one() -> None:
    """Then it is one more than the newest."""
    places: list[Place] = [("row/a", 7, "w", {}), ("row/b", 3, "v", {})]
    assert next_stamp(100, (), ()) == 100
    assert next_stamp(100, places, [cell(50, "w", 1)]) == 100
    assert next_stamp(5, places, [cell(4, "w", 1)]) == 8
    assert next_stamp(5, places, [cell(10, "w", 1), cell(9, "v", 1)]) == 11
    assert next_stamp(10, (), [cell(10, "w", 1)]) == 11


def test_stamps_end_where_floats_cease_to_be_exact() -> None:
    """At 2**53 - 1, however far the clock has gone."""
    assert next_stamp(2**60, (), ()) == STAMP_MAX
    assert next_stamp(1, (), [cell(STAMP_MAX, "w", 1)]) == STAMP_MAX


def test_stepping_into_a_record_steps_into_its_bases() -> None:
    """A field that a base does not know is absent there."""
    top: list[Place] = [("", 0, "", ABSENT)]
    assert child(top, "a/b") == [("a%2Fb", 0, "", ABSENT)]
    rows: list[Place] = [("r/1", 5, "w", {"size": {"n": 1}}), ("r/2", 4, "v", {})]
    inner = child(child(rows, "size"), "n")
    assert inner == [("r/1/size/n", 5, "w", 1), ("r/2/size/n", 4, "v", ABSENT)]


def test_bases_are_the_cells_with_an_incarnation_newest_first() -> None:
    """Of records, those whose base is one."""
    cells = (
        cell(1, "a", {"x": 1}, "i"),
        cell(3, "b", {"x": 2}, "j"),
        cell(3, "c", {"x": 3}, "k"),
        cell(9, "d", REMOVED),
        cell(8, "e", 5, "l"),
    )
    assert [base[3] for base in bases_of(RECORD, cells)] == ["k", "j", "i"]
    assert [base[3] for base in bases_of(PLAIN, cells)] == ["l", "k", "j", "i"]
    assert bases_of(RECORD, cells[:1]) == [cells[0]]
    assert bases_of(RECORD, cells[4:]) == []
    assert bases_of(PLAIN, cells[3:4]) == []


def test_a_row_has_a_place_for_each_base_or_the_virtual_one() -> None:
    """Where its default shows through."""
    assert places_of("r", [cell(3, "w", {"x": 1}, "i")]) == [("r/i", 3, "w", {"x": 1})]
    assert places_of("r", []) == [(f"r/{VIRTUAL}", 0, "", ABSENT)]


def test_a_register_is_the_newest_candidate_by_stamp_then_writer() -> None:
    """In whatever order the cells lie."""
    cells = [cell(5, "a", 1), cell(7, "b", 2), cell(7, "c", 3)]
    for order in permutations(cells):
        found = candidates([("p", 0, "", ABSENT)], {"p": order})
        assert [each[3] for each in found] == [3, 2, 1]


def test_a_field_cell_hides_the_base_of_its_own_incarnation_only() -> None:
    """Another incarnation's base competes with it, and loses at equal stamps."""
    places: list[Place] = [("r/i/n", 5, "z", "base i"), ("r/j/n", 4, "a", "base j")]
    assert [c[3] for c in candidates(places, {})] == ["base i", "base j"]
    own = {"r/j/n": (cell(5, "a", "field j"),)}
    assert [c[3] for c in candidates(places, own)] == ["field j", "base i"]
    both = {**own, "r/i/n": (cell(9, "b", "field i"),)}
    assert [c[3] for c in candidates(places, both)] == ["field i", "field j"]


def test_an_absent_base_is_no_candidate() -> None:
    """So the default shows."""
    assert candidates([("p", 0, "", ABSENT)], {}) == []


def test_an_entry_is_there_while_a_cell_of_it_is_that_is_no_marker() -> None:
    """In any place; a marker alone only hides the default."""
    places: list[Place] = [("r/i/m", 0, "", 0), ("r/j/m", 0, "", 0)]
    assert entry(places, "a/b", {}) == ([], False)
    assert entry(places, "a/b", {"r/j/m/a%2Fb": (cell(5, "a", REMOVED),)}) == ([], True)
    cells = (cell(5, "a", REMOVED), cell(3, "b", "old"), cell(4, "c", "new"))
    other = (cell(9, "d", "newest"),)
    found, touched = entry(places, "a/b", {"r/i/m/a%2Fb": cells, "r/j/m/a%2Fb": other})
    assert [c[2] for c in found] == ["newest", "new", "old"]
    assert touched
    assert entry([("", 0, "", ABSENT)], "k", {"k": other})[0] == [*other]


def test_age_orders_by_stamp_then_writer() -> None:
    """Greater is newer."""
    assert age(cell(2, "a", 0)) > age(cell(1, "z", 0))
    assert age(cell(2, "b", 0)) > age(cell(2, "a", 0))


def test_increments_of_all_places_count() -> None:
    """What is no number does not."""
    places: list[Place] = [("r/i/n", 5, "w", 1), ("r/j/n", 4, "v", 2)]
    cells = {
        "r/i/n": (cell(1, "a", 5), cell(2, "b", "text")),
        "r/j/n": (cell(1, "a", ANY.encode(2**60, ())),),
    }
    assert increments(INTS, places, cells) == [5, 2**60]


def test_a_counter_takes_ints_and_a_float_counter_floats_too() -> None:
    """Neither takes what is not finite, or bools."""
    assert number(INTS, 5) == 5
    assert number(INTS, ANY.encode(2.0, ())) is None
    assert number(FLOATS, ANY.encode(2.0, ())) == 2.0
    assert number(FLOATS, 0.5) == 0.5
    assert number(FLOATS, 3) == 3
    for bad in (True, None, "5", [5], ANY.encode(float("inf"), ()), b"\xff\xff"):
        assert number(FLOATS, bad) is None


def test_totals_of_ints_are_exact_and_of_floats_correctly_rounded() -> None:
    """The order of the amounts makes no difference."""
    assert total(1, [2**70, -(2**70)]) == 1
    assert type(total(1, [2])) is int
    for amounts in permutations([1e16, 1.0, 1.0, -1e16]):
        assert total(0.5, list(amounts)) == 2.5
    assert total(3, []) == 3


def test_a_total_beyond_all_floats_stays_finite() -> None:
    """And is the same in every order, where plain addition is not."""
    largest = 1.7976931348623157e308
    assert {total(0.0, list(o)) for o in permutations([largest, largest, 1.0])} == {largest}
    assert total(0.0, [-largest, -largest]) == -largest
    assert {total(0.0, list(o)) for o in permutations([largest, largest, -largest])} == {largest}
    assert total(0.5, [10**400, -(10**400)]) == 0.5

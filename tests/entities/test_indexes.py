"""Indexes: groups of rows in sorted order, of which a change touches only its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore.entities import arranging
from crdtstore.entities.indexes import Indexes, Many
from crdtstore.entities.order import Sorting, by_comparer, by_id, by_key
from crdtstore.persistent import MISSING, SortedMap


def digits(row: int) -> list[int]:
    """Tell the digits of a row."""
    return [int(digit) for digit in str(row)]


def ending(row: int) -> int | None:
    """Tell the last digit of a row, if it is odd."""
    return row % 10 if row % 2 else None


SORTINGS: dict[str, Callable[[], Sorting[Any]]] = {
    "unsorted": lambda: Sorting(by_id),
    "key": lambda: Sorting(by_key(lambda row: -row), keyed=True),
    "comparer": lambda: Sorting(by_comparer(lambda a, b: b - a)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SORTINGS)
def test_it_is_always_what_grouping_gives(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever changes, and whether order and indexes are read or not."""
    monkeypatch.setattr(arranging, "LOAD", 4)
    rng = random.Random(seed)
    sorting: Sorting[int] = SORTINGS[name]()
    indexes = Indexes({"ending": ending, "digits": Many(digits), "self": lambda r: r}, sorting)
    rows = SortedMap.of({f"k{i:03d}": i for i in range(rng.choice([0, 200]))})
    versions = [rows]
    for step in range(120):
        ids = [f"k{rng.randrange(250):03d}" for _ in range(rng.choice([1, 1, 3, 100]))]
        rows = rows.evolve({id: rng.choice([MISSING, rng.randrange(300)]) for id in ids})
        versions.append(rows)
        if step % 20 == 19:
            rows = rng.choice(versions)
        if rng.random() < 0.3:
            sorting.all(rows)
        if rng.random() < 0.5:
            continue
        ordered = [row for _, row in sorted(rows.items(), key=lambda item: (-item[1], item[0]))]
        if name == "unsorted":
            ordered = list(rows.values())
        for index, function in (
            ("ending", lambda row: [] if ending(row) is None else [ending(row)]),
            ("digits", lambda row: list(dict.fromkeys(digits(row)))),
            ("self", lambda row: [row]),
        ):
            expected: dict[Any, list[int]] = {}
            for row in ordered:
                for value in function(row):
                    expected.setdefault(value, []).append(row)
            found = indexes.groups(rows, index)
            assert found == expected
            firsts = [group[0] for group in found.values()]
            assert [ordered.index(first) for first in firsts] == sorted(map(ordered.index, firsts))
            assert all(indexes.group(rows, index, v) is found[v] for v in found)
            assert all(len(group) == len(list(group)) for group in found.values())
        assert len(indexes.group(rows, "ending", 0)) == 0


def test_groups_that_nothing_changed_in_stay_the_same_objects() -> None:
    """And the whole index, where no row of it changed."""
    indexes = Indexes({"ending": ending}, SORTINGS["key"]())
    rows = SortedMap.of({f"k{i:03d}": i for i in range(100)})
    before = indexes.groups(rows, "ending")
    ones, threes, fives = before[1], before[3], before[5]
    rows = rows.set("k001", 13)
    after = indexes.groups(rows, "ending")
    assert after[5] is fives
    assert after[1] == ones[:-1]
    assert after[3] == sorted([*threes, 13], reverse=True)
    assert before[1] is ones
    assert len(ones) == 10
    rows = rows.set("k000", 1000).remove("k002").set("new", 4)
    assert indexes.groups(rows, "ending") is after
    assert indexes.group(rows, "ending", "none") is indexes.group(rows, "ending", "nothing")


def test_functions_are_called_once_a_version_of_a_row() -> None:
    """For an index that is read, and not for one that is not."""
    asked: Counter[tuple[str, int]] = Counter()

    def counting(name: str) -> Any:
        def function(row: int) -> int:
            asked[name, row] += 1
            return row % 10

        return function

    indexes = Indexes({"a": counting("a"), "b": counting("b")}, SORTINGS["unsorted"]())
    rows = SortedMap.of({f"k{i:03d}": i for i in range(100)})
    for at in range(10):
        indexes.groups(rows, "a")
        rows = rows.set("k000", 1000 + at)
    assert set(asked.values()) == {1}
    assert set(asked) == {("a", row) for row in [*range(100), *range(1000, 1009)]}


def test_values_that_python_calls_equal_are_one_group() -> None:
    """As they are one key of a dict."""
    indexes: Indexes[Any] = Indexes({"self": lambda row: row}, SORTINGS["unsorted"]())
    rows = SortedMap.of({"a": 1, "b": True, "c": 1.0, "d": None})
    assert indexes.group(rows, "self", 1) == [1, True, 1.0]
    rows = rows.set("a", True).set("b", 2).remove("c")
    assert indexes.groups(rows, "self") == {1: [True], 2: [2]}


def test_many_values_put_a_row_into_many_groups() -> None:
    """Once into each; ``None`` and nothing put it in none."""
    indexes: Indexes[Any] = Indexes({"each": Many(lambda row: row)}, SORTINGS["unsorted"]())
    rows = SortedMap.of({"a": [1, 2, 1], "b": {2}, "c": [], "d": None, "e": iter("x")})
    assert indexes.groups(rows, "each") == {1: [[1, 2, 1]], 2: [[1, 2, 1], {2}], "x": [rows["e"]]}


def test_a_row_that_went_and_came_back_is_found_in_its_group() -> None:
    """Also where the index was not read in between."""
    indexes = Indexes({"ending": ending}, sorting := SORTINGS["key"]())
    first = rows = SortedMap.of({f"k{i:03d}": i for i in range(100)})
    indexes.groups(rows, "ending")
    changed = rows.set("k011", 10)
    sorting.all(changed)
    rows = changed.set("k011", first["k011"])
    sorting.all(rows)
    del changed
    assert 11 in indexes.group(rows, "ending", 1)
    rows = rows.set("k011", 13)
    assert 11 not in indexes.group(rows, "ending", 1)
    assert 13 in indexes.group(rows, "ending", 3)


def test_an_unknown_index_is_refused_with_those_there_are() -> None:
    """Or with the hint where to declare one."""
    rows = SortedMap.EMPTY
    with pytest.raises(ValueError, match="no index named 'by'; indexes: ending, other"):
        Indexes({"ending": ending, "other": ending}, SORTINGS["key"]()).groups(rows, "by")
    with pytest.raises(ValueError, match=r"indexes: none \(they are declared in create_entity"):
        Indexes({}, SORTINGS["key"]()).groups(rows, "by")


FAILING: list[tuple[Any, type[Exception], str | None]] = [
    (lambda row: 1 // row, ZeroDivisionError, None),
    (lambda row: [] if row == 0 else 1, TypeError, "the values of an index are hashable"),
    (lambda row: {} if row == 0 else 1, TypeError, "the values of an index are hashable"),
]
FAILING += [
    (Many(function), error, note)
    for function, error, note in (
        (lambda row: [[]] if row == 0 else [], TypeError, "the values of an index are hashable"),
        (lambda row: "ab" if row == 0 else "", TypeError, None),
        (lambda row: 5, TypeError, None),
    )
]


@pytest.mark.parametrize(("function", "error", "note"), FAILING)
def test_a_function_that_fails_says_for_which_row(
    function: Any, error: type[Exception], note: str | None
) -> None:
    """Where its index is read; the order and other indexes are none the worse."""
    sorting: Sorting[int] = SORTINGS["key"]()
    indexes: Indexes[int] = Indexes({"bad": function, "ending": ending}, sorting)
    rows = SortedMap.of({"a": 1, "z": 0})
    for at in range(2):
        with pytest.raises(error) as raised:
            indexes.groups(rows, "bad")
        assert raised.value.__notes__[-1].startswith("the index 'bad' was read for the entity '")
        if note is not None:
            assert raised.value.__notes__[0].startswith(note)
        assert sorting.all(rows)[-1] == 0
        assert indexes.group(rows, "ending", 1) == [1]
        rows = rows.set("b", at)


def test_an_index_that_is_mended_goes_on() -> None:
    """From what it was before it failed."""
    indexes = Indexes({"inverse": lambda row: 1 // row}, SORTINGS["key"]())
    rows = SortedMap.of({"a": 1, "b": 2})
    assert indexes.groups(rows, "inverse") == {0: [2], 1: [1]}
    rows = rows.set("b", 0).set("c", 3)
    with pytest.raises(ZeroDivisionError):
        indexes.groups(rows, "inverse")
    assert indexes.groups(rows.set("b", 1), "inverse") == {0: [3], 1: [1, 1]}

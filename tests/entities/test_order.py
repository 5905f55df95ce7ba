"""The sorted order of a table, patched row by row."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from math import nan
from typing import Any

import pytest

from crdtstore.entities import arranging
from crdtstore.entities.order import Sorting, by_comparer, by_id, by_key
from crdtstore.persistent import MISSING, SortedMap


@pytest.fixture(autouse=True, params=["as shipped", "tiny chunks"])
def loads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of few entries are cut and joined often."""
    if request.param == "tiny chunks":
        monkeypatch.setattr(arranging, "LOAD", 4)


def compare(a: int, b: int) -> int:
    """Compare rows that are numbers by their last digit."""
    return a % 10 - b % 10


SORTINGS: dict[str, tuple[Callable[[], Sorting[Any]], Callable[[Any], Any]]] = {
    "unsorted": (lambda: Sorting(by_id), lambda item: item[0]),
    "key": (
        lambda: Sorting(by_key(lambda row: row % 10), keyed=True),
        lambda item: (item[1] % 10, item[0]),
    ),
    "comparer": (lambda: Sorting(by_comparer(compare)), lambda item: (item[1] % 10, item[0])),
    "falling": (
        lambda: Sorting(by_comparer(lambda a, b: float(b - a))),
        lambda item: (-item[1], item[0]),
    ),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SORTINGS)
def test_it_is_always_what_sorting_gives(name: str, seed: int) -> None:
    """Whatever changes, few rows at once or very many, and whichever versions are read."""
    make, key = SORTINGS[name]
    sorting = make()
    rng = random.Random(seed)
    rows = SortedMap.of({f"k{i:03d}": i for i in range(rng.choice([0, 5, 300]))})
    versions = [rows]
    for step in range(150):
        ids = [f"k{rng.randrange(400):03d}" for _ in range(rng.choice([1, 1, 2, 5, 200]))]
        rows = rows.evolve({id: rng.choice([MISSING, rng.randrange(1000)]) for id in ids})
        versions.append(rows)
        if step % 20 == 19:
            rows = rng.choice(versions)
        expected = sorted(rows.items(), key=key)
        assert sorting.ids(rows) == [id for id, _ in expected]
        assert sorting.all(rows) == [row for _, row in expected]
        if name != "unsorted":
            chunks = sorting.order(rows).all.chunks
            assert all(chunks)
            assert max(map(len, chunks), default=0) <= 2 * arranging.LOAD
            assert dict(sorting.order(rows).entries.items()) == {e[1]: e for c in chunks for e in c}


def test_ids_and_rows_stay_the_same_objects() -> None:
    """Ids while their order does, even if sort keys change; rows while nothing does."""
    for name in ("key", "comparer", "unsorted"):
        sorting = SORTINGS[name][0]()
        rows = SortedMap.of({f"k{i:03d}": i * 10 for i in range(100)})  # equal sort keys
        ids, everything = sorting.ids(rows), sorting.all(rows)
        assert sorting.ids(rows) is ids
        assert sorting.all(rows) is everything
        rows = rows.set("k050", 10_000)
        assert sorting.ids(rows) is ids
        assert sorting.all(rows) is not everything
        rows = rows.set("k099", 9)  # the last one: another sort key, the same place
        assert sorting.ids(rows) is ids
        moved = sorting.ids(rows.set("k000", 5))
        assert (moved == ids) == (name == "unsorted")


def test_rows_may_change_places() -> None:
    """And back again."""
    sorting = SORTINGS["key"][0]()
    rows = SortedMap.of({f"k{i:03d}": i % 10 for i in range(100)})
    ids = sorting.ids(rows)
    swapped = rows.evolve({"k003": 4, "k004": 3})
    assert sorting.ids(swapped) != ids
    assert sorting.ids(swapped.evolve({"k003": 3, "k004": 4})) == ids


def test_sort_keys_are_computed_once_a_version_of_a_row() -> None:
    """Not again for rows that did not change, nor for the old version of one that did."""
    asked: Counter[int] = Counter()

    def key(row: int) -> int:
        asked[row] += 1
        return row % 10

    sorting: Sorting[int] = Sorting(by_key(key), keyed=True)
    rows = SortedMap.of({f"k{i:03d}": i for i in range(500)})
    sorting.all(rows)
    sorting.ids(rows)
    for at in range(20):
        rows = rows.evolve({f"k{at:03d}": 1000 + at, f"k{at + 100:03d}": MISSING})
        sorting.all(rows)
        sorting.ids(rows)
    rows = rows.evolve({f"k{at:03d}": 2000 + at for at in range(400)})
    sorting.all(rows)
    assert set(asked.values()) == {1}
    assert len(asked) == 500 + 20 + 400


def test_a_comparer_is_asked_a_logarithm_of_times() -> None:
    """An update of one row of thousands compares it with some twenty others."""
    asked = 0

    def counting(a: int, b: int) -> int:
        nonlocal asked
        asked += 1
        return a % 1000 - b % 1000

    sorting: Sorting[int] = Sorting(by_comparer(counting))
    rows = SortedMap.of({f"k{i:05d}": i for i in range(4096)})
    sorting.all(rows)
    for new in (100_017, 100_555, 5):
        rows, asked = rows.set("k00017", new), 0
        sorting.all(rows)
        assert 0 < asked <= 48


@pytest.mark.parametrize("value", [nan, "nan"])
def test_ranks_without_an_order_lose_no_rows(value: Any) -> None:
    """Sorting them means nothing, but every row is there once."""
    keys = {"nan": nan}
    sorting: Sorting[Any] = Sorting(by_key(lambda row: keys.get(row, row)), keyed=True)
    rows = SortedMap.of({f"k{i:03d}": i for i in range(60)})
    for at in range(0, 60, 7):
        rows = rows.set(f"k{at:03d}", value)
        assert sorted(sorting.ids(rows)) == list(rows)
    for at in range(0, 60, 5):
        rows = rows.set(f"k{at:03d}", at)
        assert sorted(sorting.ids(rows)) == list(rows)
        assert len(sorting.all(rows)) == 60


def failing(row: Any) -> Any:
    """Fail for one row."""
    return 1 / row


def test_a_sort_key_that_raises_says_for_which_row() -> None:
    """When all is computed and when one row is; what was there before can still be read."""
    sorting: Sorting[int] = Sorting(by_key(failing), keyed=True)
    good = SortedMap.of({"a": 1, "b": 2})
    bad = good.set("b", 0)
    with pytest.raises(ZeroDivisionError) as raised:
        sorting.all(bad)
    assert raised.value.__notes__ == ["sort_key was called for the entity 'b'"]
    assert sorting.all(good) == [2, 1]
    worse = good.set("c", 0)
    for read in (sorting.all, sorting.ids):
        with pytest.raises(ZeroDivisionError) as raised:
            read(worse)
        assert raised.value.__notes__ == ["sort_key was called for the entity 'c'"]
    assert sorting.all(worse.set("c", 4)) == [4, 2, 1]


def test_sort_keys_that_do_not_compare_are_named() -> None:
    """Two of all, with the entities that have them, and the adapter whose they are."""
    sorting: Sorting[Any] = Sorting(by_key(lambda row: row), keyed="<adapter>")
    good = SortedMap.of({"a": 1, "b": 2})

    def refused(rows: SortedMap, *words: str) -> None:
        for read in (sorting.all, sorting.ids):
            with pytest.raises(TypeError, match="'<' not supported") as raised:
                read(rows)
            for word in ("sort_key of <adapter> returned keys that do not compare", *words):
                assert word in str(raised.value)

    refused(good.set("c", None), "None for 'c'")
    assert sorting.all(good) == [1, 2]
    refused(good.set("b", "text"), "'text' for 'b'", "1 for 'a'")
    assert sorting.all(good) == [1, 2]


def test_sort_keys_that_fail_to_compare_fail_with_their_own_error() -> None:
    """With a note that says whose they are."""

    class Key:
        def __lt__(self, other: object) -> bool:
            raise ZeroDivisionError("cannot compare")

    sorting: Sorting[Any] = Sorting(by_key(lambda row: row), keyed="<adapter>")
    with pytest.raises(ZeroDivisionError) as raised:
        sorting.all(SortedMap.of({"a": Key(), "b": Key()}))
    (note,) = raised.value.__notes__
    assert "'a'" in note
    assert "'b'" in note


def test_a_comparer_that_raises_says_for_which_rows() -> None:
    """Both of them."""

    def compare(a: int, b: int) -> int:
        assert 0 not in (a, b), "cannot compare 0"
        return a - b

    sorting: Sorting[int] = Sorting(by_comparer(compare))
    good = SortedMap.of({"a": 1, "b": 2})
    for rows in (good.set("c", 0), good):
        if rows is not good:
            with pytest.raises(AssertionError, match="cannot compare 0") as raised:
                sorting.all(rows)
            (note,) = raised.value.__notes__
            assert note.startswith("sort_comparer was called for the entities ")
            assert "'c'" in note
    assert sorting.all(good) == [1, 2]
    with pytest.raises(AssertionError, match="cannot compare 0") as raised:
        sorting.all(good.set("d", 0))
    assert "'d'" in raised.value.__notes__[0]


def test_a_comparer_returns_a_number() -> None:
    """One that forgets to return is told so."""
    forgets: Any = lambda a, b: None  # noqa: E731
    sorting: Sorting[int] = Sorting(by_comparer(forgets))
    with pytest.raises(TypeError, match="a sort_comparer returns a number, below 0 if"):
        sorting.all(SortedMap.of({"a": 1, "b": 2}))

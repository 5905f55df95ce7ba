"""What is derived from versions of a table: patched along a lineage, and gone with it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from crdtstore.entities import derived
from crdtstore.entities.derived import Change, Derived
from crdtstore.persistent import MISSING, SortedMap


class Upper:
    """Derives a dict of upper-case values; counts how."""

    def __init__(self) -> None:
        self.built = 0
        self.patched: list[int] = []
        self.derived: Derived[dict[str, str]] = Derived(self.build, self.patch)

    def build(self, rows: SortedMap) -> dict[str, str]:
        self.built += 1
        return {key: value.upper() for key, value in rows.items()}

    def patch(
        self, old: dict[str, str], changes: Sequence[Change], rows: SortedMap
    ) -> dict[str, str]:
        self.patched.append(len(changes))
        new = {**old, **{k: now.upper() for k, _, now in changes if now is not MISSING}}
        for key, _, now in changes:
            if now is MISSING:
                del new[key]
        return new

    def of(self, rows: SortedMap) -> dict[str, str]:
        """Derive, and check that it is right."""
        found = self.derived.of(rows)
        assert found == {key: value.upper() for key, value in rows.items()}
        return found


def table(count: int = 2000) -> SortedMap:
    """Return rows to begin with."""
    return SortedMap.of({f"k{i:05d}": f"v{i}" for i in range(count)})


def test_the_same_rows_give_the_same_object() -> None:
    """Nothing is computed twice."""
    upper, rows = Upper(), table()
    assert upper.of(rows) is upper.of(rows)
    assert (upper.built, upper.patched) == (1, [])


def test_a_later_version_is_patched() -> None:
    """From the changes alone, however many, and whoever made them."""
    upper, rows = Upper(), table()
    upper.of(rows)
    for changes in ({"k00005": "x"}, {"new": "y", "k00006": MISSING}, {"z": "z"}):
        rows = rows.evolve(changes)
        upper.of(rows)
    assert (upper.built, upper.patched) == (1, [1, 2, 1])


def test_versions_that_nobody_asked_for_are_skipped() -> None:
    """What changed since the last one that was read is looked at in one go."""
    upper, rows = Upper(), table()
    upper.of(rows)
    for at in range(20):
        rows = rows.set(f"k{at % 10:05d}", f"w{at}")
    upper.of(rows)
    assert upper.patched == [10]


def test_going_back_and_forth_computes_nothing() -> None:
    """What was derived of a version is kept while somebody holds that version."""
    upper, rows = Upper(), table()
    upper.of(rows)
    versions = [rows := rows.set("k00100", f"x{at}") for at in range(5)]
    found = [upper.of(rows) for rows in versions]
    for at in (3, 0, 4, 1, 2, 0):
        assert upper.of(versions[at]) is found[at]
    assert (upper.built, len(upper.patched)) == (1, 5)


def test_only_what_can_be_asked_for_again_is_kept() -> None:
    """A version that is gone leaves what was derived of it as long as nothing went on from it."""
    upper, rows = Upper(), table()
    upper.of(rows)
    for at in range(100):
        rows = rows.set("k00100", f"x{at}")
        upper.of(rows)
    heads = upper.derived._kept[rows.lineage].heads
    assert len(heads) == 1
    assert (upper.built, len(upper.patched)) == (1, 100)


def test_what_is_kept_is_bounded() -> None:
    """Also if somebody keeps every version, or makes branches and drops them."""
    upper, rows = Upper(), table(50)
    upper.of(rows)
    kept = [rows := rows.set("k00001", f"x{at}") for at in range(60)]
    for each in kept:
        upper.of(each)
        upper.of(each.set("k00002", "dropped"))
    assert len(upper.derived._kept[rows.lineage].heads) <= derived.MOST_HEADS
    assert upper.built == 1


def test_branches_are_patched_from_what_is_near() -> None:
    """Two stores that began from one default go on from their own last version each."""
    upper, rows = Upper(), table()
    upper.of(rows)
    a = rows.evolve({f"k{i:05d}": "a" for i in range(1000)})
    b = rows.evolve({f"k{i:05d}": "b" for i in range(1000, 2000)})
    upper.of(a)
    upper.of(b)
    upper.patched.clear()
    for at in range(5):
        a, b = a.set("k00500", f"a{at}"), b.set("k01500", f"b{at}")
        found = upper.of(a), upper.of(b)
        assert (upper.of(a), upper.of(b)) == found
    assert upper.patched == [1] * 10
    many = [f"k{i:05d}" for i in range(0, 1000, 100)]
    upper.of(a.evolve(dict.fromkeys(many, "several chunks")))
    upper.of(b.evolve(dict.fromkeys(many, "several chunks")))
    assert upper.patched[10:] == [10, 10]
    assert upper.built == 1


def test_a_store_that_rests_keeps_what_it_has() -> None:
    """However much another branch changes meanwhile."""
    upper, rows = Upper(), table()
    upper.of(rows)
    resting = rows.set("k00001", "resting")
    found = upper.of(resting)
    for at in range(3 * derived.MOST_HEADS):
        rows = rows.set("k00002", f"x{at}")
        upper.of(rows)
    assert upper.of(resting) is found


def test_versions_from_before_the_first_reading_are_of_another_lineage() -> None:
    """To share one costs a map nothing as long as nobody derives anything from it."""
    upper, old = Upper(), table()
    new = old.set("k00001", "x")
    upper.of(new)
    upper.of(old)
    assert (upper.built, upper.patched) == (2, [])


def test_tables_of_their_own_have_nothing_in_common() -> None:
    """Each is built once, and then patched."""
    upper = Upper()
    tables = [table(300) for _ in range(40)]
    for at in range(3):
        tables = [rows.set("k00001", f"x{at}") for rows in tables]
        for rows in tables:
            upper.of(rows)
    assert upper.built == 40
    assert upper.patched == [1] * 80


def test_what_was_derived_dies_with_the_table() -> None:
    """When the last version is gone, at once and without the collector of cycles."""
    upper, rows = Upper(), table()
    upper.of(rows)
    rows = rows.set("k00001", "x")
    upper.of(rows)
    assert len(upper.derived._kept) == 1
    gc.disable()
    try:
        del rows
        assert len(upper.derived._kept) == 0
    finally:
        gc.enable()


def test_an_error_is_raised_where_it_is_read() -> None:
    """Each time, and what was known before is still what the next version is patched from."""
    upper, rows = Upper(), table()
    upper.of(rows)
    broken = rows.set("k00007", None)
    for _ in range(2):
        with pytest.raises(AttributeError):
            upper.of(broken)
    assert upper.of(rows) is upper.of(rows)
    upper.of(broken.set("k00007", "mended"))
    assert upper.built == 1
    with pytest.raises(AttributeError):
        Upper().of(broken)


def together(work: Callable[[int], Any], count: int) -> list[Any]:
    """Run ``work`` on several threads that start at the same time; return what they returned."""
    barrier, found = threading.Barrier(count), [None] * count

    def run(at: int) -> None:
        barrier.wait()
        found[at] = work(at)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_threads_get_one_object() -> None:
    """All that ask for the same rows at the same time get the same; so do those that come later."""
    upper, rows = Upper(), table(5000)
    for at in range(10):
        found = together(lambda _, rows=rows: upper.of(rows), 4)  # type: ignore[misc]
        assert all(each is found[0] for each in found)
        assert upper.of(rows) is found[0]
        rows = rows.set("k00001", f"x{at}")


def test_two_that_compute_at_once_get_what_the_first_published() -> None:
    """Computing is not done under a lock, so user functions may read what they like in it."""
    inside, first = threading.Event(), threading.Event()
    rows = table(10)

    def build(rows: SortedMap) -> list[str]:
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            assert first.wait(timeout=60)
        return list(rows)

    slow: Derived[list[str]] = Derived(build, lambda old, changes, rows: old)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(slow.of(rows)))
    thread.start()
    assert inside.wait(timeout=60)
    mine = slow.of(rows)
    first.set()
    thread.join()
    assert found[0] is mine

"""Immutable maps and sequences with cheap single changes."""

from __future__ import annotations

import copy
import pickle
import random
import weakref
from collections.abc import Callable
from itertools import accumulate, chain
from typing import Any

import pytest

from crdtstore import persistent
from crdtstore.persistent import MISSING, SortedMap, Vector


@pytest.fixture(params=["as shipped", "tiny chunks"])
def loads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "tiny chunks":
        monkeypatch.setattr(persistent, "MAP_LOAD", 4)
        monkeypatch.setattr(persistent, "VECTOR_LOAD", 4)


pytestmark = pytest.mark.usefixtures("loads")


def keys(count: int) -> list[str]:
    return [f"k{i:05d}" for i in range(count)]


def test_a_map_is_read_in_the_order_of_its_keys() -> None:
    """Iteration, views and repr go by key, however the map was made."""
    pairs = {"b": 2, "a": 1, "c": None, "": 0, "é": 4}
    new = SortedMap.of(pairs)
    expected = dict(sorted(pairs.items()))
    assert list(new) == list(new.keys()) == list(expected)
    assert list(new.values()) == list(expected.values())
    assert list(new.items()) == list(expected.items())
    assert list(reversed(new)) == list(expected)[::-1]
    assert len(new) == 5
    assert repr(new) == f"SortedMap({expected!r})"
    assert SortedMap.of(new) is new


def test_reading_a_key_that_is_not_there() -> None:
    """Missing keys raise, answer a default, or are not in it, whatever their type."""
    for new in (SortedMap.EMPTY, SortedMap.of({"b": None, "d": 1})):
        for key in ("a", "c", "e", ""):
            assert key not in new
            assert new.get(key) is None
            assert new.get(key, 7) == 7
            with pytest.raises(KeyError, match=f"^'{key}'$"):
                new[key]
    assert "b" in SortedMap.of({"b": None})
    assert SortedMap.of({"b": None}).get("b", 7) is None
    assert 5 not in SortedMap.of({"b": None})
    assert (1, 2) not in SortedMap.EMPTY


def test_setting_the_value_that_is_there_returns_the_map() -> None:
    """Nothing changed, so the same object comes back; equality is not enough."""
    value = [1]
    new = SortedMap.of(dict.fromkeys(keys(20), value))
    assert new.set("k00003", value) is new
    assert new.evolve({"k00003": value, "k00009": value, "zz": MISSING}) is new
    assert new.evolve({}) is new
    assert new.evolve({"zz": MISSING}) is new
    empty = SortedMap.of({})
    assert empty.evolve({"zz": MISSING}) is empty
    assert empty.evolve({"y": MISSING, "zz": MISSING}) is empty
    assert new.set("k00003", [1]) is not new


def test_a_change_of_a_map_leaves_the_old_one_alone() -> None:
    """Every version keeps what it had."""
    old = SortedMap.of(dict.fromkeys(keys(50), 0))
    before = list(old.items())
    changed = old.set("k00010", 1), old.set("new", 1), old.remove("k00010")
    evolved = old.evolve(
        {"k00001": 1, "k00002": MISSING, "a": 1, "z": 1, **dict.fromkeys(keys(30), 2)}
    )
    assert list(old.items()) == before
    assert [len(new) for new in changed] == [50, 51, 49]
    assert [new.get("k00010") for new in changed] == [1, 0, None]
    assert len(evolved) == 52
    assert evolved["k00001"] == 2


def test_removing_what_is_not_there_raises() -> None:
    """`remove` is strict where `evolve` is not."""
    new = SortedMap.of({"b": 1})
    for key in ("a", "c"):
        with pytest.raises(KeyError, match=key):
            new.remove(key)
        with pytest.raises(KeyError, match=key):
            SortedMap.EMPTY.remove(key)
    assert new.remove("b") == SortedMap.EMPTY
    assert len(new.remove("b")) == 0


def test_maps_are_equal_by_their_entries() -> None:
    """How a map came to be does not matter; a dict is another thing."""
    grown = SortedMap.EMPTY
    for key in reversed(keys(300)):
        grown = grown.set(key, 1)
    whole = SortedMap.of(dict.fromkeys(keys(300), 1))
    assert grown == whole
    assert grown.set("k00001", 2) != whole
    assert grown.remove("k00001") != whole
    assert grown.remove("k00001").set("l", 1) != whole
    assert grown != dict(whole.items())
    with pytest.raises(TypeError, match="unhashable"):
        hash(grown)


def test_changes_since_another_version_are_told_in_order() -> None:
    """Every key whose value is another object, with ``MISSING`` for none; equal is not the same."""
    value = [1]
    old = SortedMap.of(dict.fromkeys(keys(50), value))
    assert list(old.changes_since(old)) == []
    new = old.set("k00030", 3).set("k00007", [1]).remove("k00001").set("a", 0).set("z", 0)
    assert list(new.changes_since(old)) == [
        ("a", MISSING, 0),
        ("k00001", value, MISSING),
        ("k00007", value, [1]),
        ("k00030", value, 3),
        ("z", MISSING, 0),
    ]
    back = new.set("k00007", value).set("k00030", value).set("k00001", value)
    assert list(back.remove("a").remove("z").changes_since(old)) == []
    assert list(SortedMap.EMPTY.changes_since(SortedMap.EMPTY)) == []
    assert [len(list(x.changes_since(y))) for x, y in ((old, back.EMPTY), (back.EMPTY, old))] == [
        50,
        50,
    ]
    ours, theirs = Refusing(), Refusing()
    ((key, was, now),) = old.set("k00001", ours).changes_since(old.set("k00001", theirs))
    assert (key, was is theirs, now is ours) == ("k00001", True, True)


class Refusing:
    """Does not want to be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


def test_versions_of_one_lineage_share_their_chunks() -> None:
    """What two do not share is what changed, about; another map shares nothing."""
    old = SortedMap.of(dict.fromkeys(keys(5000), 0))
    assert old.unshared(old) == 0
    assert 0 < old.set("k00100", 1).unshared(old) <= 2
    assert old.unshared(SortedMap.of(dict.fromkeys(keys(5000), 0))) > 10
    assert old.twin() == old
    assert old.twin() is not old
    assert old.twin().unshared(old) == 0


def test_a_lineage_begins_where_somebody_asks_for_it() -> None:
    """Versions made from there on are of it, whatever made them; others are not."""
    old = SortedMap.of(dict.fromkeys(keys(30), 0))
    before = old.set("k00001", 1)
    lineage = old.lineage
    assert old.lineage is lineage
    later = [
        old.set("k00001", 1),
        old.set("new", 1),
        old.remove("k00002"),
        old.evolve({"k00003": MISSING, "k00004": 5, "z": 1}),
        old.evolve(dict.fromkeys(keys(29), MISSING)),
        old.set("k00001", 1).set("k00002", 2).remove("k00003"),
    ]
    assert all(each.lineage is lineage for each in later)
    others = [before, old.twin(), old.transform(lambda key, value: 1), SortedMap.of({"a": 1})]
    assert len({id(each.lineage) for each in (*others, old, SortedMap.EMPTY)}) == 6
    grown = SortedMap.EMPTY.set("a", 1), SortedMap.EMPTY.evolve({"a": 1, "b": 2})
    assert SortedMap.EMPTY.lineage not in [each.lineage for each in grown]
    assert copy.copy(old).lineage is not lineage


def test_a_lineage_lasts_as_long_as_its_versions() -> None:
    """So what is kept by it, weakly, goes with the last of them."""
    old = SortedMap.of({"a": 1})
    reference = weakref.ref(old.lineage)
    new = old.set("a", 2)
    del old
    assert reference() is new.lineage
    del new
    assert reference() is None


def test_transforming_keeps_the_keys() -> None:
    """The function gets each key and value, in their order."""
    old = SortedMap.of({key: i for i, key in enumerate(keys(100))})
    seen: list[str] = []
    new = old.transform(lambda key, value: seen.append(key) or (key, value))
    assert seen == list(old)
    assert list(new.items()) == [(key, (key, value)) for key, value in old.items()]
    assert new.set("k00001", 0).get("k00001") == 0
    chunked_keys, values = new.chunks
    assert list(chain.from_iterable(chunked_keys)) == list(new)
    assert list(chain.from_iterable(values)) == list(new.values())


@pytest.mark.parametrize("seed", range(3))
def test_a_map_that_grows_and_shrinks_in_any_order_stays_balanced(seed: int) -> None:
    """No chunk is empty, too large or, unless alone, too small; the rest follows."""
    rng = random.Random(seed)
    names = keys(1500)
    orders = [names, names[::-1], rng.sample(names, len(names))]
    new, oracle = SortedMap.EMPTY, dict[str, Any]()
    for name in orders[seed]:
        new, oracle[name] = new.set(name, name), name
        check_map(new)
    for name in orders[(seed + 1) % 3][:1400]:
        new = new.remove(name)
        del oracle[name]
        check_map(new)
    assert dict(new.items()) == oracle
    for _ in range(60):
        some = rng.sample(names, rng.choice([1, 2, 30, 700]))
        changes = {name: rng.choice([MISSING, rng.random()]) for name in some}
        new = new.evolve(changes)
        oracle.update(changes)
        oracle = {name: value for name, value in oracle.items() if value is not MISSING}
        check_map(new)
        assert dict(new.items()) == oracle


def check_map(new: SortedMap) -> None:
    chunks, values = new._keys, new._values
    sizes = [len(chunk) for chunk in chunks]
    assert sizes == [len(chunk) for chunk in values]
    assert new._firsts == [chunk[0] for chunk in chunks]
    assert len(new) == sum(sizes)
    assert all(size <= 2 * persistent.MAP_LOAD for size in sizes)
    assert len(sizes) < 2 or all(size >= persistent.MAP_LOAD // 2 for size in sizes)


def test_changing_values_shares_the_keys() -> None:
    """Only one chunk of values and the list of chunks are new."""
    old = SortedMap.of(dict.fromkeys(keys(3000), 0))
    for new in (old.set("k00100", 1), old.evolve({"k00100": 1, "k02000": 1})):
        assert new._keys is old._keys
        assert new._firsts is old._firsts
        kept = [a is b for a, b in zip(new._values, old._values, strict=True)]
        assert 1 <= kept.count(False) <= 2


def test_maps_and_vectors_survive_pickle_and_copy() -> None:
    """What comes out of a pickle equals what went in."""
    for value in (SortedMap.of({key: [key] for key in keys(900)}), Vector.of(range(2000))):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING
    assert copy.deepcopy(MISSING) is MISSING
    assert repr(MISSING) == "MISSING"


def test_a_vector_reads_like_a_list() -> None:
    """Items, negative indices, slices, membership and iteration are those of a list."""
    for size in (0, 1, 9, 40, 3000):
        oracle = list(range(size))
        new = Vector.of(iter(oracle))
        assert list(new) == oracle
        assert list(reversed(new)) == oracle[::-1]
        assert len(new) == size
        assert repr(new) == f"Vector({oracle!r})"
        assert [new[i] for i in range(-size, size)] == [oracle[i] for i in range(-size, size)]
        bounds = [None, 0, 1, 3, 4, 8, size // 2, size - 1, size, size + 5, -1, -2, -size - 2]
        for start in bounds:
            for stop in bounds:
                for step in (None, 1, 2, -1, -3):
                    assert new[start:stop:step] == oracle[start:stop:step]
        assert (size // 2 in new) == (size > 0)
        assert "other" not in new
        for index in (size, size + 1, -size - 1):
            with pytest.raises(IndexError):
                new[index]
    assert Vector.of(new) is new


def test_index_of_finds_the_first_equal_item() -> None:
    """It looks at items in order, and raises if there is none."""
    new = Vector.of([*range(2000), *range(2000)])
    for item in (0, 3, 4, 1000, 1999):
        assert new.index_of(item) == item
    with pytest.raises(ValueError, match="'x' is not in the sequence"):
        new.index_of("x")
    with pytest.raises(ValueError, match="not in the sequence"):
        Vector.EMPTY.index_of(None)


def test_setting_the_item_that_is_there_returns_the_vector() -> None:
    """Nothing changed, so the same object comes back; equality is not enough."""
    item = [1]
    new = Vector.of([item] * 20)
    assert new.set(7, item) is new
    assert new.splice(7, 0, []) is new
    assert new.set(7, [1]) is not new


def test_a_change_outside_of_a_vector_raises() -> None:
    """Changes count from the start, and only within."""
    new = Vector.of(range(10))
    for size, vector in ((10, new), (0, Vector.EMPTY)):
        for index in (-1, size, size + 1):
            with pytest.raises(IndexError):
                vector.set(index, 0)
            with pytest.raises(IndexError):
                vector.remove(index)
        for index in (-1, size + 1):
            with pytest.raises(IndexError):
                vector.insert(index, 0)
        for index, deleted in ((-1, 1), (size, 1), (0, size + 1), (1, -1), (size + 1, 0)):
            with pytest.raises(IndexError, match=rf"expected a part of 0\.\.{size}, got {index}"):
                vector.splice(index, deleted, [1])


def test_vectors_are_equal_by_their_items() -> None:
    """How a vector came to be does not matter; a list is another thing."""
    grown = Vector.EMPTY
    for item in range(300):
        grown = grown.insert(item // 2, item)
    assert grown == Vector.of(list(grown))
    assert grown != list(grown)
    assert grown != grown.append(1)
    assert grown != grown.set(0, "x")
    with pytest.raises(TypeError, match="unhashable"):
        hash(grown)


@pytest.mark.parametrize("seed", range(3))
def test_a_vector_that_grows_and_shrinks_anywhere_stays_balanced(seed: int) -> None:
    """No chunk is empty, too large or, unless alone, too small; old versions never change."""
    rng = random.Random(seed)
    place: list[Callable[[int], int]] = [lambda n: 0, lambda n: n, lambda n: rng.randint(0, n)]
    new, oracle = Vector.EMPTY, list[Any]()
    kept = []
    for step in range(4000):
        at = place[seed](len(oracle))
        new = new.insert(at, step)
        oracle.insert(at, step)
        if step % 500 == 0:
            kept.append((new, oracle[:]))
        if step % 20 == 0:
            check_vector(new)
    for step in range(3900):
        at = min(place[(seed + 1) % 3](len(oracle)), len(oracle) - 1)
        new = new.remove(at)
        del oracle[at]
        if step % 20 == 0:
            check_vector(new)
    assert list(new) == oracle
    for _ in range(200):
        at = rng.randint(0, len(oracle))
        deleted = rng.randint(0, min(len(oracle) - at, rng.choice([0, 1, 5, 3000])))
        items = [rng.random() for _ in range(rng.choice([0, 1, 3, 2500]))]
        new = new.splice(at, deleted, iter(items))
        oracle[at : at + deleted] = items
        check_vector(new)
        assert list(new) == oracle
        if oracle:
            at = rng.randrange(len(oracle))
            new = new.set(at, "set")
            oracle[at] = "set"
    assert all(list(version) == items for version, items in kept)


def check_vector(new: Vector) -> None:
    sizes = [len(chunk) for chunk in new._chunks]
    assert new._starts == list(accumulate(sizes, initial=0))[:-1]
    assert len(new) == sum(sizes)
    assert all(size <= 2 * persistent.VECTOR_LOAD for size in sizes)
    assert len(sizes) < 2 or all(size >= persistent.VECTOR_LOAD // 2 for size in sizes)


def test_append_and_remove_build_on_the_same_chunks() -> None:
    """All chunks but one are shared with the version before."""
    old = Vector.of(range(10_000))
    for new in (old.append(1), old.remove(5000), old.insert(5000, 1), old.set(5000, "x")):
        shared = {id(chunk) for chunk in old._chunks} & {id(chunk) for chunk in new._chunks}
        assert len(shared) >= len(old._chunks) - 2

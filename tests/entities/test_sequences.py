"""Sequences over chunks that others share."""

from __future__ import annotations

import copy
import pickle
from operator import itemgetter
from typing import Any

import pytest

from crdtstore import to_plain
from crdtstore.entities.sequences import EntitySequence
from tests.entities.shelves import GATSBY, HOBBIT


def chunked(*sizes: int, pairs: bool = False) -> tuple[EntitySequence[Any], list[Any]]:
    """Return a sequence of chunks of these sizes, and the list that it is to equal."""
    items = list(range(100, 100 + sum(sizes)))
    chunks, start = [], 0
    for size in sizes:
        part = items[start : start + size]
        chunks.append([(None, item) for item in part] if pairs else part)
        start += size
    return EntitySequence(chunks, len(items), itemgetter(1) if pairs else None), items


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("sizes", [(), (1,), (5,), (3, 1, 4), (1, 1, 1, 1), (2, 7)])
def test_it_reads_as_the_list(sizes: tuple[int, ...], pairs: bool) -> None:
    """Every index, slice and iteration gives what a list gives."""
    new, expected = chunked(*sizes, pairs=pairs)
    assert len(new) == len(expected)
    assert list(new) == expected
    assert list(reversed(new)) == expected[::-1]
    assert bool(new) == bool(expected)
    bounds = [None, *range(-len(expected) - 2, len(expected) + 3)]
    for start in bounds:
        for stop in bounds:
            for step in (None, 1, 2, 3, -1, -2):
                assert new[start:stop:step] == expected[start:stop:step]
    for index in range(-len(expected), len(expected)):
        assert new[index] == expected[index]
        assert new.index(expected[index]) == index % len(expected)
    for index in (len(expected), -len(expected) - 1):
        with pytest.raises(IndexError):
            new[index]
    assert [item in new for item in range(99, 110)] == [i in expected for i in range(99, 110)]
    assert new.count(100) == expected.count(100)


def test_indices_are_checked() -> None:
    """As those of a list."""
    new: Any = chunked(3)[0]
    with pytest.raises(TypeError):
        new["a"]
    with pytest.raises(ValueError, match="zero"):
        new[::0]


def test_it_equals_lists_and_tuples_of_the_same() -> None:
    """And other such sequences, whatever their chunks."""
    new, expected = chunked(2, 3)
    assert new == expected
    assert expected == new
    assert new == tuple(expected)
    assert new == chunked(5)[0]
    assert new != expected[:-1]
    assert new != expected[::-1]
    assert new != set(expected)
    assert new != "text"
    with pytest.raises(TypeError, match="unhashable"):
        hash(new)


def test_it_cannot_be_changed() -> None:
    """There is nothing to change it with, and slices and copies are lists of their own."""
    new: Any = chunked(2, 3)[0]
    with pytest.raises(TypeError, match="assignment"):
        new[0] = 1
    with pytest.raises(TypeError, match="deletion"):
        del new[0]
    assert not hasattr(new, "append")
    new[:2].append(5)
    copy.copy(new).clear()
    assert new == [100, 101, 102, 103, 104]


def test_it_is_shown_copied_pickled_and_made_plain() -> None:
    """As a list of the same, but for pickle, which gives such a sequence again."""
    new, expected = chunked(2, 3)
    assert repr(new) == repr(expected)
    assert type(copy.copy(new)) is list
    again = pickle.loads(pickle.dumps(new))
    assert isinstance(again, EntitySequence)
    assert again == new
    assert pickle.loads(pickle.dumps(chunked()[0])) == []
    books = EntitySequence([[GATSBY], [HOBBIT]], 2)
    deep = copy.deepcopy(books)
    assert deep == [GATSBY, HOBBIT]
    assert deep[0] is not GATSBY
    plain = [{"id": "tgg", "title": "The Great Gatsby", "author": None}]
    assert books.to_plain()[:1] == to_plain(books)[:1] == plain

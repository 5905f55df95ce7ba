"""The root state, and paths as people write them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from crdtstore import FrozenStateError, RootState
from crdtstore.state import conflict_path, replaced
from tests.draft.running import opened


def test_slices_are_attributes_and_items() -> None:
    """``state.s`` and ``state["s"]`` are the same snapshot; the root is a mapping."""
    root = RootState({"a": 1, "b": [2]})
    assert (root.a, root["b"], len(root), list(root)) == (1, [2], 2, ["a", "b"])
    assert dict(root) == {"a": 1, "b": [2]} == root
    assert {**root} == root
    match root:
        case {"a": value}:
            assert value == 1
        case _:
            raise AssertionError
    assert repr(root) == "State(a=1, b=[2])"


def test_an_unknown_slice_says_which_there_are() -> None:
    """A typo is an ``AttributeError`` with the names."""
    with pytest.raises(AttributeError, match="the store has no slice 'c'; slices: a, b"):
        _ = RootState({"a": 1, "b": 2}).c
    with pytest.raises(KeyError):
        RootState({"a": 1})["c"]


def test_nothing_can_be_written() -> None:
    """Neither attributes nor items."""
    root: Any = RootState({"a": 1})
    with pytest.raises(FrozenStateError):
        root.a = 2
    with pytest.raises(FrozenStateError):
        root["a"] = 2
    with pytest.raises(FrozenStateError):
        del root.a
    with pytest.raises(FrozenStateError):
        root.new = 1


def test_replacing_slices_makes_a_new_root() -> None:
    """What is not replaced is the same object."""
    b: list[int] = []
    root = RootState({"a": 1, "b": b})
    other = replaced(root, {"a": 2})
    assert (root.a, other.a) == (1, 2)
    assert other.b is b
    assert other != root
    assert other == RootState({"a": 2, "b": []})


def test_roots_are_compared_by_their_slices_even_if_one_is_called_items() -> None:
    """A slice that hides a method of mappings does not break the root."""
    root = RootState({"items": 1, "keys": 2})
    assert root == RootState({"items": 1, "keys": 2})
    assert root != RootState({"items": 1, "keys": 3})
    assert root == {"items": 1, "keys": 2}
    assert pickle.loads(pickle.dumps(root)) == root
    assert copy.copy(root) == copy.deepcopy(root) == root
    with pytest.raises(TypeError, match="unhashable"):
        hash(root)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        (("memo",), ("memo",)),
        (("items", 0, "done"), None),
        (("items", -1), None),
        (("rows", "x", "address", "street"), ("rows", "x", "address", "street")),
        (("entries", "k"), ("entries", "k")),
        (("entries", "not there yet"), ("entries", "not there yet")),
        (("tags", "t"), ("tags", "s:t")),
        (("title",), ("title",)),
        ((), ()),
    ],
)
def test_a_path_is_written_as_one_indexes(path: tuple[Any, ...], segments: Any) -> None:
    """Indices become the keys of elements, set values their element keys."""
    store, _ = opened()
    shape, state = store._slots["s"].document.shape, store.state.s
    if segments is None:
        key = state.items.key_at(path[1])
        segments = (path[0], key, *path[2:])
        assert conflict_path(shape, state, (path[0], key, *path[2:])) == segments
    assert conflict_path(shape, state, path) == segments


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("nope",), "nope: no such field; fields: items, values"),
        (("items", "no key"), "no such element"),
        (("items", "no key", "done"), "no such element"),
        (("rows", "z"), "rows.z: no such row"),
        (("rows", "x", "nope"), "rows.x.nope: no such field; fields: title"),
        (("memo", "deeper"), "memo.deeper: nothing is kept below here"),
        (("entries", "k", 0), "nothing is kept below here"),
        ((5,), "no such field"),
    ],
)
def test_a_path_that_is_not_there_names_the_part(path: tuple[Any, ...], message: str) -> None:
    """The first wrong part of a path is named, with what there is."""
    store, _ = opened()
    with pytest.raises(KeyError, match=message):
        store.conflicts("s", *path)

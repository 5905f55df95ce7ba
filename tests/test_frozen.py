"""Frozen lists and dicts, and the way into and out of them."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore.errors import FrozenStateError, StateValueError
from crdtstore.frozen import FrozenDict, FrozenList, freeze, is_text, thaw


class Title(str):
    __slots__ = ()
    __crdtstore_text__ = True


def set_item(box: Any) -> None:
    box[0] = 1


def delete_item(box: Any) -> None:
    del box[0]


def add_to(box: Any) -> None:
    box += [1]


def multiply(box: Any) -> None:
    box *= 2


def merge_into(box: Any) -> None:
    box |= {1: 1}


LIST_WRITES: list[Callable[[Any], object]] = [
    set_item,
    delete_item,
    add_to,
    multiply,
    lambda box: box.append(1),
    lambda box: box.clear(),
    lambda box: box.extend([1]),
    lambda box: box.insert(0, 1),
    lambda box: box.pop(),
    lambda box: box.remove(1),
    lambda box: box.reverse(),
    lambda box: box.sort(),
]
DICT_WRITES: list[Callable[[Any], object]] = [
    set_item,
    delete_item,
    merge_into,
    lambda box: box.clear(),
    lambda box: box.pop(0),
    lambda box: box.popitem(),
    lambda box: box.setdefault(5, 1),
    lambda box: box.update({5: 1}),
]


@pytest.mark.parametrize("write", LIST_WRITES)
def test_every_way_to_write_to_a_frozen_list_is_refused(write: Callable[[Any], object]) -> None:
    """A mutator raises, says where state changes, and leaves the list as it was."""
    box = FrozenList([1, 2])
    with pytest.raises(FrozenStateError, match=r"store\.state is read-only; change it in a reduc"):
        write(box)
    assert box == [1, 2]


@pytest.mark.parametrize("write", DICT_WRITES)
def test_every_way_to_write_to_a_frozen_dict_is_refused(write: Callable[[Any], object]) -> None:
    """A mutator raises, says where state changes, and leaves the dict as it was."""
    box = FrozenDict({0: 1})
    with pytest.raises(FrozenStateError, match=r"store\.state is read-only; change it in a reduc"):
        write(box)
    assert box == {0: 1}


def test_no_mutator_of_list_and_dict_is_forgotten() -> None:
    """Whatever list and dict have beyond the immutable protocols is overridden or harmless."""
    harmless_of_list = {"__init__", "copy", "count", "index"}
    harmless_of_dict = {"__init__", "copy", "get", "items", "keys", "values"}
    reading = set(dir(tuple)) | {"__reversed__", "__class_getitem__"}
    for frozen, base, harmless in (
        (FrozenList, list, harmless_of_list),
        (FrozenDict, dict, harmless_of_dict | {"__or__", "__ror__"}),
    ):
        left = {name for name in dir(base) if getattr(frozen, name) is getattr(base, name)}
        assert left - reading <= harmless


def test_frozen_containers_are_lists_and_dicts() -> None:
    """They compare, match, print and serialise as the plain ones do, and cannot be hashed."""
    box: Any = freeze({"a": [1, {"b": 2}], "c": ()})
    plain = {"a": [1, {"b": 2}], "c": ()}
    assert box == plain
    assert plain == box
    assert repr(box) == "{'a': [1, {'b': 2}], 'c': ()}"
    assert json.loads(json.dumps(box)) == {"a": [1, {"b": 2}], "c": []}
    match box:
        case {"a": [first, {"b": second}]}:
            assert (first, second) == (1, 2)
        case _:
            pytest.fail("it does not match as a dict does")
    for part in (box, box["a"]):
        with pytest.raises(TypeError, match="unhashable"):
            hash(part)


def test_copies_are_plain_and_deep_copies_are_plain_all_the_way_down() -> None:
    """Whoever copies wants to change the copy."""
    frozen = freeze({"a": [[1]]})
    for shallow in (frozen.copy(), copy.copy(frozen), dict(frozen), frozen | {}):
        assert type(shallow) is dict
        assert shallow["a"] is frozen["a"]
    for shallow in (frozen["a"].copy(), copy.copy(frozen["a"]), frozen["a"][:], frozen["a"] + []):
        assert type(shallow) is list
    deep = copy.deepcopy(frozen)
    deep["a"][0].append(2)
    assert deep == {"a": [[1, 2]]}
    assert frozen == {"a": [[1]]}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_containers_frozen(protocol: int) -> None:
    """What comes out of a pickle is as frozen as what went in."""
    frozen = freeze({"a": [1, {"b": 2}]})
    again = pickle.loads(pickle.dumps(frozen, protocol))
    assert again == frozen
    assert [type(part) for part in (again, again["a"], again["a"][1])] == [
        FrozenDict,
        FrozenList,
        FrozenDict,
    ]


def test_asdict_of_a_dataclass_that_holds_them_works() -> None:
    """dataclasses.asdict rebuilds containers by their type, and so can these be built."""

    @dataclasses.dataclass
    class Holder:
        field: Any

    assert dataclasses.asdict(Holder(freeze({"a": [1]}))) == {"field": {"a": [1]}}
    assert FrozenDict.fromkeys("ab", 0) == {"a": 0, "b": 0}


def test_freezing_what_is_frozen_returns_it() -> None:
    """Identity tells readers that nothing changed."""
    frozen = freeze({"a": [1, (2, [3])], "b": "text"})
    assert freeze(frozen) is frozen
    half_frozen = FrozenList([[1]])
    assert type(freeze(half_frozen)[0]) is FrozenList
    nothing_to_freeze = (1, ("a", None))
    assert freeze(nothing_to_freeze) is nothing_to_freeze


def test_thawing_makes_new_plain_containers() -> None:
    """`thaw` shares no container with what it was given, tuples' contents included."""
    frozen = freeze([1, {"a": [2]}, ([3],)])
    plain = thaw(frozen)
    plain[1]["a"].append(4)
    plain[2][0].append(5)
    assert plain == [1, {"a": [2, 4]}, ([3, 5],)]
    assert frozen == [1, {"a": [2]}, ([3],)]


def test_marked_text_becomes_plain_text() -> None:
    """A str class that stands for text of the state leaves only its characters behind."""
    assert is_text(str)
    assert is_text(Title)
    assert not is_text(type("Other", (str,), {}))
    assert not is_text(int)
    for change in (freeze, thaw):
        assert [type(part) for part in change([Title("a"), (Title("b"),)])] == [str, tuple]
        assert type(change((Title("b"),))[0]) is str


def test_what_is_no_state_is_left_alone() -> None:
    """Whether a value can be state is for the codec to say."""
    for value in (OrderedDict(a=1), {1, 2}, object()):
        assert freeze(value) is value
        assert thaw(value) is value


@pytest.mark.parametrize("change", [freeze, thaw])
def test_a_value_that_contains_itself_is_refused(change: Callable[[Any], Any]) -> None:
    """Endless nesting is an error that says so, and 64 levels are none."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(StateValueError, match="at most 64 containers inside one another, got more"):
        change(circle)
    deep: list[Any] = []
    for _ in range(63):
        deep = [deep]
    assert change(deep) == deep
    with pytest.raises(StateValueError, match="Table or Map"):
        change([deep])

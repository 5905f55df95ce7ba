"""Plain data changed in a copy, with the unchanged parts of the original kept."""

from __future__ import annotations

import copy
from collections import Counter as Tally
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest

from crdtstore import (
    Counter,
    FrozenStateError,
    List,
    ReducerError,
    StateValueError,
    Text,
    configure_store,
    create_slice,
)
from crdtstore.next_state import create_next_state
from crdtstore.values import freeze

Point = namedtuple("Point", "x y")


@dataclass
class Leaf:
    name: str = ""
    marks: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    leaf: Leaf
    points: tuple[Any, ...] = ()


@dataclass
class Row:
    name: str = ""


@dataclass
class Kinds:
    title: Text = Text()
    votes: Counter = Counter(0)
    items: List[Row] = List()


def tree() -> dict[str, Any]:
    return {
        "a": {"list": [1, [2], {"x": 3}], "leaf": Leaf("a", [1])},
        "b": [Leaf("b", [1]), Leaf("c", [2])],
        "set": {1, 2},
        "tuple": (1, [2]),
        "frozen": Frozen(Leaf("f"), (Point([1], 2),)),
        "none": None,
    }


def unchanged(draft: Any) -> None:
    """Change nothing."""


# Changing


def test_what_changed_is_new_and_all_else_is_the_original() -> None:
    """New are the changed part and what holds it; the base is as it was."""
    base = tree()
    before = copy.deepcopy(base)
    after = create_next_state(base, lambda draft: draft["a"]["list"][2].update(x=4))
    assert base == before
    assert after["a"]["list"] == [1, [2], {"x": 4}]
    assert after is not base
    assert after["a"] is not base["a"]
    assert after["a"]["list"] is not base["a"]["list"]
    assert after["a"]["list"][1] is base["a"]["list"][1]
    assert after["a"]["leaf"] is base["a"]["leaf"]
    for key in ("b", "set", "tuple", "frozen"):
        assert after[key] is base[key]


def test_nothing_changed_gives_the_base_back() -> None:
    """Also if something was written that was there, or changed and changed back."""
    base = tree()

    def in_vain(draft: dict[str, Any]) -> None:
        draft["a"]["list"][0] = 1
        draft["b"].append(1)
        draft["b"].pop()
        draft["b"][0].name = "b"
        draft["b"][0] = draft["b"][0]
        draft["set"].add(1)

    assert create_next_state(base, unchanged) is base
    assert create_next_state(base, in_vain) is base


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda draft: draft["b"].insert(0, 1), lambda state: state["b"]),
        (lambda draft: draft["b"].reverse(), lambda state: state["b"]),
        (lambda draft: draft["set"].discard(1), lambda state: state["set"]),
        (lambda draft: draft["tuple"][1].append(1), lambda state: state["tuple"]),
        (lambda draft: setattr(draft["a"]["leaf"], "name", 1), lambda state: state["a"]["leaf"]),
        (lambda draft: draft["frozen"].leaf.marks.append(1), lambda state: state["frozen"].leaf),
        (lambda draft: draft["frozen"].points[0].x.append(1), lambda state: state["frozen"].points),
        (lambda draft: draft.update(new=1), lambda state: state),
        (lambda draft: draft.pop("none"), lambda state: state),
        (lambda draft: draft["a"]["list"].__setitem__(0, True), lambda state: state["a"]["list"]),
        (lambda draft: draft["a"]["list"].__setitem__(0, 1.0), lambda state: state["a"]["list"]),
        (lambda draft: draft.update(a=draft.pop("a")), lambda state: state),
    ],
)
def test_every_change_shows_and_leaves_the_base_alone(change: Any, where: Any) -> None:
    """The same is done as to a deep copy, and only a new object shows it."""
    base = tree()
    before = copy.deepcopy(base)
    expected = copy.deepcopy(base)
    change(expected)

    def recipe(draft: dict[str, Any]) -> None:
        change(draft)

    after = create_next_state(base, recipe)
    assert after == expected
    assert list(after) == list(expected)
    assert repr(after) == repr(expected)
    assert base == before
    assert repr(base) == repr(before)
    assert where(after) is not where(base)


def test_moved_parts_keep_their_identity() -> None:
    """Wherever the recipe puts them: in another place, another container, or a new one."""
    base = tree()

    def recipe(draft: dict[str, Any]) -> None:
        draft["b"].reverse()
        draft["moved"] = {"list": [draft["a"].pop("leaf")]}

    after = create_next_state(base, recipe)
    assert after["b"][0] is base["b"][1]
    assert after["b"][1] is base["b"][0]
    assert after["moved"]["list"][0] is base["a"]["leaf"]
    assert "leaf" in base["a"]


def test_a_returned_value_is_the_next_state() -> None:
    """It may be made of parts of the draft, which are the originals then."""
    base = tree()
    after = create_next_state(base, lambda draft: {"b": draft["b"], "n": 1})
    assert after == {"b": base["b"], "n": 1}
    assert after["b"] is base["b"]
    assert create_next_state(base, lambda draft: draft["a"]) is base["a"]
    assert create_next_state(base, lambda draft: draft) is base


def test_single_values_go_through_the_recipe_as_they_are() -> None:
    """What it returns comes back; nothing returned is nothing changed."""
    assert create_next_state(1, lambda number: number + 1) == 2
    assert create_next_state("text", unchanged) == "text"
    assert create_next_state(None, unchanged) is None


def test_dataclasses_come_back_as_what_they_are() -> None:
    """Frozen and slotted ones, and those with kinds, whose fields are plain data here."""
    base = Kinds("title", 1, [Row("a"), Row("b")])  # type: ignore[arg-type]

    def recipe(draft: Kinds) -> None:
        draft.votes += 1
        draft.items[1].name = "c"

    after = create_next_state(base, recipe)
    assert type(after) is Kinds
    assert (after.votes, base.votes) == (2, 1)
    assert [row.name for row in after.items] == ["a", "c"]
    assert [row.name for row in base.items] == ["a", "b"]
    assert after.items[0] is base.items[0]


def test_subclasses_of_containers_stay_what_they_are() -> None:
    """With whatever else they are made of: a factory, an order, names."""
    base: dict[str, Any] = {
        "default": defaultdict(list, a=[1]),
        "ordered": OrderedDict(b=1, a=2),
        "tally": Tally("aab"),
        "point": Point([1], [2]),
    }

    def recipe(draft: dict[str, Any]) -> None:
        draft["default"]["new"].append(2)
        draft["ordered"].move_to_end("b")
        draft["tally"].update("b")
        draft["point"].x.append(3)

    after = create_next_state(base, recipe)
    assert after["default"] == {"a": [1], "new": [2]}
    assert after["default"].default_factory is list
    assert after["default"]["a"] is base["default"]["a"]
    assert list(after["ordered"]) == ["a", "b"]
    assert after["tally"]["b"] == 2
    assert after["point"] == Point([1, 3], [2])
    assert after["point"].y is base["point"].y
    assert base == {
        "default": {"a": [1]},
        "ordered": {"b": 1, "a": 2},
        "tally": {"a": 2, "b": 1},
        "point": ([1], [2]),
    }


def test_frozen_data_can_be_changed_in_a_copy() -> None:
    """Changed parts are plain, unchanged parts stay frozen; frozen again it is one whole."""
    base = freeze({"a": [1], "b": [2]})
    after = create_next_state(base, lambda draft: draft["a"].append(2))
    assert after == {"a": [1, 2], "b": [2]}
    assert after["b"] is base["b"]
    with pytest.raises(FrozenStateError):
        freeze(after)["a"].append(3)


def test_other_objects_are_shared() -> None:
    """They are not looked into, so the next state has the very same."""

    class Other:
        pass

    other = Other()
    base = {"other": other, "list": [other]}
    after = create_next_state(base, lambda draft: draft["list"].append(1))
    assert after == {"other": other, "list": [other, 1]}
    assert after["other"] is other


# Refusals


def test_mutating_and_returning_are_not_done_both() -> None:
    """As in a reducer."""

    def both(draft: dict[str, Any]) -> dict[str, Any]:
        draft["x"] = 1
        return {}

    with pytest.raises(ReducerError, match="mutate the draft or return a new state, never both"):
        create_next_state({}, both)


def test_a_recipe_that_raises_changes_nothing() -> None:
    """The base is as it was."""
    base = tree()
    before = copy.deepcopy(base)

    def failing(draft: dict[str, Any]) -> None:
        draft["b"].clear()
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        create_next_state(base, failing)
    assert base == before


def test_data_that_contains_itself_is_refused() -> None:
    """Before the recipe sees it, or after it was made so."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(StateValueError, match="contains itself"):
        create_next_state(circle, unchanged)
    with pytest.raises(StateValueError, match="contains itself"):
        create_next_state({}, lambda draft: draft.update(me=draft))


def test_a_snapshot_of_a_store_is_refused() -> None:
    """Reducers change it; a copy of it is plain data. Inside plain data it is left alone."""
    kinds = create_slice(name="kinds", initial_state=Kinds())
    with configure_store([kinds]) as store:
        state = store[kinds]
        for snapshot in (state, state.items):
            with pytest.raises(TypeError, match=r"let a reducer change it"):
                create_next_state(snapshot, unchanged)

        def recipe(draft: dict[str, Any]) -> None:
            draft["n"] = 1

        assert create_next_state({"state": state, "n": 0}, recipe)["state"] is state
        changed = create_next_state(copy.deepcopy(state), lambda draft: setattr(draft, "votes", 3))
        assert changed.votes == 3

"""Differences between states, told from what they do not share; properties/ has the oracle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from crdtstore import (
    Counter,
    Difference,
    List,
    Map,
    Set,
    Table,
    Text,
    configure_store,
    create_slice,
    differences,
)
from crdtstore.difference import compare_lists, longest_increasing


@dataclass
class Inner:
    size: int = 1


@dataclass
class Row:
    title: str = ""
    inner: Inner = field(default_factory=Inner)


@dataclass
class Everything:
    name: str = "x"
    count: Counter = Counter(0)
    note: Text = Text("hello")
    rows: Table[Row] = Table()
    plan: List[Row] = List()
    words: List[str] = List()
    tags: Set[Any] = Set()
    prefs: Map[Any] = Map()
    blob: Any = None


everything = create_slice(
    name="all", initial_state=Everything(), reducers={"edit": lambda state, edit: edit(state)}
)


def told(*edits: Any) -> list[Difference]:
    """What the last of some edits changed."""
    slices: Any = [everything]
    with configure_store(slices, middleware=lambda _: []) as store:
        before = store.state
        for edit in edits:
            before = store.state
            store.dispatch({"type": "all/edit", "payload": edit})
        return list(differences(before, store.state))


def test_single_values_are_told_with_both_sides() -> None:
    """Registers, counters, texts, and values as they are written as one."""

    def edit(state: Any) -> None:
        state.name = "y"
        state.count += 2
        state.note.insert(5, "!")
        state.blob = {"deep": [1]}

    assert told(edit) == [
        Difference(("all", name), ("all", name), "changed", before, after)
        for name, before, after in [
            ("name", "x", "y"),
            ("count", 0, 2),
            ("note", "hello", "hello!"),
            ("blob", None, {"deep": [1]}),
        ]
    ]


def test_rows_and_entries_are_told_by_key() -> None:
    """Whole where they came or went, by field where they changed."""

    def first(state: Any) -> None:
        state.rows.update(a=Row("a"), b=Row("b"))
        state.prefs.update(p=1, q=2)
        state.tags |= {"t", 1}

    def then(state: Any) -> None:
        state.rows["a"].inner.size = 9
        del state.rows["b"]
        state.prefs["p"] = 7
        del state.prefs["q"]
        state.tags.discard(1)
        state.tags.add("u")

    found = {each.path: (each.kind, each.before, each.after) for each in told(first, then)}
    assert found == {
        ("all", "rows", "a", "inner", "size"): ("changed", 1, 9),
        ("all", "rows", "b"): ("removed", Row("b"), None),
        ("all", "prefs", "p"): ("changed", 1, 7),
        ("all", "prefs", "q"): ("removed", 2, None),
        ("all", "tags", 1): ("removed", 1, None),
        ("all", "tags", "u"): ("added", None, "u"),
    }


def test_list_elements_have_an_index_to_show_and_a_lasting_key() -> None:
    """An element that moved went from one place and came to another."""

    def first(state: Any) -> None:
        state.plan.extend([Row("a"), Row("b"), Row("c")])
        state.words.extend("abc")

    def then(state: Any) -> None:
        state.plan.move(2, 0)
        state.plan[1].title = "A"
        del state.words[1]

    found = told(first, then)
    assert [(each.path[1:], each.kind) for each in found] == [
        (("plan", 2), "removed"),
        (("plan", 0), "added"),
        (("plan", 1, "title"), "changed"),
        (("words", 1), "removed"),
    ]
    assert found[0].place == found[1].place
    assert found[0].place[-1] not in ("0", "2")


def test_slices_that_come_are_told_whole() -> None:
    """A slice that was injected is one difference."""
    with configure_store([everything]) as store:
        before = store.state
        store.inject(create_slice(name="more", initial_state={"n": 1}))
        (found,) = differences(before, store.state)
        assert (found.path, found.kind) == (("more",), "added")
        (back,) = differences(store.state, before)
        assert (back.path, back.kind, back.after) == (("more",), "removed", None)


def test_lists_are_compared_by_what_stays() -> None:
    """As few elements as possible have moved."""
    with configure_store([everything], middleware=lambda _: []) as store:
        store.dispatch({"type": "all/edit", "payload": lambda s: s.words.extend("abcdef")})
        before = store.state
        store.dispatch({"type": "all/edit", "payload": lambda s: s.words.move(5, 0)})
        change = compare_lists(before["all"].words, store.state["all"].words)
        assert list(change.moved.values()) == [(5, 0)]
        assert compare_lists(before["all"].words, before["all"].words) == ({}, {}, {})
    assert longest_increasing([2, 0, 1, 3]) == [1, 2, 3]
    assert longest_increasing([]) == []


def test_values_that_python_calls_equal_are_told_apart_in_sets() -> None:
    """One of them takes the other's place."""

    def replace(state: Any) -> None:
        state.tags.discard(1)
        state.tags.add(True)

    found = told(lambda state: state.tags.add(1), replace)
    assert [(each.path[2], each.kind) for each in found] == [(1, "removed"), (True, "added")]


@pytest.mark.parametrize("given", [(None, {}), ({}, None), (3, 4)])
def test_only_root_states_are_compared(given: Any) -> None:
    """Anything else is refused at once, with what was expected and what came."""
    with pytest.raises(TypeError, match=r"is a root state .*got (NoneType|int): "):
        differences(*given)


def test_states_without_a_store_are_compared() -> None:
    """Any mappings of slices by name do, with what only one of them has."""
    assert list(differences({"a": 1, "keys": 2}, {"a": 3, "items": 4})) == [
        Difference(("a",), ("a",), "changed", 1, 3),
        Difference(("items",), ("items",), "added", None, 4),
        Difference(("keys",), ("keys",), "removed", 2, None),
    ]

"""What acts changed, as it is shown; held against an oracle that looks at everything."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdtstore import (
    Commit,
    Counter,
    List,
    ListView,
    Map,
    MapView,
    RootState,
    Set,
    SetView,
    Table,
    TableView,
    Text,
    configure_store,
    create_slice,
)
from properties.histories import commands
from properties.kitchen import Command, Fresh, Script, kitchen, run
from sync.devtools.diffs import Change, Kinds, changes, diff, diff_plain

batches = st.lists(st.lists(commands, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


def read(value: Any) -> Any:
    """All of a state in dicts and lists, sets as dicts by the names that paths have for values."""
    if isinstance(value, SetView):
        return {each if isinstance(each, str) else repr(each): repr(each) for each in value}
    if isinstance(value, ListView):
        return [read(each) for each in value]
    if isinstance(value, RootState | TableView | MapView):
        return {key: read(value[key]) for key in value}
    if is_dataclass(value):
        return {each.name: read(getattr(value, each.name)) for each in fields(value)}
    return repr(value)


@given(batches)
def test_what_is_told_leads_from_one_state_to_the_other(
    script: list[tuple[Command, ...]],
) -> None:
    """Done to all that the state before holds, the changes make all that the state after holds."""
    fresh = Fresh()
    with configure_store([kitchen]) as store:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        for batch in script:
            store.dispatch(run(Script(batch, fresh)))
        for commit in commits:
            found = diff(commit.previous, commit.state)
            assert found == list(changes(commit.previous, commit.state))
            state = read(commit.previous)
            for change in _in_order(found, state):
                _apply(state, change)
            assert state == read(commit.state)


def _in_order(found: list[Change], before: Any) -> list[Change]:
    """Elements of lists that went, the last first; those that came, the first first; the rest.

    Indices on the way to something are those of the state after.
    """

    def is_element(change: Change) -> bool:
        return len(change.path) == 3 and isinstance(before["kitchen"][change.path[1]], list)

    elements = [each for each in found if is_element(each)]
    elements.sort(key=lambda each: int(each.path[2]))
    return [
        *[each for each in reversed(elements) if each.kind == "removed"],
        *[each for each in elements if each.kind == "added"],
        *[each for each in found if each not in elements or each.kind == "changed"],
    ]


def _apply(state: Any, change: Change) -> None:
    *way, last = change.path
    for part in way:
        state = state[int(part)] if isinstance(state, list) else state[part]
    key: Any = int(last) if isinstance(state, list) else last
    before, after = read(change.before), read(change.after)
    if change.kind == "removed":
        assert state.pop(key) == before
    elif change.kind == "changed":
        assert state[key] == before
        state[key] = after
    elif isinstance(state, list):
        state.insert(key, after)
    else:
        assert key not in state
        state[key] = after


@dataclass
class Inner:
    size: int = 0


@dataclass
class Row:
    title: str = ""
    votes: Counter = Counter(0)
    inner: Inner = field(default_factory=Inner)
    meta: Map[Any] = Map()


@dataclass
class Everything:
    name: str = ""
    inner: Inner = field(default_factory=Inner)
    count: Counter = Counter(0)
    note: Text = Text()
    rows: Table[Row] = Table()
    plan: List[Row] = List()
    words: List[str] = List()
    tags: Set[str] = Set()
    prefs: Map[Any] = Map()


@pytest.mark.parametrize(
    ("place", "kind", "expected"),
    [
        (("name",), "changed", True),
        (("inner", "size"), "changed", True),
        (("count",), "changed", False),
        (("note",), "changed", False),
        (("rows", "k"), "added", True),
        (("rows", "k"), "removed", False),
        (("rows", "k", "title"), "changed", True),
        (("rows", "*", "inner", "size"), "changed", True),
        (("rows", "k", "votes"), "changed", False),
        (("rows", "k", "meta", "m"), "changed", True),
        (("plan", "k"), "added", False),
        (("plan", "k", "title"), "changed", True),
        (("words", "k"), "added", False),
        (("words", "k"), "removed", False),
        (("words", "k"), "changed", True),
        (("tags", "s:t"), "added", False),
        (("prefs", "p"), "changed", True),
        (("prefs", "p"), "added", True),
        (("unknown", "p"), "added", False),
    ],
)
def test_registers_are_told_from_what_merges(
    place: tuple[str, ...], kind: str, expected: bool
) -> None:
    """Those where one of two concurrent acts is not seen: registers, map entries, whole rows."""
    with configure_store([create_slice(name="all", initial_state=Everything())]) as store:
        kinds = Kinds(store.schema())
    assert "all" in kinds
    assert kinds.is_register(("all", *place), kind) is expected
    assert not kinds.is_register(("other", *place), kind)


def test_a_slice_that_is_one_register_is_a_place() -> None:
    """Its pattern is empty."""
    one = create_slice(name="one", initial_state=1)
    many = create_slice(name="many", initial_state=Counter(0))
    with configure_store([one, many]) as store:
        kinds = Kinds(store.schema())
    assert kinds.is_register(("one",), "changed")
    assert not kinds.is_register(("many",), "changed")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 1, []),
        (1, True, [Change((), "changed", 1, True)]),
        (
            {"a": 1, "b": {"c": 2}, "gone": 0},
            {"a": 1, "b": {"c": 3}, "new": 4},
            [
                Change(("b", "c"), "changed", 2, 3),
                Change(("gone",), "removed", 0, None),
                Change(("new",), "added", None, 4),
            ],
        ),
        (
            [1, [2], 3],
            [1, [4]],
            [Change(("1", "0"), "changed", 2, 4), Change(("2",), "removed", 3, None)],
        ),
        ([], [7], [Change(("0",), "added", None, 7)]),
        ({"a": []}, {"a": {}}, [Change(("a",), "changed", [], {})]),
    ],
)
def test_plain_data_is_compared_value_by_value(
    before: Any, after: Any, expected: list[Change]
) -> None:
    """For what sanitizers return, which shares nothing."""
    assert list(diff_plain(before, after)) == expected


def test_a_change_of_one_row_in_many_reads_few_others() -> None:
    """What is shared is not looked into: a hundred thousand rows cost a few hundred calls."""
    rows = {f"k{at:06}": at for at in range(100_000)}
    many = create_slice(
        name="many",
        initial_state={"rows": Map(rows)},
        reducers={"put": lambda state, key: state.rows.update({key: -1})},
    )
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    with configure_store([many]) as store:
        before = store.state
        store.dispatch(many.actions.put("k050000"))
        sys.setprofile(count)
        try:
            found = diff(before, store.state)
        finally:
            sys.setprofile(None)
    assert [each.path for each in found] == [("many", "rows", "k050000")]
    assert calls < 200

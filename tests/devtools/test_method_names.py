"""Slices, fields and rows may be called as the methods of mappings are, and are shown all the same.

Attributes that users name hide those of the class, ``items`` of a root state say, so whatever looks
at a state for the tools has to ask the class.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field, make_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdtstore import (
    Action,
    Commit,
    Counter,
    List,
    ListView,
    Map,
    MapView,
    Set,
    Slice,
    Table,
    Text,
    TextView,
    combine_slices,
    configure_store,
    create_entity_adapter,
    differences,
    revert,
    to_plain,
)
from crdtstore.testing.intent import Run, kept
from crdtstore.testing.showing import shown
from sync.devtools.diffs import diff
from sync.devtools.lifted import Instance
from sync.devtools.log import Log
from sync.devtools.plain import plain
from sync.devtools.source import Source
from sync.devtools.texts import Texts
from tests.devtools.monitors import Ui

NAMES = sorted(
    {
        *(name for kind in (dict, list, set) for name in vars(kind) if not name.startswith("_")),
        *("to_plain", "replace", "state", "name", "type", "payload", "kind", "fields", "schema"),
    }
)


KINDS: list[tuple[Any, Any]] = [
    (Map[Any], Map({"k": 1})),
    (Counter, Counter(1)),
    (Text, Text("text")),
    (List[Any], List([1])),
    (int, 1),
]


def slice_of(name: str, names: Sequence[str], first: int, form: str) -> Slice[Any]:
    """A slice whose fields, of all kinds in turn from one on, and their rows have these names."""
    kinds = list(KINDS)
    if form == "dataclass":
        row = make_dataclass("Row", [(each, int, field(default=0)) for each in names])
        kinds.append((Table[row], Table({"r": row()})))  # type: ignore[valid-type]
    fields = {each: kinds[(first + at) % len(kinds)] for at, each in enumerate(names)}
    if form == "dict":
        initial: Any = {each: value for each, (_, value) in fields.items()}
    else:
        specs = [(each, hint, field(default=value)) for each, (hint, value) in fields.items()]
        initial = make_dataclass("State", specs)()

    def edit(state: Any, to: int) -> None:
        for each in names:
            value = getattr(state, each)
            if isinstance(value, int):
                setattr(state, each, to)
            elif isinstance(value, TextView):
                value.insert(0, str(to))
            elif isinstance(value, ListView):
                value.append(to)
            elif isinstance(value, MapView):
                value["k"] = to
            else:
                for other in names:
                    setattr(value["r"], other, to)

    made: Slice[Any] = Slice(name, initial)
    made.reducer(edit)
    return made


def check(slice_name: str, names: Sequence[str], first: int, form: str) -> None:
    """Show a store with such names in all the ways there are, and take back what was done."""
    slices = [slice_of(slice_name, names, first, form), Slice("other", {"n": 0})]
    with configure_store(slices, middleware=lambda _: []) as store:
        log = Log(store)
        initial = store.state
        commits: list[Commit] = []
        store.on_commit(commits.append)
        for to in (7, 8):
            store.dispatch({"type": f"{slice_name}/edit", "payload": to})
        state = store.state

        assert {each.place[1] for each in differences(initial, state)} == set(names)
        assert {each.path[1] for each in diff(initial, state)} == set(names)
        expected = {name: to_plain(state[name]) for name in state}
        assert set(expected[slice_name]) == set(names)
        assert plain(state) == expected
        (text,) = Texts(10**6).fitting([state], 10**6, "$[{}]".format)
        assert json.loads(text) == expected
        assert f"{slice_name}:" in shown(state)

        source = Source(store, log, name="A")
        assert [record["number"] for record in source.records(0)] == [0, 1]
        detail = source.answer({"what": "detail", "number": 1})["value"]
        assert {each["path"][1] for each in detail["diff"]} == set(names)
        assert source.answer({"what": "state", "number": 1})["value"] == {"state": expected}
        assert source.answer({"what": "conflicts"})["ok"]
        for sanitizer in (None, lambda state: state):
            instance = Instance(log, store, name="A", instance_id="a", state_sanitizer=sanitizer)
            ui = Ui()
            ui.take(instance.whole())
            assert ui.lifted["computedStates"][-1]["state"] == expected

        for commit in reversed(commits):
            action = revert(commit)
            store.dispatch(action)
            assert action.skipped == []
        assert plain(store.state) == plain(initial)


@pytest.mark.parametrize("form", ["dataclass", "dict"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_be_that_of_everything(name: str, form: str) -> None:
    """A slice, its field and the fields of its rows are called alike, whatever is in there."""
    for first in range(len(KINDS) + (form == "dataclass")):
        check(name, [name], first, form)


@given(
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True),
    st.integers(0, len(KINDS)),
    st.sampled_from(["dataclass", "dict"]),
)
def test_names_may_be_mixed(name: str, names: list[str], first: int, form: str) -> None:
    """One of them hides nothing from the others."""
    check(name, names, first, form)


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "copy"])
def test_the_rest_of_the_library_asks_the_class_too(name: str) -> None:
    """Slices combined without a store, intents of tests, and rows made of rows."""
    late: Slice[Any] = Slice("late", {"n": 1})
    mine: Slice[Any] = Slice(name, {"tags": Set(("t",)), name: 1})
    combined = combine_slices(mine)
    before = combined.reduce(None, Action("nothing"))
    combined.inject(late)
    assert combined.selector(lambda state: (state["late"].n, state[name][name]))(before) == (1, 1)
    kept("tags")(Run(before, [], before))

    fields: Any = Slice("fields", {"id": "a", name: 3}).get_initial_state()  # a record as data
    row = make_dataclass("Row", [("id", str, field(default="")), (name, int, field(default=0))])
    rows = create_entity_adapter(row)
    table = Slice("rows", rows.get_initial_state({name: 1})).get_initial_state()
    assert dict(rows.add_one(table, fields).entities) == {"a": row("a", 3)}

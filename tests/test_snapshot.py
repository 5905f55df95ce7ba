"""Reading cells, texts and orders into snapshots, whole and only where they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from crdtstore import Counter, List, Map, Set, Table, Text, create_slice
from crdtstore.cells import Cell, Cells
from crdtstore.kinds import TextView
from crdtstore.paths import split
from crdtstore.persistent import Vector
from crdtstore.snapshot import (
    ROOT,
    chosen_hash,
    conflicts,
    entry_conflicts,
    kept,
    list_hash,
    patch,
    read,
    row_places,
    text_hash,
)
from crdtstore.values import ANY, REMOVED


@dataclass
class Row:
    """A row."""

    name: Any = "unnamed"
    votes: Counter = Counter(0)
    title: Text = Text()
    tags: Set[Any] = Set()
    notes: Map[Any] = Map()


@dataclass
class Inner:
    """A nested record."""

    size: int = 1


@dataclass
class State:
    """Every kind."""

    label: Any = "default"
    inner: Inner = field(default_factory=Inner)
    count: Counter = Counter(5)
    letter: Text = Text("Dear")
    note: Text = Text()
    colours: Set[Any] = Set({"red"})
    options: Map[Any] = Map({"x": 1})
    words: List[str] = List(["a"])
    items: List[Row] = List()
    rows: Table[Row] = Table()
    team: Table[Row] = Table({"lead": Row("Ada", votes=3)})


SHAPE: Any = create_slice(name="state", initial_state=State()).shape


class Source:
    """Cells, texts and orders, as a document would give them."""

    def __init__(self) -> None:
        self.cells: dict[str, Cells] = {}
        self.texts: dict[str, TextView] = {}
        self.orders: dict[str, Vector] = {}

    def put(self, path: str, *cells: Cell) -> None:
        """Make these the cells of a path."""
        self.cells[path] = cells
        if not cells:
            del self.cells[path]

    def children(self, path: str) -> Iterable[str]:
        """Find the paths below."""
        start = f"{path}/" if path else ""
        below = [p[len(start) :].split("/")[0] for p in self.cells if p.startswith(start)]
        return [f"{start}{name}" for name in dict.fromkeys(below)]

    def text(self, root: str) -> TextView:
        """Return a text."""
        return self.texts.setdefault(root, TextView(""))

    def order(self, root: str) -> Mapping[str, object]:
        """Return the keys shown."""
        return dict.fromkeys(self.orders.get(root, Vector.of(())))

    def shown(self, root: str) -> Vector:
        """Return the keys shown, in order."""
        return self.orders.get(root, Vector.of(()))


BASE = {"name": "n", "votes": 1, "title": 0, "tags": 0, "notes": 0}


def cell(value: Any, stamp: int = 1, writer: str = "w", inc: str | None = None) -> Cell:
    """Write a cell shortly."""
    return stamp, writer, value, inc


def whole(source: Source) -> Any:
    """Read everything."""
    return read(SHAPE, ROOT, SHAPE.default, source)


def patched(source: Source, before: Any, *paths: str) -> Any:
    """Read what changed, and compare with reading everything."""
    after = patch(SHAPE, before, ROOT, SHAPE.default, [split(path) for path in paths], 0, source)
    assert repr(after) == repr(whole(source))
    return after


def test_an_empty_document_shows_the_defaults() -> None:
    """The very objects, so that nothing seems to have changed."""
    state = whole(Source())
    assert state == SHAPE.default
    assert state.words is SHAPE.default.words
    assert state.letter is SHAPE.default.letter


def test_what_another_version_wrote_is_skipped() -> None:
    """A value this field cannot hold, a field that is not declared, a row that is no record."""
    source = Source()
    source.put("label", cell(b"\xff\xff", 9), cell("readable", 1, "v"))
    source.put("count", cell("text"), cell(2, 1, "v"))
    source.put("unknown/deep", cell(1))
    source.put("rows/k", cell("no record", inc="i"))
    source.put("colours/s:red", cell("green", 9))
    source.put("options/x", cell(b"\xff\xff", 9))
    state = whole(source)
    assert (state.label, state.count, state.rows) == ("readable", 7, {})
    assert (set(state.colours), state.options) == (set(), {})
    assert patched(source, state, "unknown/deep", "unknown", "label/deeper", "!") is state


def test_only_what_changed_is_read_again() -> None:
    """Every other part is the same object."""
    source = Source()
    source.put("rows/k", cell(BASE, inc="i"))
    source.put("rows/j", cell(BASE, inc="i"))
    before = whole(source)
    source.put("rows/k/i/name", cell("new", 2))
    after = patched(source, before, "rows/k/i/name")
    assert after.rows["k"].name == "new"
    assert after.rows["j"] is before.rows["j"]
    assert after.rows["k"].tags is before.rows["k"].tags
    for name in ("label", "inner", "letter", "colours", "options", "words", "team"):
        assert getattr(after, name) is getattr(before, name)


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        ("label", [cell("x")]),
        ("inner/size", [cell(2)]),
        ("count", [cell(1), cell(2, 1, "v")]),
        ("colours/s:red", [cell(REMOVED)]),
        ("colours/n:1", [cell(True)]),
        ("options/x", [cell(None)]),
        ("options/%2F", [cell(1)]),
        ("rows/k", [cell(BASE, inc="i")]),
        ("team/lead", [cell(REMOVED)]),
        ("team/lead", [cell(BASE, inc="i")]),
        ("team/lead/0/votes", [cell(1)]),
        ("team/lead/0/tags/n:1", [cell(1)]),
    ],
)
def test_a_patch_reads_what_appears_and_what_disappears(path: str, cells: list[Cell]) -> None:
    """There and back, as a full reading does, and nothing twice."""
    source = Source()
    before = whole(source)
    source.put(path, *cells)
    after = patched(source, before, path)
    assert after != before
    assert patched(source, after, path) is after
    source.put(path)
    assert patched(source, after, path) == before


def test_cells_of_a_dead_incarnation_change_nothing() -> None:
    """Neither while its base is missing, nor when another lives."""
    source = Source()
    before = whole(source)
    source.put("rows/k/dead/name", cell("x", 9))
    assert patched(source, before, "rows/k/dead/name") is before
    source.put("rows/k", cell(BASE, inc="i"))
    before = patched(source, before, "rows/k")
    source.put("rows/k/dead/votes", cell(9))
    assert patched(source, before, "rows/k/dead/votes") is before


def test_a_late_base_brings_what_waited_for_it() -> None:
    """Cells that came before the row they are in show with it."""
    source = Source()
    source.put("rows/k/i/name", cell("early", 9))
    source.put("rows/k/i/tags/n:1", cell(1))
    before = whole(source)
    source.put("rows/k", cell(BASE, inc="i"))
    after = patched(source, before, "rows/k")
    assert (after.rows["k"].name, set(after.rows["k"].tags)) == ("early", {1})


def test_a_text_shows_its_default_until_a_cell_names_what_it_started_from() -> None:
    """Then it is read from the root of that name; of several, the newest."""
    source = Source()
    place = ("letter", 0, "", SHAPE.default)
    assert text_hash(ROOT[0], "default", {}) is None
    assert text_hash(ROOT[0], "", {}) == ""
    assert text_hash((*place[:3], 0), "default", {}) == ""
    source.texts["text/letter#1f"] = TextView("one")
    source.texts["text/letter#2f"] = TextView("two")
    before = whole(source)
    source.put("letter", cell("1f", 5))
    after = patched(source, before, "letter")
    assert after.letter == "one"
    source.put("letter", cell("1f", 5), cell("2f", 6, "v"))
    assert patched(source, after, "letter").letter == "two"
    assert chosen_hash(source.cells["letter"]) == "2f"
    assert chosen_hash((cell(5), cell("x", inc="i"))) is None


def test_a_list_shows_its_default_until_a_cell_names_its_order() -> None:
    """Then its elements are read from that order."""
    source = Source()
    assert list_hash("words", SHAPE.default.words, {}) is None
    assert list_hash("items", SHAPE.default.items, {}) == ""
    before = whole(source)
    source.put("words", cell("1f"))
    source.orders["list/words#1f"] = Vector.of(["k"])
    source.put("words/k", cell("x", inc="i"))
    after = patched(source, before, "words", "words/k")
    assert list(after.words) == ["x"]
    source.orders["list/words#1f"] = Vector.of([])
    assert list(patched(source, after, "words", "words/k").words) == []


def test_rows_are_found_by_their_bases_or_their_default() -> None:
    """A removed marker hides the default; a base replaces it."""
    defaults = SHAPE.default.team._rows
    table = SHAPE.fields["team"]

    def found(*cells: Cell, key: str = "lead") -> Any:
        return row_places(table, "team", key, defaults, {f"team/{key}": cells} if cells else {})

    virtual = found()
    assert virtual is not None
    assert (virtual[0][0][0], virtual[1].name) == ("team/lead/0", "Ada")
    assert found(cell(REMOVED)) is None
    assert found(key="nobody") is None
    real = found(cell(REMOVED), cell(BASE, inc="i", writer="v"))
    assert real is not None
    assert [place[0] for place in real[0]] == ["team/lead/i"]
    assert real[1].name == "unnamed"


def test_what_is_alike_is_kept_as_the_same_object() -> None:
    """All the way down; equal values of other types are not alike."""
    source = Source()
    source.put("rows/k", cell(BASE, inc="i"))
    source.put("rows/k/i/tags/n:1", cell(1))
    source.put("rows/k/i/notes/a", cell([1]))
    old, new = whole(source).rows["k"], whole(source).rows["k"]
    assert old is not new
    assert kept(old, new) is old
    source.put("rows/k/i/tags/n:1", cell(True))
    source.put("rows/k/i/notes/b", cell(2))
    mixed = kept(old, whole(source).rows["k"])
    assert repr(mixed.tags) == "{True}"
    assert mixed.title is old.title
    assert mixed.notes["a"] is old.notes["a"]
    assert mixed.notes["b"] == 2
    assert kept(1, True) is True
    assert kept("a", 5) == 5


def test_a_register_lists_its_distinct_candidates() -> None:
    """Newest first, and not those it cannot read."""
    source = Source()
    cells = [cell("b", 7, "v"), cell("a", 5, "w"), cell("b", 3, "u"), cell(b"\xff\xff", 9, "x")]
    source.put("label", *cells)
    found = conflicts(SHAPE.fields["label"], [("label", 0, "", cell)], "default", source)
    assert found == [("b", "v", 7), ("a", "w", 5)]


def test_a_map_entry_and_a_set_element_list_their_distinct_values() -> None:
    """Markers are none."""
    source = Source()
    source.put("options/x", cell(1, 2, "a"), cell(True, 3, "b"), cell(REMOVED, 9, "c"))
    source.put("colours/n:1", cell(1, 2, "a"), cell(ANY.encode(1.0, ()), 3, "b"))
    options = entry_conflicts(SHAPE.fields["options"], [("options/x", 0, "", 0)], source)
    assert options == [(True, "b", 3), (1, "a", 2)]
    colours = entry_conflicts(SHAPE.fields["colours"], [("colours/n:1", 0, "", 0)], source)
    assert colours == [(1.0, "b", 3), (1, "a", 2)]
    assert type(colours[0][0]) is float


def test_texts_of_other_lives_and_other_defaults_are_listed() -> None:
    """Once each."""
    source = Source()
    source.texts["text/letter#1f"] = TextView("one")
    source.texts["text/letter#2f"] = TextView("two")
    source.put("letter", cell("1f", 5, "a"), cell("2f", 6, "b"), cell("1f", 7, "c"))
    shape = SHAPE.fields["letter"]
    place = ("letter", 0, "", Source)
    assert [f[0] for f in conflicts(shape, [place], "Dear", source)] == ["one", "two"]
    rows: Any = [("rows/k/i/title", 5, "a", 0), ("rows/k/j/title", 4, "b", 0)]
    source.texts["text/rows/k/i/title"] = TextView("new")
    source.texts["text/rows/k/j/title"] = TextView("old")
    assert conflicts(shape, rows, "", source) == [("new", "a", 5), ("old", "b", 4)]


def test_kinds_that_merge_have_no_conflicts() -> None:
    """Counters, sets and tables as a whole."""
    source = Source()
    source.put("count", cell(1), cell(2, 1, "v"))
    assert conflicts(SHAPE.fields["count"], [("count", 0, "", 0)], 5, source) == []
    assert conflicts(SHAPE.fields["rows"], [("rows", 0, "", 0)], {}, source) == []

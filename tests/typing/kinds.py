"""What the fields of every kind read as, and what can be assigned to them."""

from dataclasses import dataclass, field
from typing import Any, assert_type

from crdtstore import (
    Counter,
    List,
    ListView,
    Map,
    MapView,
    Set,
    SetView,
    Table,
    TableView,
    Text,
    TextView,
)


@dataclass
class Row:
    name: str = ""
    seen: Counter = Counter(0)


@dataclass
class State:
    count: Counter = Counter(0)
    weight: Counter[float] = Counter(0.5)
    title: Text = Text("title")
    rows: Table[Row] = Table()
    items: List[Row] = List([Row("a")])
    numbers: List[int] = List([1, 2])
    scores: Map[int] = Map({"a": 1})
    anything: Map[Any] = Map()
    tags: Set[str] = Set({"a"})
    best: Row = field(default_factory=Row)


def reads(state: State) -> None:
    """Every kind reads as its view."""
    assert_type(state.count, int)
    assert_type(state.weight, float)
    assert_type(state.title, TextView)
    assert_type(state.rows, TableView[Row])
    assert_type(state.items, ListView[Row])
    assert_type(state.numbers, ListView[int])
    assert_type(state.scores, MapView[int])
    assert_type(state.anything, MapView[Any])
    assert_type(state.tags, SetView[str])
    assert_type(state.best.seen, int)
    assert_type(State.count, Counter)
    assert_type(State.items, List[Row])


def writes(state: State) -> None:
    """Assignments and in-place operators as with plain Python values."""
    state.count += 1
    state.count = 5
    state.weight -= 0.5
    state.weight = 2
    state.title = "new"
    state.title += "!"
    state.items = [Row("b")]
    state.items = (row for row in state.items if row.seen)
    state.items += [Row()]
    state.numbers *= 2
    state.rows = {"a": Row()}
    state.rows["b"] = Row()
    state.scores |= {"b": 2}
    state.scores = {"a": 1}
    state.tags |= {"b"}
    state.tags -= {"a"}
    state.tags = ["a", "b"]
    state.best = Row()

    state.count = "1"  # type: ignore[assignment]
    state.count += 0.5  # type: ignore[assignment]
    state.title = 5  # type: ignore[assignment]
    state.items = [1]  # type: ignore[list-item]
    state.rows = {"a": 1}  # type: ignore[dict-item]
    state.rows["b"] = 5  # type: ignore[assignment]
    state.scores["a"] = "x"  # type: ignore[assignment]
    state.tags.add(5)  # type: ignore[arg-type]
    state.tilte = "x"  # type: ignore[attr-defined]


def lists(items: ListView[Row], numbers: ListView[int]) -> None:
    """A list view is a mutable sequence with lasting keys."""
    items.append(Row())
    items.extend([Row(), Row()])
    items.insert(0, Row())
    items.move(0, -1)
    items.sort(key=lambda row: row.name, reverse=True)
    items.reverse()
    items.clear()
    del items[0], items[1:]
    items[0] = Row()
    items[1:3] = [Row()]
    assert_type(items.key_at(0), str)
    assert_type(items.index_of("k"), int)
    assert_type(items[0], Row)
    assert_type(items[1:].count(Row()), int)
    assert_type(items.pop(), Row)
    assert_type(items.copy(), list[Row])
    assert_type(items.to_plain(), list[Any])
    assert_type(numbers + numbers, list[int])
    assert_type(2 * numbers, list[int])
    assert_type([row.seen for row in items], list[int])
    assert_type(numbers < [1], bool)

    items.append("row")  # type: ignore[arg-type]
    items.move("a", 1)  # type: ignore[arg-type]
    items.push(Row())  # type: ignore[attr-defined]


def mappings(rows: TableView[Row], scores: MapView[int]) -> None:
    """Tables and maps are mutable mappings with str keys."""
    assert_type(rows["a"], Row)
    assert_type(rows.get("a"), Row | None)
    assert_type(rows.pop("a"), Row)
    assert_type(rows.setdefault("a", Row()), Row)
    assert_type(rows.copy(), dict[str, Row])
    assert_type(scores | {"b": 1}, dict[str, int])
    assert_type(scores.to_plain(), dict[str, Any])
    assert_type(list(reversed(scores)), list[str])
    rows.update(b=Row())
    for key, row in rows.items():
        assert_type(key, str)
        assert_type(row, Row)

    rows[1]  # type: ignore[index]
    scores.update(b="x")  # type: ignore[call-overload]


def sets(tags: SetView[str]) -> None:
    """Sets have the operators and the named methods; both give plain sets."""
    tags.add("a")
    tags.discard("b")
    tags.update(["a"], {"b"})
    tags.difference_update(["a"])
    tags.intersection_update(["a"])
    tags.symmetric_difference_update(["a"])
    assert_type(tags.copy(), set[str])
    assert_type(tags & {"a"}, set[str])
    assert_type(tags - {"a"}, set[str])
    assert_type(tags.intersection(["a"]), set[str])
    assert_type(tags.issubset(["a"]), bool)
    assert_type("a" in tags, bool)

    tags.update([1])  # type: ignore[list-item]


def texts(title: TextView) -> None:
    """A text is a str that can be edited."""
    title.insert(0, "x")
    title.delete(0)
    title.delete(0, 2)
    title.splice(0, 1, "y")
    assert_type(title.upper(), str)
    assert_type(title[1:], str)
    assert_type(title + "x", str)
    assert_type(len(title), int)

    title.insert("x", 0)  # type: ignore[arg-type]

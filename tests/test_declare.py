"""How initial state declares kinds, and what is refused in ``create_slice``."""

from __future__ import annotations

import collections
import typing
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, make_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, Generic, Literal, Optional, TypeVar

import pytest

from crdtstore import (
    Counter,
    List,
    Map,
    Set,
    ShapeError,
    StateValueError,
    Table,
    Text,
    configure_store,
    create_slice,
)

# Field types as users write them; typing's aliases are what is refused here.


@dataclass
class Row:
    name: str = ""
    seen: Counter = Counter(0)


@dataclass
class WithTypingText:
    title: Text = Text()
    body: typing.Text = ""  # noqa: UP019


@dataclass
class Leaf:
    leaves: Optional[Leaf] = None  # noqa: UP045 - the old spelling


@dataclass
class Self:
    inner: Self = None  # type: ignore[assignment]


class Color(Enum):
    RED = "red"


T = TypeVar("T")


@dataclass
class Box(Generic[T]):
    content: T | None = None


@dataclass
class Boxes:
    boxes: Table[Box[int]] = Table()
    first: Box[int] = field(default_factory=lambda: Box(1))


def declaring(annotation: Any, *, default: Any = None) -> Any:
    """Make an instance of a dataclass with one field ``x`` of the given type."""
    return make_dataclass("Declared", [("x", annotation, field(default=default))])()


def refusal(initial: Any) -> str:
    """Create a slice that must be refused, and return the message."""
    with pytest.raises(ShapeError) as caught:
        create_slice(name="s", initial_state=initial)
    return str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "advice"),
    [
        (list, "from crdtstore import List, and write List[...]"),
        (list[int], "from crdtstore import List"),
        (typing.List[int], "from crdtstore import List"),  # noqa: UP006
        (typing.List, "from crdtstore import List"),  # noqa: UP006
        (collections.deque, "from crdtstore import List"),
        (typing.Deque[int], "from crdtstore import List"),  # noqa: UP006
        (dict, "from crdtstore import Map (or Table, for records), and write Map[...]"),
        (dict[str, int], "from crdtstore import Map"),
        (typing.Dict[str, int], "from crdtstore import Map"),  # noqa: UP006
        (collections.OrderedDict, "from crdtstore import Map"),
        (collections.defaultdict[str, int], "from crdtstore import Map"),
        (set, "from crdtstore import Set, and write Set[...]"),
        (set[str], "from crdtstore import Set"),
        (frozenset[str], "from crdtstore import Set"),
        (typing.Set[str], "from crdtstore import Set"),  # noqa: UP006
        (collections.Counter, "from crdtstore import Counter (one number) or Map (many)"),
        (typing.Counter[str], "from crdtstore import Counter"),
    ],
)
def test_types_that_do_not_merge_name_the_kind_to_import(annotation: Any, advice: str) -> None:
    """A list, dict, set or counter of the standard library as a field says which kind to write."""
    message = refusal(declaring(annotation))
    assert message.startswith("s.x: ")
    assert "does not merge" in message
    assert advice in message


def test_typing_text_is_told_from_text() -> None:
    """``typing.Text`` is another name of str, which is no Text."""
    assert refusal(WithTypingText()) == (
        "s.body: typing.Text is another name of str, which does not merge; "
        "from crdtstore import Text"
    )


def test_a_local_class_under_postponed_annotations_is_told_to_move() -> None:
    """Annotations that are strings cannot be resolved inside a function."""

    @dataclass
    class Local:
        n: int = 0

    @dataclass
    class State:
        rows: Table[Local] = Table()

    message = refusal(State())
    assert message.startswith("s: cannot resolve the annotations of State: name 'Local' is not")
    assert "move it to module level" in message


def test_slots_are_refused() -> None:
    """A dataclass with slots has no room for snapshots and drafts."""
    made = make_dataclass("Slotted", [("n", int, 0)], slots=True)
    assert "s: Slotted is declared with slots; write @dataclass without slots=True" in refusal(
        made()
    )


def test_frozen_dataclasses_are_refused() -> None:
    """Reducers need to assign."""
    made = make_dataclass("Frozen", [("n", int, 0)], frozen=True)
    assert "s: Frozen is a frozen dataclass; write @dataclass without frozen=True" in refusal(
        made()
    )


@pytest.mark.parametrize(("kind", "name"), [(List, "List"), (Table[Row], "Table")])
def test_lists_and_tables_inside_rows_are_refused_with_the_way_round(kind: Any, name: str) -> None:
    """A list in a row becomes a second table with a foreign key."""
    inner = make_dataclass("Inner", [("deep", kind, field(default=None))])
    for outer in (Table[inner], List[inner]):  # type: ignore[valid-type]
        message = refusal(declaring(outer, default=outer.__origin__()))
        assert message.startswith(f"s.x[{'*'!r}].deep: a {name} inside a row or list element")
        assert "keep a second Table beside the first" in message
        assert "foreign key" in message


def test_a_record_that_contains_itself_is_refused() -> None:
    """A nested record is always there, so it cannot contain itself."""
    assert "Self is nested in itself; keep its instances in a Table" in refusal(Self())


def test_an_optional_record_is_refused() -> None:
    """Records that come and go live in a Table or a List."""
    message = refusal(Leaf())
    assert message.startswith("s.leaves: ")
    assert "would hold a whole record in one value" in message
    assert "live in a Table or a List" in message
    assert "would hold a whole record" in refusal(declaring(Row | None))
    assert "would hold a whole record" in refusal(declaring(tuple[Row, ...]))


def test_a_map_of_records_is_refused() -> None:
    """A Map holds plain values, a Table records."""
    assert refusal(declaring(Map[Row], default=Map())) == (
        "s.x: a Map holds plain values; for records of Row write Table[Row]"
    )


def test_a_table_needs_its_record() -> None:
    """A bare Table, or one of plain values, says what to write."""
    for annotation in (Table, Table[int], Table[str]):
        assert "a Table needs the dataclass of its rows: Table[Todo]; for plain values" in refusal(
            declaring(annotation, default=Table())
        )


@pytest.mark.parametrize("element", [Counter, Text, List, Set[int]])
def test_a_list_of_kinds_is_refused(element: Any) -> None:
    """The elements of a List are records or plain values."""
    assert "the elements of a List are records or plain values" in refusal(
        declaring(List[element], default=List())  # type: ignore[misc]
    )


def test_a_kind_and_its_annotation_agree() -> None:
    """A default of one kind under the annotation of another is refused both ways."""
    assert refusal(declaring(Counter, default=Text())) == (
        "s.x: the default is a Text but the field is annotated Counter; annotate it Text"
    )
    assert refusal(declaring(int, default=Counter(0))) == (
        "s.x: the default is a Counter but the field is annotated int; annotate it Counter"
    )
    inner = make_dataclass("Inner", [("n", int, field(default=Counter(0)))])
    assert "the default is a Counter but the field is annotated int" in refusal(
        declaring(Table[inner], default=Table())  # type: ignore[valid-type]
    )


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (declaring(Counter[int], default=0.5), "starts at the float 0.5; write Counter[float]"),
        (declaring(Counter, default="1"), "a Counter starts as a finite number: '1'"),
        (declaring(Counter, default=True), "a Counter starts as a finite number: True"),
        (declaring(Counter[float], default=float("inf")), "a Counter starts as a finite number"),
        (declaring(Counter[str], default=0), "Counter counts in int or float, not"),  # type: ignore[type-var]
        (declaring(Text, default=5), "a Text starts as str, got 5"),
        (declaring(Row, default=5), "expected an instance of Row as the default, got int; write"),
        (make_dataclass("Empty", [])(), "a record needs at least one field"),
        (make_dataclass("Hidden", [("_crdt_x", int, 0)])(), "the field name '_crdt_x' is reserved"),
        ({1: 2}, "field names are str, got 1"),
        ({"_crdt_x": 2}, "the field name '_crdt_x' is reserved"),
    ],
)
def test_other_wrong_declarations_say_what_is_wrong(initial: Any, message: str) -> None:
    """Each is refused in ``create_slice``, not at the first dispatch."""
    assert message in refusal(initial)


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (declaring(Any, default=object()), "s.x: "),
        (declaring(datetime, default=datetime(2024, 1, 1)), r"datetime\.now\(timezone\.utc\)"),
        (declaring(List[Any], default=List([object()])), r"s\.x\[0\]: "),
        (declaring(Map[Any], default=Map({"k": {1: 2}})), r"s\.x\.k: "),
        (declaring(Table[Row], default=Table({"k": Row(name=object())})), r"s\.x\.k\.name: "),
        (declaring(Table[Row], default=Table({1: Row()})), r"s\.x: expected a str as the key"),
        (declaring(Text, default="\ud800"), "surrogate"),
        ({"deep": {"x": object()}}, r"s\.deep\.x: "),
        ({"x": Color.RED, "y": object()}, r"s\.y: "),
    ],
)
def test_a_default_that_state_cannot_hold_names_its_place(initial: Any, message: str) -> None:
    """Wrong values in initial state are found when the slice is made, with their path."""
    with pytest.raises(StateValueError, match=message):
        create_slice(name="s", initial_state=initial)


def test_ordinary_dataclass_features_work() -> None:
    """Inheritance, class variables, factories, keyword-only and computed fields declare state."""

    @dataclass
    class Base:
        name: str = "base"
        votes: Counter = Counter(1)

    @dataclass(kw_only=True)
    class Derived(Base):
        limit: ClassVar[int] = 3
        tags: Set[str] = Set({"a"})
        size: int = field(default=2, repr=False, compare=False)
        twice: int = field(init=False, default=0)
        nested: Row = field(default_factory=lambda: Row("nested"))
        seed: InitVar[int] = 4

        def __post_init__(self, seed: int) -> None:
            self.twice = 2 * seed

    made = create_slice(name="s", initial_state=Derived(seed=5))
    state = made.get_initial_state()
    assert (state.name, state.votes, state.tags, state.size) == ("base", 1, {"a"}, 2)
    assert (state.twice, state.nested, state.limit) == (10, Row("nested"), 3)


def test_what_is_no_kind_is_a_register() -> None:
    """Plain annotations of every sort make registers."""
    for annotation in (
        int,
        str,
        Any,
        int | None,
        Optional[str],  # noqa: UP045
        Literal["a", "b"],
        tuple[int, ...],
        date,
        Color,
        Annotated[int, "meters"],
        Sequence[int],
        Mapping[str, int],
    ):
        made = create_slice(name="s", initial_state=declaring(annotation))
        assert made.schema() == {"x": "register"}


def test_a_plain_dict_declares_by_its_values() -> None:
    """A non-empty dict is a record, an empty one a Map, a list a List, a set a Set."""
    made = create_slice(
        name="s",
        initial_state={
            "user": {"name": "ann", "tags": {"x"}},
            "empty": {},
            "items": [1, 2],
            "rows": [Row("a")],
            "nothing": None,
            "table": Table({"k": Row()}),
            "votes": Counter(2),
            "title": Text("t"),
            "record": Row(),
            "pair": (1, 2),
        },
    )
    assert made.schema() == {
        "user/name": "register",
        "user/tags": "set",
        "empty": "map",
        "items": "list",
        "items/*": "register",
        "rows": "list",
        "rows/*/name": "register",
        "rows/*/seen": "counter",
        "nothing": "register",
        "table": "table",
        "table/*/name": "register",
        "table/*/seen": "counter",
        "votes": "counter",
        "title": "text",
        "record/name": "register",
        "record/seen": "counter",
        "pair": "register",
    }


@pytest.mark.parametrize(
    ("initial", "kind", "value"),
    [
        (0, "register", 0),
        ("", "register", ""),
        (None, "register", None),
        (Counter(3), "counter", 3),
        (Text("t"), "text", "t"),
        ([1], "list", [1]),
        ({}, "map", {}),
        ({1}, "set", {1}),
        (Map({"a": 1}), "map", {"a": 1}),
    ],
)
def test_a_slice_can_be_one_value(initial: Any, kind: str, value: Any) -> None:
    """The whole state of a slice may be one kind or one plain value."""
    made = create_slice(name="s", initial_state=initial)
    assert made.schema()[""] == kind
    assert made.get_initial_state() == value
    with configure_store([made]) as store:
        assert store.state.s == value


def test_defaults_of_kinds_are_not_shared_between_instances() -> None:
    """What one plain instance does to a default is not seen by the next."""

    @dataclass
    class State:
        rows: List[Any] = List([Row("a")])

    first = State()
    first.rows[0].name = "changed"
    first.rows.append(Row("b"))
    assert State().rows == [Row("a")]


def test_a_generic_dataclass_can_be_a_record() -> None:
    """``Table[Box[int]]`` and a nested ``Box[int]`` are records of Box."""
    made = create_slice(name="s", initial_state=Boxes())
    assert made.schema() == {
        "boxes": "table",
        "boxes/*/content": "register",
        "first/content": "register",
    }

"""Drafts of records: a user's own class whose assignments are recorded."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

import pytest

from crdtstore import (
    Counter,
    FrozenStateError,
    List,
    Map,
    ReducerError,
    Set,
    StateValueError,
    Table,
    Text,
    configure_store,
    create_slice,
    current,
    original,
)
from crdtstore.changes import Add, Put
from tests.draft.running import Address, State, Todo, changes_of, opened, state_after


@dataclass(order=True)
class Ranked:
    rank: int = 0
    note: str = field(default="", compare=False)
    limits: ClassVar[int] = 9


@dataclass
class Ranking:
    entries: List[Ranked] = List([Ranked(2, "two"), Ranked(1, "one")])


@dataclass
class Loose:
    name: str = ""
    note: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loose) and self.name == other.name


@dataclass
class Looses:
    entries: List[Loose] = List([Loose("a", "old")])
    rows: Table[Loose] = Table({"a": Loose("a", "old")})


@dataclass
class Quiet:
    name: str = ""
    secret: str = field(default="", repr=False)

    def __repr__(self) -> str:
        return "Quiet()"


@dataclass
class Quiets:
    entries: List[Quiet] = List([Quiet("a", "1"), Quiet("b", "2")])
    rows: Table[Quiet] = Table({"a": Quiet("a", "1")})


def test_a_draft_is_an_instance_of_the_class_with_its_methods_and_properties() -> None:
    """Methods that change ``self``, properties and their setters work on drafts."""

    def program(state: Any) -> None:
        row = state.items[0]
        assert isinstance(state, State)
        assert isinstance(row, Todo)
        row.toggle()
        assert row.label == "a!"
        state.items[1].label = "relabelled!"

    state = state_after(program)
    assert [(t.title, t.done) for t in state.items] == [
        ("a", True),
        ("relabelled", True),
        ("c", False),
    ]


def test_a_typo_in_a_field_name_says_which_fields_there_are() -> None:
    """Assigning or reading a field that was not declared raises ``AttributeError``."""

    def assign(state: Any) -> None:
        state.tilte = "x"

    def nested(state: Any) -> None:
        state.owner.tilte = "x"

    with pytest.raises(AttributeError, match=r"State has no field 'tilte'; fields: items, values"):
        state_after(assign)
    with pytest.raises(AttributeError, match=r"Todo has no field 'tilte'; fields: title, done"):
        state_after(nested)
    with pytest.raises(AttributeError, match="tilte"):
        state_after(lambda state: state.tilte)


def test_a_field_cannot_be_deleted() -> None:
    """``del state.field`` is refused: a declared field is always there."""

    def program(state: Any) -> None:
        del state.memo

    with pytest.raises(AttributeError, match="'memo' of a record cannot be deleted"):
        state_after(program)


@pytest.mark.parametrize(
    ("program", "path", "expected"),
    [
        (lambda s: setattr(s, "votes", "5"), "s.votes", "expected an int for a Counter, got str"),
        (lambda s: setattr(s, "votes", 0.5), "s.votes", "expected an int for a Counter, got float"),
        (lambda s: setattr(s, "votes", True), "s.votes", "expected an int for a Counter, got bool"),
        (lambda s: setattr(s, "votes", None), "s.votes", "expected an int for a Counter, got None"),
        (
            lambda s: setattr(s, "weight", float("inf")),
            "s.weight",
            "a Counter stays finite, got inf",
        ),
        (lambda s: setattr(s, "weight", float("nan")), "s.weight", "NaN"),
        (lambda s: setattr(s, "title", 5), "s.title", "expected str for a Text, got int: 5"),
        (lambda s: setattr(s, "title", None), "s.title", "expected str for a Text, got NoneType"),
        (lambda s: setattr(s, "items", 5), "s.items", "expected an iterable of elements, got int"),
        (lambda s: setattr(s, "items", "ab"), "s.items", "expected an iterable of elements"),
        (lambda s: setattr(s, "items", {"a": 1}), "s.items", "expected an iterable of elements"),
        (lambda s: setattr(s, "rows", [1]), "s.rows", "expected a mapping, got list"),
        (lambda s: setattr(s, "entries", [1]), "s.entries", "expected a mapping, got list"),
        (lambda s: setattr(s, "tags", "ab"), "s.tags", "expected an iterable of elements, got str"),
        (lambda s: setattr(s, "owner", 5), "s.owner", "expected Todo, got int: 5"),
        (lambda s: setattr(s, "owner", None), "s.owner", "expected Todo, got NoneType"),
        (lambda s: setattr(s, "owner", {"no": 1}), "s.owner", "unknown field 'no'; fields: title"),
        (lambda s: s.items.append("x"), r"s.items\[3\]", "expected Todo, got str"),
        (lambda s: s.items.append({"no": 1}), r"s.items\[3\]", "unknown field 'no'"),
        (
            lambda s: s.items.append(Todo(title=5)),  # type: ignore[arg-type]
            r"s.items\[3\].title",
            "expected str for a Text, got int",
        ),
        (lambda s: s.rows.update(z=Todo(extra=object())), "s.rows.z.extra", "object"),
        (lambda s: setattr(s, "memo", {1, 2}), "s.memo", "set"),
        (lambda s: setattr(s, "memo", {"deep": [1, object()]}), r"s.memo.deep\[1\]", "object"),
        (lambda s: setattr(s, "memo", {1: 2}), "s.memo", "str keys"),
        (lambda s: setattr(s, "memo", float("nan")), "s.memo", "NaN"),
        (lambda s: s.entries.update(bad=object()), "s.entries.bad", "object"),
        (lambda s: s.rows.__setitem__(1, Todo()), "s.rows", r"str as the key.*write str\(key\)"),
        (lambda s: s.tags.add([1]), "s.tags", r"store tuple\(value\)"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(program: Any, path: str, expected: str) -> None:
    """What a field cannot hold raises ``StateValueError`` that names place, kind and value."""
    with pytest.raises(StateValueError, match=f"^{path}.*: .*{expected}"):
        state_after(program)


def test_a_naive_datetime_is_refused_with_the_way_round() -> None:
    """A datetime without a zone means another time on another machine."""
    with pytest.raises(StateValueError, match=r"s\.memo: .*datetime\.now\(timezone\.utc\)"):
        state_after(lambda state: setattr(state, "memo", datetime(2024, 1, 1)))


def test_own_writes_are_read_back_at_once() -> None:
    """Within the reducer every field reads as it was written, and the snapshot stays as it was."""
    store, dispatch = opened()
    before = store.state.s

    def program(state: Any) -> None:
        state.count = 7
        state.votes += 2
        state.votes += 3
        state.title = "new"
        state.owner.address.street = "low street"
        state.owner.address.visits += 1
        assert (state.count, state.votes, state.title) == (7, 5, "new")
        assert (state.owner.address.street, state.owner.address.visits) == ("low street", 1)
        assert (before.count, before.votes, before.title) == (0, 0, "title")

    dispatch(program)
    assert store.state.s.owner.address == Address("low street", 1)
    store.close()


def test_writes_to_one_field_are_one_change() -> None:
    """Only the last value of a register and the sum of a counter are recorded."""

    def program(state: Any) -> None:
        for number in range(1, 5):
            state.memo = number
            state.votes += number

    memo, votes = changes_of(program)
    assert isinstance(memo, Put)
    assert (memo.path, memo.value, memo.was) == (("memo",), 4, None)
    assert votes == Add(("votes",), 10)


def test_what_is_taken_back_is_no_change() -> None:
    """A register set back, and a counter brought back to where it was, record nothing."""

    def program(state: Any) -> None:
        state.memo = 1
        state.memo = None
        state.votes += 1
        state.votes -= 1

    assert changes_of(program) == []


def test_one_and_true_and_one_point_zero_are_different_values_of_a_register() -> None:
    """Assigning a value that is equal but of another type is a change."""
    for old, new in ((1, True), (1, 1.0), (0.0, -0.0), (False, 0), ("1", 1)):

        def set_old(state: Any, old: Any = old) -> None:
            state.memo = old

        def set_new(state: Any, new: Any = new) -> None:
            state.memo = new

        found = state_after(set_old, set_new).memo
        assert repr(found) == repr(new)


def test_returning_a_new_state_replaces_the_old_one() -> None:
    """A reducer may return a whole new state instead of changing its draft."""
    state = state_after(lambda _: State(count=5, items=[Todo("only")]))
    assert state.count == 5
    assert [t.title for t in state.items] == ["only"]
    assert state == State(count=5, items=[Todo("only")])


def test_returning_the_draft_or_none_is_no_replacement() -> None:
    """``return state`` after changing it is what many write, and is fine."""

    def program(state: Any) -> Any:
        state.count = 3
        return state

    assert state_after(program).count == 3


def test_returning_a_snapshot_of_the_draft_changes_nothing() -> None:
    """``return current(state)`` and ``return original(state)`` are states equal to the old one."""
    for give in (current, original, copy.copy, copy.deepcopy, dataclasses.replace):
        assert changes_of(give) == []


@pytest.mark.parametrize(
    "program",
    [
        lambda s: (s.items.append(Todo("x")), State())[1],
        lambda s: (setattr(s, "count", 1), s.items)[1],
        lambda s: (s.entries["k"].append(2), State())[1],
        lambda s: (s.items.pop(), 1)[1],
    ],
)
def test_changing_the_draft_and_returning_a_value_is_refused(program: Any) -> None:
    """Mutate or return, never both, as in Redux Toolkit."""
    with pytest.raises(ReducerError, match="mutate the draft or return a new state, never both"):
        state_after(program)


def test_returning_something_else_is_refused() -> None:
    """A state of the wrong type names what was expected."""
    with pytest.raises(StateValueError, match="s: expected State, got int: 5"):
        state_after(lambda _: 5)


def test_an_async_reducer_is_refused() -> None:
    """A coroutine function cannot be a reducer; a thunk can."""

    async def program(state: Any) -> None:
        state.count = 1

    with pytest.raises(ReducerError, match="is async; reducers are plain functions"):
        state_after(program)


def test_an_old_record_is_let_go_by_assigning_a_new_one() -> None:
    """Who holds the record that was there before goes on with that one, as in Python."""

    def program(state: Any) -> None:
        old = state.owner
        old.done = True
        state.owner = Todo("new owner")
        assert (old.title, old.done) == ("owner", True)
        old.title = "nobody"
        old.tags.add("lost")
        old.address.visits += 9
        assert state.owner == Todo("new owner")
        assert (old.title, set(old.tags)) == ("nobody", {"lost"})

    assert state_after(program).owner == Todo("new owner")


def test_two_fields_can_be_swapped() -> None:
    """``a.x, b.x = b.x, a.x`` swaps the contents, for records and every kind of container."""

    @dataclass
    class Pairs:
        r1: Address = field(default_factory=lambda: Address("one", 1))
        r2: Address = field(default_factory=lambda: Address("two", 2))
        l1: List[Todo] = List([Todo("1")])
        l2: List[Todo] = List()
        t1: Table[Todo] = Table({"a": Todo("1")})
        t2: Table[Todo] = Table({"a": Todo("2"), "b": Todo("3")})
        m1: Map[Any] = Map({"a": [1]})
        m2: Map[Any] = Map({"b": 2})
        s1: Set[Any] = Set({1})
        s2: Set[Any] = Set({2})
        x1: Text = Text("one")
        x2: Text = Text("two")
        c1: Counter = Counter(1)
        c2: Counter = Counter(2)
        v1: Any = field(default_factory=lambda: [1])
        v2: Any = "two"

    def program(state: Any) -> None:
        for kind in "rltmsxcv":
            one, two = f"{kind}1", f"{kind}2"
            first, second = getattr(state, one), getattr(state, two)
            setattr(state, one, second)
            setattr(state, two, first)

    before, after = Pairs(), state_after(program, initial=Pairs())
    for kind in "rltmsxcv":
        assert getattr(after, f"{kind}1") == getattr(before, f"{kind}2")
        assert getattr(after, f"{kind}2") == getattr(before, f"{kind}1")


def test_a_list_handed_over_is_not_lost() -> None:
    """``state.done, state.todo = state.todo, []`` and its long form keep what was in the list."""

    @dataclass
    class Lists:
        todo: List[Todo] = List([Todo("a"), Todo("b")])
        done: List[Todo] = List()

    def at_once(state: Any) -> None:
        state.todo, state.done = [], state.todo

    def in_steps(state: Any) -> None:
        old = state.todo
        state.todo = []
        state.done = old

    for program in (at_once, in_steps):
        state = state_after(program, initial=Lists())
        assert ([t.title for t in state.todo], [t.title for t in state.done]) == ([], ["a", "b"])


def test_an_object_that_was_put_into_the_state_is_followed() -> None:
    """Editing the object after it was appended, put or assigned edits the state."""

    def program(state: Any) -> None:
        element, row, record = Todo("element"), Todo("row"), Todo("record")
        state.items.append(element)
        state.rows["new"] = row
        state.owner = record
        for each in (element, row, record):
            each.done = True
            each.votes += 2
            each.title += "!"
            each.tags.add("late")
            each.address.street = "moved"
        assert state.items[-1].label == "element!!"
        assert sum(t.votes for t in state.items) == 2
        state.rows["new"].votes += 1

    state = state_after(program)
    expected = Todo("element!", True, 2, {"late"}, address=Address("moved"))
    assert state.items[-1] == expected
    assert state.rows["new"] == dataclasses.replace(expected, title="row!", votes=3)
    assert state.owner == dataclasses.replace(expected, title="record!")


def test_an_object_that_was_taken_out_again_is_not_followed() -> None:
    """Editing an object whose row was removed or replaced leaves the state alone."""

    def program(state: Any) -> None:
        gone, replaced = Todo("gone"), Todo("replaced")
        state.rows["gone"] = gone
        del state.rows["gone"]
        state.rows["again"] = replaced
        state.rows["again"] = Todo("kept")
        state.items.append(gone)
        state.items.pop()
        gone.done = replaced.done = True

    state = state_after(program)
    assert "gone" not in state.rows
    assert state.rows["again"] == Todo("kept")
    assert len(state.items) == 3


def test_an_object_edited_into_something_wrong_is_refused() -> None:
    """What is done to an object after it was put into the state is checked as well."""

    def program(state: Any) -> None:
        row = Todo()
        state.items.append(row)
        row.votes = "many"  # type: ignore[assignment]

    with pytest.raises(StateValueError, match=r"s\.items.*votes: expected an int for a Counter"):
        state_after(program)


def test_a_register_s_list_and_dict_are_edited_in_place() -> None:
    """Plain lists and dicts in registers, maps and lists read as mutable ones, written back."""

    def program(state: Any) -> None:
        state.memo = {"list": []}
        state.memo["list"].append(1)
        state.memo["list"] += [2]
        mine: list[Any] = []
        state.owner.extra = mine
        mine.append({"n": 1})
        mine[0]["n"] += 1
        state.entries["k"].append(2)
        state.values.append([])
        state.values[-1].append("x")
        state.rows["x"].meta["m"] = ({"in": []},)
        state.rows["x"].meta["m"][0]["in"].append("a tuple")
        assert state.memo == {"list": [1, 2]}

    state = state_after(program)
    assert state.memo == {"list": [1, 2]}
    assert state.owner.extra == [{"n": 2}]
    assert state.entries["k"] == [1, 2]
    assert state.values[-1] == ["x"]
    assert state.rows["x"].meta["m"] == ({"in": ["a tuple"]},)
    with pytest.raises(FrozenStateError, match="read-only"):
        state.memo["list"].append(3)


def test_a_register_edited_in_place_is_one_change_and_none_if_it_ends_as_it_was() -> None:
    """Edits in place are compared once, when the reducer ends."""

    def edit(state: Any) -> None:
        for number in range(3):
            state.entries["k"].append(number)

    def nothing(state: Any) -> None:
        state.entries["k"].append(9)
        state.entries["k"].pop()

    (change,) = changes_of(edit)
    assert isinstance(change, Put)
    assert change.value == [1, 0, 1, 2]
    assert changes_of(nothing) == []


def test_copies_of_a_draft_are_ordinary_objects() -> None:
    """``copy``, ``deepcopy``, ``replace`` and ``asdict`` of a draft give what they always give."""

    def program(state: Any) -> None:
        twin = copy.deepcopy(state.owner)
        assert type(twin) is Todo
        twin.title = "twin"
        shallow = copy.copy(state.items[0])
        assert type(shallow) is Todo
        replaced = dataclasses.replace(state.items[0], done=True)
        assert type(replaced) is Todo
        assert replaced == Todo("a", done=True)
        assert dataclasses.asdict(state.owner)["address"] == {"street": "high street", "visits": 0}
        assert state.owner.title == "owner"
        state.items += [twin, shallow, replaced]

    assert [t.label for t in state_after(program).items] == ["a", "b", "c", "twin", "a", "a!"]


def test_a_draft_cannot_be_pickled() -> None:
    """Whoever wants to keep a draft is told of ``current``."""
    for read in (lambda s: s, lambda s: s.items, lambda s: s.rows, lambda s: s.tags):
        with pytest.raises(TypeError, match=r"take current\(draft\)"):
            state_after(lambda state, read=read: pickle.dumps(read(state)) and None)


def test_drafts_compare_as_their_class_does() -> None:
    """Equality takes plain instances, snapshots and drafts, and respects ``compare=False``."""

    def program(state: Any) -> None:
        first, second = state.entries
        assert first == Ranked(2, "other")
        assert Ranked(2) == first
        assert first != second
        assert second < first
        assert second < Ranked(2)
        assert Ranked(1) < first
        assert sorted(state.entries)[0] is second
        assert first.limits == 9
        assert Ranked(1) in state.entries
        state.entries.sort()

    state = state_after(program, initial=Ranking())
    assert [e.note for e in state.entries] == ["one", "two"]
    assert state.entries[0] < state.entries[1]
    assert state.entries[1] >= Ranked(2)


def test_a_class_may_bring_its_own_equality() -> None:
    """A user's ``__eq__`` decides for drafts and snapshots, and never what counts as a change."""

    def program(state: Any) -> None:
        assert state.entries[0] == Loose("a", "whatever")
        state.entries[0] = Loose("a", "new")
        state.rows["a"] = Loose("a", "new")

    state = state_after(program, initial=Looses())
    assert state.entries[0] == Loose("a")
    assert (state.entries[0].note, state.rows["a"].note) == ("new", "new")


def test_a_row_is_told_from_another_by_its_content_whatever_its_repr_says() -> None:
    """A ``__repr__`` that hides fields does not make rows alike."""

    def program(state: Any) -> None:
        state.entries = [Quiet("x", "8"), Quiet("y", "9")]
        state.rows["a"] = Quiet("a", "changed")

    state = state_after(program, initial=Quiets())
    assert [(e.name, e.secret) for e in state.entries] == [("x", "8"), ("y", "9")]
    assert state.rows["a"].secret == "changed"


def test_cached_properties_and_class_variables_work() -> None:
    """What a dataclass may have beside fields is there on drafts and snapshots."""

    @dataclass
    class Shaped:
        side: int = 2
        sides: ClassVar[int] = 4

        @cached_property
        def area(self) -> int:
            return self.side**2

        @staticmethod
        def kind() -> str:
            return "square"

        @classmethod
        def of(cls, side: int) -> Shaped:
            return cls(side)

    def program(state: Any) -> None:
        assert (state.area, state.sides, state.kind(), state.of(5).area) == (4, 4, "square", 25)
        assert type(state.of(5)) is Shaped
        state.side = 3

    state = state_after(program, initial=Shaped())
    assert (state.area, state.sides, state.kind()) == (9, 4, "square")
    assert type(state.of(6)) is Shaped


# Records declared by plain dicts


def plain() -> dict[str, Any]:
    return {
        "items": [],
        "keys": {"a": 1},
        "n": 0,
        "user": {"name": "ann", "values": {}},
        "empty": {},
    }


def test_a_dict_state_reads_and_writes_as_attributes_and_as_items() -> None:
    """Fields of a plain dict are attributes and items, and hide methods of the same name."""

    def program(state: Any) -> None:
        state.items.append("milk")
        state["items"].append("eggs")
        state.n = 5
        state["user"]["name"] = "bob"
        state.user.values["x"] = 1
        assert (state["n"], state.user.name, list(state)) == (5, "bob", list(plain()))
        assert state == {**plain(), "items": ["milk", "eggs"], "n": 5, "user": state.user}
        assert state.user == {"name": "bob", "values": {"x": 1}}
        assert dict(state.user)["name"] == "bob"
        state.update(n=6)

    state = state_after(program, initial=plain())
    assert list(state.items) == list(state["items"]) == ["milk", "eggs"]
    assert state.keys.a == state["keys"]["a"] == 1
    assert state == {
        "items": ["milk", "eggs"],
        "keys": {"a": 1},
        "n": 6,
        "user": {"name": "bob", "values": {"x": 1}},
        "empty": {},
    }


def test_a_dict_state_has_no_other_keys() -> None:
    """Keys that were not declared are refused, with the way round."""

    def put(state: Any) -> None:
        state["other"] = 1

    def put_attribute(state: Any) -> None:
        state.other = 1

    with pytest.raises(KeyError, match="keys that come and go live in a Map"):
        state_after(put, initial=plain())
    with pytest.raises(AttributeError, match="no field 'other'; fields: items, keys"):
        state_after(put_attribute, initial=plain())
    with pytest.raises(AttributeError, match="the state has no field 'other'"):
        state_after(lambda state: state.other, initial=plain())
    with pytest.raises(KeyError, match="other"):
        state_after(lambda state: state["other"], initial=plain())


def test_a_dict_draft_is_a_mapping_that_can_be_matched_copied_and_shown() -> None:
    """``match``, ``current``, ``deepcopy`` and ``==`` take it for the dict it looks like."""

    def program(state: Any) -> Any:
        match state:
            case {"n": 0, "user": {"name": name}}:
                assert name == "ann"
            case _:
                raise AssertionError
        state.n = 2
        assert current(state) == {**plain(), "n": 2}
        assert original(state) == plain()
        assert copy.deepcopy(state) == {**plain(), "n": 2}
        assert "n" in state
        assert "other" not in state
        assert (len(state), state.get("other", 7)) == (5, 7)

    assert state_after(program, initial=plain()).n == 2


def test_a_whole_new_dict_can_be_returned() -> None:
    """Fields that a returned dict leaves out go back to their defaults."""
    state = state_after(
        lambda s: s.items.append(1), lambda _: {"n": 9, "empty": {"e": 1}}, initial=plain()
    )
    assert state == {**plain(), "n": 9, "empty": {"e": 1}}


@dataclass
class Holding:
    value: Any = None


class Offering:
    """Something that may be written to state as the data it offers."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __crdtstore_data__(self) -> Any:
        return self.data


@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: [o], lambda o: {"a": (1, o)}])
def test_what_offers_its_data_is_written_as_that(wrap: Any) -> None:
    """In registers, maps, lists and rows, at any depth; here and at a peer."""
    made = create_slice(
        name="s",
        initial_state={"r": None, "m": Map[Any](), "l": List[Any](), "rows": Table[Holding]()},
    )
    given, expected = wrap(Offering({"x": 1})), wrap({"x": 1})

    @made.reducer
    def write(state: Any) -> None:
        state.r = given
        state.m["k"] = given
        state.l.append(given)
        state.l[0] = given
        state.rows["k"] = Holding(given)

    with configure_store([made]) as a, configure_store([made]) as b:
        a.dispatch(write())
        b.merge(a.deltas_since(b.state_vectors()))
        for store in (a, b):
            assert store.state.s.r == expected
            assert store.state.s.rows["k"].value == expected
            assert store.state.s.m["k"] == expected
            assert list(store.state.s.l) == [expected]


def test_what_offers_what_state_cannot_hold_is_refused() -> None:
    """With the error that its data has."""
    made = create_slice(name="s", initial_state={"r": None})
    made.reducer(lambda state: setattr(state, "r", Offering(object())), name="write")
    with configure_store([made]) as store, pytest.raises(StateValueError):
        store.dispatch(made.actions.write())

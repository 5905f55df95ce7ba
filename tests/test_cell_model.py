"""The rules of the cell model (docs/cell-model.md) one by one, and histories that broke them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations
from operator import attrgetter
from typing import Any

import pytest

from crdtstore import Counter, List, Map, Set, Slice, Table, Text, configure_store, create_slice
from crdtstore.document import Document
from crdtstore.errors import UpdateError
from crdtstore.paths import split_key
from crdtstore.storage import MemoryStorage, SqliteStorage
from crdtstore.updates import Known, read_state_vector, read_update

DAY = 24 * 60 * 60 * 1000
STAMP_MAX = 2**53 - 1


@dataclass
class Size:
    """A nested record."""

    width: int = 1
    uses: Counter = Counter(0)


@dataclass
class Row:
    """A row of every kind that rows may hold."""

    name: Any = ""
    done: bool = False
    size: Size = field(default_factory=Size)
    votes: Counter = Counter(0)
    title: Text = Text()
    tags: Set[Any] = Set()
    notes: Map[Any] = Map()


@dataclass
class State:
    """Every kind."""

    label: Any = "none"
    count: Counter = Counter(0)
    weight: Counter[float] = Counter(0.0)
    text: Text = Text()
    letter: Text = Text("Dear ")
    tags: Set[Any] = Set()
    colours: Set[str] = Set({"red", "blue"})
    prefs: Map[Any] = Map()
    options: Map[Any] = Map({"sound": True, "theme": None})
    items: List[Row] = List()
    words: List[str] = List(["one", "two", "three"])
    plan: List[Row] = List([Row("first", tags={1}), Row("second")])
    rows: Table[Row] = Table()
    team: Table[Row] = Table({"lead": Row("Ada"), "aide": Row("Bob", votes=3)})


def slice_of(initial: Any, *, returning: bool = False) -> Slice[Any]:
    """Make a slice that does whatever it is told; ``returning`` takes the result for the state."""
    made = create_slice(name="state", initial_state=initial)

    @made.reducer
    def run(state: Any, do: Callable[[Any], Any]) -> Any:
        result = do(state)
        return result if returning else None

    return made


EVERYTHING = slice_of(State())


class Replica:
    """A store whose clock stands where it is set."""

    def __init__(self, now: int = 1_000, *, of: Slice[Any] = EVERYTHING, **options: Any) -> None:
        self.now = now
        self.of = of
        self.store = configure_store([of], clock=lambda: self.now, **options)
        self.deltas: list[dict[str, bytes]] = []
        self.store.on_commit(lambda commit: self.deltas.append(dict(commit.deltas)))

    @property
    def state(self) -> Any:
        """The slice's state."""
        return self.store[self.of]

    @property
    def cells(self) -> dict[str, Any]:
        """The live cells by path, without the sessions' own."""
        cells = self.store._slots["state"].document.cells
        return {path: found for path, found in cells.items() if path != "!"}

    def do(self, change: Callable[[Any], Any]) -> dict[str, bytes]:
        """Change the state; return the delta."""
        self.deltas.clear()
        self.store.dispatch(self.of.actions.run(change))
        return self.deltas[-1] if self.deltas else {}

    def set(self, **fields: Any) -> dict[str, bytes]:
        """Assign fields of the state."""

        def assign(state: Any) -> None:
            for name, value in fields.items():
                setattr(state, name, value)

        return self.do(assign)

    def pull(self, *others: Replica) -> Replica:
        """Merge all that others have."""
        for other in others:
            self.store.merge(other.store.deltas_since(self.store.state_vectors()))
        return self

    def conflicts(self, *path: object) -> list[Any]:
        """Return the values in conflict at a path, newest first."""
        return [conflict.value for conflict in self.store.conflicts(self.of, *path)]


def pair(**options: Any) -> tuple[Replica, Replica]:
    """Return two replicas that know nothing of each other."""
    return Replica(**options), Replica(**options)


def call(method: str, *args: Any) -> Callable[[Any], Any]:
    """Return what calls a method of a part of the state: ``call("text.insert", 0, "x")``."""
    return lambda state: attrgetter(method)(state)(*args)


def agree(*replicas: Replica) -> Any:
    """Let everything reach everybody; return the state, which all must have."""
    for one in replicas:
        one.pull(*replicas)
    for one in replicas:
        one.pull(*replicas)
        assert one.store.digest() == replicas[0].store.digest()
        assert one.state == replicas[0].state
        assert repr(one.state) == repr(replicas[0].state)
    return replicas[0].state


def roots(delta: dict[str, bytes]) -> set[str]:
    """Return the names of the roots that a delta writes to."""
    return {run[3] for run in read_update(delta["state"], Known()).runs}


# Layout


def test_rule_1_nothing_lives_outside_cells_texts_and_list_orders() -> None:
    """Every kind together touches one map, and one root for each text and list."""
    a = Replica()

    def change(state: Any) -> None:
        state.label, state.count, state.weight = "x", 1, 0.5
        state.text.insert(0, "hi")
        state.tags.add(1)
        state.prefs["k"] = [1]
        state.items.append(Row(title="t"))
        state.rows["k"] = Row(size=Size(3))

    delta = a.do(change)
    found = {root.partition("/")[0] for root in roots(delta)}
    assert found == {"cells", "text", "list"}
    assert roots(delta) >= {"cells", "text/text", "list/items"}


def test_rule_1_what_two_peers_create_at_one_place_is_one() -> None:
    """A map key, a text and a list that two peers make at the same time merge, side by side."""
    a, b = pair()
    for replica, name in ((a, "a"), (b, "b")):
        replica.do(call("prefs.update", {name: 1, "both": name}))
        replica.do(call("text.insert", 0, name * 3))
        replica.do(call("items.append", Row(name)))
    state = agree(a, b)
    assert set(state.prefs) == {"a", "b", "both"}
    assert state.text in ("aaabbb", "bbbaaa")
    assert sorted(row.name for row in state.items) == ["a", "b"]


def test_rule_2_every_key_has_one_writer_and_every_opening_is_another() -> None:
    """Keys end in the session's id; a store that is opened again writes under a new one."""
    storage = MemoryStorage()
    sessions = []
    for value in (1, 2):
        a = Replica(storage=storage)
        a.set(label=value)
        assert [writer for _, writer, _, _ in a.cells["label"]] == [a.store.session]
        sessions.append(a.store.session)
        a.store.close()
    assert len(set(sessions)) == 2


def test_rule_2_a_session_names_its_replica_once() -> None:
    """The first write puts the session's own cell with the lasting name; the next leaves it."""
    a = Replica()
    a.set(label=1)
    document = a.store._slots["state"].document
    (cell,) = document.cells["!"]
    assert cell[1:3] == (a.store.session, a.store.replica)
    a.set(label=2)
    assert document.cells["!"] == (cell,)
    assert document.replica_of(a.store.session) == a.store.replica


def test_rule_2_a_key_of_another_writer_is_refused() -> None:
    """Bytes in which one session writes another's cell are not merged."""
    a, b = pair()
    delta = a.set(label="x")
    foreign = delta["state"].replace(a.store.session.encode(), b.store.session.encode()[::-1], 1)
    assert foreign != delta["state"]
    with pytest.raises(UpdateError):
        b.store.merge({"state": foreign})
    assert b.state.label == "none"


def test_rule_2_a_copied_storage_file_is_one_more_peer(tmp_path: Any) -> None:
    """Two stores on copies of one file have one name and two sessions, and both are right."""
    first = Replica(storage=str(tmp_path / "a.db"))
    first.do(lambda state: state.rows.update(k=Row("k", votes=1)))
    first.store.close()
    (tmp_path / "b.db").write_bytes((tmp_path / "a.db").read_bytes())
    a, b = (Replica(storage=str(tmp_path / name)) for name in ("a.db", "b.db"))
    assert a.store.replica == b.store.replica
    assert a.store.session != b.store.session
    for replica in (a, b):
        replica.do(lambda state: setattr(state.rows["k"], "votes", state.rows["k"].votes + 1))
        replica.do(lambda state: state.text.insert(0, "x"))
    state = agree(a, b)
    assert state.rows["k"].votes == 3
    assert state.text == "xx"
    a.store.close()
    b.store.close()


# Writing


def test_rule_3_a_write_is_newer_than_all_it_knows_whatever_the_clocks_say() -> None:
    """A clock a day behind wins over what it has seen."""
    a, b = Replica(now=DAY), Replica(now=1)
    a.set(label="ahead")
    b.pull(a).set(label="knows")
    assert b.cells["label"][0][0] == DAY + 1
    assert agree(a, b).label == "knows"


def test_rule_3_a_write_deletes_every_other_cell_it_sees() -> None:
    """After a conflict has been seen and written over, one cell is left."""
    a, b, c = Replica(), Replica(), Replica()
    a.set(label=1)
    b.set(label=2)
    c.pull(a, b)
    assert len(c.cells["label"]) == 2
    c.set(label=3)
    assert len(c.cells["label"]) == 1
    agree(a, b, c)
    assert len(a.cells["label"]) == 1


def test_rule_3_stamps_stop_at_the_largest_exact_number() -> None:
    """At 2**53 - 1 writes still replace what they know, and concurrent ones are decided alike."""
    a, b = Replica(now=2**60), Replica(now=2**53)
    a.set(label="a")
    b.pull(a).set(label="b")
    assert b.cells["label"][0][0] == STAMP_MAX
    assert agree(a, b).label == "b"
    a.set(label="x")
    b.set(label="y")
    winner = max((a.store.session, "x"), (b.store.session, "y"))[1]
    assert agree(a, b).label == winner
    assert sorted(a.conflicts("label")) == ["x", "y"]
    a.do(lambda state: state.rows.update(k=Row("first")))
    b.pull(a).do(lambda state: setattr(state.rows["k"], "name", "second"))
    assert agree(a, b).rows["k"].name == "second"


@pytest.mark.parametrize("now", [0, -5, 1_000.7, 2.0**60])
def test_rule_3_a_clock_that_is_wrong_stops_no_replication(now: Any) -> None:
    """Before 1970, with fractions, or far in the future: stamps are whole and in range."""
    a, b = Replica(now=now), Replica()
    a.set(label="x")
    a.do(lambda state: state.rows.update(k=Row("k")))
    a.do(lambda state: state.words.append("four"))
    a.do(lambda state: state.letter.insert(0, "x"))
    a.do(lambda state: state.team.pop("lead"))
    assert agree(a, b).label == "x"


def test_rule_3_a_removed_default_counts_for_what_replaces_it() -> None:
    """Re-adding a default row that a clock a day ahead removed is newer than the removal."""
    a, b = Replica(now=DAY), Replica(now=1)
    a.do(lambda state: state.team.pop("lead"))
    b.pull(a).do(lambda state: state.team.update(lead=Row("new")))
    assert b.cells["team/lead"][0][0] == DAY + 1


def test_rule_4_reinserting_a_row_starts_fresh_while_a_peer_increments_in_it() -> None:
    """The increment was to a life of the row that has ended."""
    a, b = pair()
    a.do(lambda state: state.rows.update(k=Row("k", votes=5)))
    b.pull(a)
    a.do(lambda state: state.rows.pop("k"))
    a.do(lambda state: state.rows.update(k=Row("k", votes=1)))
    b.do(lambda state: setattr(state.rows["k"], "votes", 7))
    assert agree(a, b).rows["k"].votes == 1


def test_rule_4_a_dead_life_never_lives_again() -> None:
    """What arrives late for it changes nothing, in whatever order it comes."""
    a, b = pair()
    start = a.do(lambda state: state.rows.update(k=Row("old", title="t")))
    b.pull(a)
    edit = b.do(lambda state: state.rows["k"].title.insert(0, "late "))
    assign = b.do(lambda state: setattr(state.rows["k"], "name", "late"))
    add = b.do(lambda state: state.rows["k"].tags.add("late"))
    remove = a.do(lambda state: state.rows.pop("k"))
    again = a.do(lambda state: state.rows.update(k=Row("new")))
    ends = set()
    for order in permutations([start, edit, assign, add, remove, again]):
        c = Replica()
        for delta in order:
            c.store.merge(delta)
        ends.add((c.store.digest(), repr(c.state)))
        assert c.state.rows == {"k": Row("new")}
    assert len(ends) == 1


def test_rule_4_removing_a_row_leaves_none_of_its_cells() -> None:
    """Removal deletes the base and everything under its incarnation."""
    a = Replica()
    a.do(lambda state: state.rows.update(k=Row("k", tags={1}, notes={"n": 1})))
    a.do(lambda state: setattr(state.rows["k"], "done", True))
    a.do(lambda state: state.team["lead"].tags.add(1))
    a.do(lambda state: state.rows.pop("k"))
    a.do(lambda state: state.team.pop("lead"))
    assert set(a.cells) == {"team/lead"}


def test_rule_4_a_removal_ends_only_the_lives_it_saw() -> None:
    """A row inserted again elsewhere at the same time stays, without what the removal saw."""
    a, b = pair()
    a.do(lambda state: state.rows.update(k=Row("a", tags={"a"})))
    b.do(lambda state: state.rows.update(k=Row("b", tags={"b"})))
    a.do(lambda state: state.rows.pop("k"))
    state = agree(a, b)
    assert (state.rows["k"].name, set(state.rows["k"].tags)) == ("b", {"b"})


def test_rule_4_insert_by_a_clock_a_day_ahead_then_edit() -> None:
    """An edit by an honest clock is newer than the row it knows."""
    a, b = Replica(now=DAY), Replica(now=1)
    a.do(lambda state: state.rows.update(k=Row("inserted")))
    a.do(lambda state: state.items.append(Row("inserted")))
    b.pull(a)
    b.do(lambda state: setattr(state.rows["k"], "name", "edited"))
    b.do(lambda state: setattr(state.items[0], "name", "edited"))
    state = agree(a, b)
    assert (state.rows["k"].name, state.items[0].name) == ("edited", "edited")


def test_rule_4_insert_and_edit_within_one_millisecond() -> None:
    """In one millisecond, in one session or two, an edit is newer than the row it knows."""
    a, b = pair()
    a.do(lambda state: state.rows.update(k=Row("inserted"), j=Row("inserted")))
    a.do(lambda state: setattr(state.rows["k"], "name", "edited"))
    b.pull(a).do(lambda state: setattr(state.rows["j"], "name", "edited"))
    state = agree(a, b)
    assert (state.rows["k"].name, state.rows["j"].name) == ("edited", "edited")


def two_lives() -> tuple[Replica, Replica, Replica]:
    """Return three replicas; the last knows the row ``k`` that both others inserted."""
    a, b, c = Replica(now=1_000), Replica(now=2_000), Replica(now=3_000)
    a.do(lambda state: state.rows.update(k=Row("a", votes=10, title="ta", tags={"a", "both"})))
    b.do(lambda state: state.rows.update(k=Row("b", votes=20, title="tb", tags={"b", "both"})))
    return a, b, c.pull(a, b)


def test_rule_5_a_field_is_written_in_every_live_life() -> None:
    """When the newer life ends at a peer that never saw the older, the write is still there."""
    a, b, c = two_lives()
    c.do(lambda state: setattr(state.rows["k"], "name", "written"))
    c.do(lambda state: setattr(state.rows["k"].size, "width", 9))
    c.do(lambda state: state.rows["k"].tags.add("new"))
    c.do(lambda state: state.rows["k"].notes.update(n=1))
    b.do(lambda state: state.rows.pop("k"))
    row = agree(a, b, c).rows["k"]
    assert (row.name, row.size.width) == ("written", 9)
    assert set(row.tags) == {"a", "both", "new"}
    assert row.notes == {"n": 1}


def test_rule_5_a_field_is_newer_than_what_any_live_life_holds() -> None:
    """A write that knows the older life's newest cell beats a later clock that does not."""
    a, b, c = two_lives()
    a.now = DAY
    a.do(lambda state: setattr(state.rows["k"], "name", "ahead"))
    c.pull(a).do(lambda state: setattr(state.rows["k"], "name", "knows"))
    b.now = DAY // 2
    b.do(lambda state: setattr(state.rows["k"], "name", "does not"))
    assert agree(a, b, c).rows["k"].name == "knows"


def test_rule_5_an_increment_goes_to_the_newest_life_only() -> None:
    """It counts once while both live, and is gone with the life that it was made in."""
    a, b, c = two_lives()
    c.do(lambda state: setattr(state.rows["k"], "votes", state.rows["k"].votes + 1))
    assert c.state.rows["k"].votes == 21
    b.do(lambda state: state.rows.pop("k"))
    assert agree(a, b, c).rows["k"].votes == 10


def test_rule_5_discarding_an_element_deletes_it_in_every_life() -> None:
    """What both lives began with is gone from both."""
    a, b, c = two_lives()
    c.do(lambda state: state.rows["k"].tags.discard("both"))
    assert set(agree(a, b, c).rows["k"].tags) == {"a", "b"}
    b.do(lambda state: state.rows.pop("k"))
    assert set(agree(a, b, c).rows) == set()


def test_rule_6_defaults_are_never_written() -> None:
    """Reading and editing beside them writes none, so no two peers ever write them twice."""
    a, b = pair()
    for replica in (a, b):
        replica.do(lambda state: state.colours.add("green"))
        replica.do(lambda state: state.options.update(new=1))
        replica.do(lambda state: setattr(state.team["aide"], "votes", 4))
    assert set(a.cells) == {"colours/s:green", "options/new", "team/aide/0/votes"}
    state = agree(a, b)
    assert set(state.colours) == {"red", "blue", "green"}
    assert state.options == {"sound": True, "theme": None, "new": 1}
    assert state.team["aide"].votes == 5


def test_rule_6_a_removed_default_stays_away() -> None:
    """An element, a key and a row of the defaults leave markers, also for who comes later."""
    a, b = pair()
    a.do(lambda state: state.colours.discard("red"))
    a.do(lambda state: state.options.pop("theme"))
    a.do(lambda state: state.team.pop("lead"))
    state = agree(a, b)
    assert (set(state.colours), set(state.options), set(state.team)) == (
        {"blue"},
        {"sound"},
        {"aide"},
    )
    again = Replica()
    again.store.merge(a.store.deltas_since({}))
    assert again.state == state


def test_rule_6_remove_a_default_on_one_peer_and_readd_on_another() -> None:
    """Whoever removed it and added it again wins over who only removed it."""
    a, b = pair()
    for replica in (a, b):
        replica.do(lambda state: state.colours.discard("red"))
        replica.do(lambda state: state.options.pop("theme"))
        replica.do(lambda state: state.team.pop("lead"))
    b.do(lambda state: state.colours.add("red"))
    b.do(lambda state: state.options.update(theme="dark"))
    b.do(lambda state: state.team.update(lead=Row("new")))
    state = agree(a, b)
    assert "red" in state.colours
    assert state.options["theme"] == "dark"
    assert state.team["lead"].name == "new"
    a.do(lambda state: state.colours.discard("red"))
    assert "red" not in agree(a, b).colours


def test_rule_6_removing_a_default_row_wins_over_edits_in_it() -> None:
    """And re-adding it starts fresh: what was done to the default does not come back."""
    a, b = pair()
    a.do(lambda state: setattr(state.team["aide"], "votes", 100))
    a.do(lambda state: state.team["aide"].tags.add("x"))
    b.do(lambda state: state.team.pop("aide"))
    assert set(agree(a, b).team) == {"lead"}
    b.do(lambda state: state.team.update(aide=Row("new")))
    assert agree(a, b).team["aide"] == Row("new")


def test_rule_6_a_new_field_costs_nothing() -> None:
    """State that an older version wrote shows the default of a field it does not know."""

    @dataclass
    class Old:
        name: str = "old"

    @dataclass
    class New:
        name: str = "old"
        colours: Set[str] = Set({"red"})
        count: Counter = Counter(7)

    New.__annotations__.update(colours=Set[str], count=Counter, name=str)
    Old.__annotations__.update(name=str)
    old = Replica(of=slice_of(Old()))
    new = Replica(of=slice_of(New()))
    old.set(name="written")
    new.pull(old)
    assert (new.state.name, set(new.state.colours), new.state.count) == ("written", {"red"}, 7)
    new.do(lambda state: state.colours.add("blue"))
    old.pull(new)
    assert old.store.digest() == new.store.digest()


def test_rule_7_assigning_to_an_element_is_an_edit() -> None:
    """``items[0] = x`` beside ``items[0].votes += 1`` keeps both, in one element."""
    a, b = pair()
    a.do(lambda state: state.items.append(Row("old", tags={1})))
    key = b.pull(a).state.items.key_at(0)
    a.do(lambda state: state.items.__setitem__(0, Row("new", tags={2})))
    b.do(lambda state: setattr(state.items[0], "votes", 1))
    state = agree(a, b)
    assert [state.items.key_at(0)] == [key]
    assert (state.items[0].name, state.items[0].votes, set(state.items[0].tags)) == ("new", 1, {2})


def test_rule_7_assign_an_element_while_a_peer_removes_it() -> None:
    """Removal wins over edits, whole assignments included."""
    a, b = pair()
    a.do(lambda state: state.items.extend([Row("one"), Row("two")]))
    b.pull(a)
    a.do(lambda state: state.items.__setitem__(0, Row("new")))
    b.do(lambda state: state.items.pop(0))
    assert [row.name for row in agree(a, b).items] == ["two"]
    a.do(lambda state: state.words.__setitem__(1, "new"))
    b.do(lambda state: state.words.remove("two"))
    assert list(agree(a, b).words) == ["one", "three"]


def test_rule_7_an_element_is_inserted_right_after_the_one_shown_before_it() -> None:
    """Hidden occurrences, left by concurrent moves, lead nobody astray."""
    a, b = pair()
    a.do(lambda state: state.words.move(0, 2))
    b.now += 5
    b.do(lambda state: state.words.move(0, 1))
    shown = list(agree(a, b).words)
    assert len(a.store._slots["state"].document._orders[a.state.words._root].items) == 4
    for at, word in enumerate(shown):
        index = list(a.state.words).index(word)
        a.do(call("words.insert", index + 1, f"after {at}"))
    expected = [word for at, name in enumerate(shown) for word in (name, f"after {at}")]
    assert list(agree(a, b).words) == expected


def test_rule_7_a_move_deletes_every_occurrence_it_sees() -> None:
    """However often an element was moved, one occurrence is left of what was seen."""
    a, b = pair()
    for _ in range(3):
        for replica in (a, b):
            replica.do(lambda state: state.words.move(0, 2))
        agree(a, b)
    for index in range(3):
        a.do(call("words.move", index, (index + 1) % 3))
    a.do(lambda state: state.words.reverse())
    agree(a, b)
    order = b.store._slots["state"].document._orders[b.state.words._root]
    assert len(order.items) == 3


def test_rule_8_a_delta_that_only_deletes_advances_its_writers_clock() -> None:
    """Discarding, removing and deleting text all move the state vector."""
    a = Replica()
    a.do(lambda state: state.tags.update({1, 2}))
    a.do(lambda state: state.prefs.update(k=1))
    a.do(lambda state: state.text.insert(0, "text"))
    a.do(lambda state: state.items.append(Row()))
    a.do(lambda state: state.rows.update(k=Row()))
    client = int(a.store.session, 36)
    for change in (
        lambda state: state.tags.discard(1),
        lambda state: state.prefs.pop("k"),
        lambda state: state.text.delete(0, 2),
        lambda state: state.items.pop(),
        lambda state: state.rows.pop("k"),
    ):
        before = read_state_vector(a.store.state_vectors()["state"])[client]
        a.do(change)
        assert read_state_vector(a.store.state_vectors()["state"])[client] > before


def test_rule_8_a_lost_deletion_is_seen_in_the_vectors() -> None:
    """The peer that did not get it is sent it by the next exchange."""
    a, b = pair()
    a.do(lambda state: state.tags.update({1, 2}))
    b.pull(a)
    a.do(lambda state: state.tags.discard(1))  # this delta is lost
    assert a.store.state_vectors() != b.store.state_vectors()
    assert set(b.pull(a).state.tags) == {2}


def test_rule_9_the_same_default_text_edited_on_two_peers_is_one_text() -> None:
    """Both edits are in it, and the default is there once."""
    a, b = pair()
    a.do(lambda state: state.letter.insert(5, "Ada"))
    b.do(lambda state: state.letter.insert(0, "My "))
    assert agree(a, b).letter == "My Dear Ada"
    assert a.conflicts("letter") == []


def test_rule_9_a_default_text_is_written_at_its_first_edit_only() -> None:
    """And by all replicas with the same bytes: one more client, whoever does it."""
    a, b = pair()
    a.set(label=1)
    assert roots({"state": a.store.deltas_since({})["state"]}) == {"cells"}
    for replica in (a, b):
        replica.do(lambda state: state.letter.insert(5, "x"))
    agree(a, b)
    clients = read_state_vector(a.store.state_vectors()["state"])
    assert len(clients) == 3


def test_rule_9_an_edit_brings_the_default_that_it_needs() -> None:
    """A peer that never touched the text reads it from the edit's own delta."""
    a, b = pair()
    b.store.merge(a.do(lambda state: state.letter.delete(0, 5)))
    assert b.state.letter == ""
    b.store.merge(a.do(lambda state: state.words.pop(0)))
    assert list(b.state.words) == ["two", "three"]


def version(letter: str, words: list[str]) -> Slice[Any]:
    """Make a version of a program that has these defaults."""
    return slice_of({"letter": Text(letter), "words": List(words)})


def test_rule_9_the_same_text_edited_by_two_code_versions_does_not_mix() -> None:
    """The newest edit's version of the text shows, and ``conflicts`` lists the other."""
    a = Replica(now=1_000, of=version("Dear ", []))
    b = Replica(now=2_000, of=version("Hello ", []))
    a.do(lambda state: state.letter.insert(5, "Ada"))
    b.do(lambda state: state.letter.insert(6, "Bob"))
    a.pull(b)
    b.pull(a)
    assert (a.state.letter, b.state.letter) == ("Hello Bob", "Hello Bob")
    assert a.conflicts("letter") == ["Hello Bob", "Dear Ada"]
    assert a.store.digest() == b.store.digest()
    a.do(lambda state: state.letter.insert(0, "Oh, "))
    assert b.pull(a).state.letter == "Oh, Hello Bob"


def test_rule_9_the_same_default_list_edited_on_two_peers_is_one_list() -> None:
    """Defaults never double, and what both did is there."""
    a, b = pair()
    a.do(lambda state: state.words.append("four"))
    b.do(lambda state: state.words.pop(0))
    a.do(lambda state: setattr(state.plan[0], "done", True))
    b.do(lambda state: setattr(state.plan[0], "votes", 2))
    state = agree(a, b)
    assert list(state.words) == ["two", "three", "four"]
    assert [(row.name, row.done, row.votes) for row in state.plan] == [
        ("first", True, 2),
        ("second", False, 0),
    ]


def test_rule_9_a_default_list_edited_by_two_code_versions_does_not_mix() -> None:
    """The newest edit's version of the list shows, and ``conflicts`` lists the other."""
    a = Replica(now=1_000, of=version("", ["one", "two"]))
    b = Replica(now=2_000, of=version("", ["un", "deux"]))
    c = Replica(now=500, of=version("", []))
    a.do(lambda state: state.words.append("three"))
    b.do(lambda state: state.words.append("trois"))
    c.do(lambda state: state.words.append("neither"))
    for replica in (a, b, c, a, b):
        replica.pull(a, b, c)
    for replica in (a, b, c):
        assert list(replica.state.words) == ["un", "deux", "trois"]
        assert replica.store.digest() == a.store.digest()
    assert [list(words) for words in a.conflicts("words")] == [
        ["un", "deux", "trois"],
        ["one", "two", "three"],
        ["neither"],
    ]
    b.do(lambda state: state.words.pop())
    assert list(a.pull(b).state.words) == ["un", "deux"]


def test_rule_9_the_text_of_a_row_comes_with_its_insertion() -> None:
    """It needs no default and no other client."""
    a, b = pair()
    b.store.merge(a.do(lambda state: state.rows.update(k=Row(title="title"))))
    assert b.state.rows["k"].title == "title"
    assert len(read_state_vector(b.store.state_vectors()["state"])) == 1
    a.do(lambda state: state.rows["k"].title.insert(5, "!"))
    b.do(lambda state: state.rows["k"].title.insert(0, "¡"))
    assert agree(a, b).rows["k"].title == "¡title!"


# Reading


def test_rule_10_the_later_write_wins_and_conflicts_shows_the_loser_until_the_next() -> None:
    """By stamp, whoever wrote."""
    a, b = Replica(now=2_000), Replica(now=1_000)
    a.set(label="later")
    b.set(label="earlier")
    assert agree(a, b).label == "later"
    found = b.store.conflicts(b.of, "label")
    assert [(c.value, c.replica, c.at) for c in found] == [
        ("later", a.store.replica, 2_000),
        ("earlier", b.store.replica, 1_000),
    ]
    b.set(label="settled")
    agree(a, b)
    assert a.conflicts("label") == []


def test_rule_10_a_map_entry_is_its_latest_write() -> None:
    """Like a register; and so is which of two equal elements shows."""
    a, b = Replica(now=2_000), Replica(now=1_000)
    a.do(lambda state: (state.prefs.update(k="later"), state.tags.add(True)))
    b.do(lambda state: (state.prefs.update(k="earlier"), state.tags.add(1)))
    state = agree(a, b)
    assert state.prefs == {"k": "later"}
    assert repr(state.tags) == "{True}"
    assert b.conflicts("prefs", "k") == ["later", "earlier"]


def test_rule_10_equal_stamps_are_decided_by_the_writer_everywhere_alike() -> None:
    """The same way, whichever arrives first."""
    a, b = pair()
    first, second = a.set(label="a"), b.set(label="b")
    winner = max((a.store.session, "a"), (b.store.session, "b"))[1]
    for order in permutations([first, second]):
        c = Replica()
        for delta in order:
            c.store.merge(delta)
        assert c.state.label == winner


def test_rule_10_concurrent_equal_values_are_no_conflict() -> None:
    """Only distinct values are; 1 and True are distinct."""
    a, b = pair()
    a.do(lambda state: state.prefs.update(same=1, other=1))
    b.do(lambda state: state.prefs.update(same=1, other=True))
    agree(a, b)
    assert a.conflicts("prefs", "same") == []
    assert len(a.conflicts("prefs", "other")) == 2


def test_rule_10_at_equal_stamps_an_edit_beats_an_insertion() -> None:
    """A field written in one life is shown over the base of another with the same stamp."""
    a, b = Replica(now=1_000), Replica(now=1_001)
    a.do(lambda state: state.rows.update(k=Row("a")))
    b.do(lambda state: state.rows.update(k=Row("b")))
    a.do(lambda state: setattr(state.rows["k"], "name", "edited"))
    assert a.cells["rows/k"][0][0] == 1_000
    inc = a.cells["rows/k"][0][3]
    assert a.cells[f"rows/k/{inc}/name"][0][0] == b.cells["rows/k"][0][0] == 1_001
    assert agree(a, b).rows["k"].name == "edited"
    assert a.conflicts("rows", "k", "name") == ["edited", "b"]


def test_rule_11_two_concurrent_increments_make_two() -> None:
    """And a decrement beside them makes one."""
    a, b, c = Replica(), Replica(), Replica()
    a.do(lambda state: setattr(state, "count", state.count + 1))
    b.do(lambda state: setattr(state, "count", state.count + 1))
    c.do(lambda state: setattr(state, "count", state.count - 1))
    assert agree(a, b).count == 2
    assert agree(a, b, c).count == 1


def test_rule_11_assigning_a_counter_is_a_difference() -> None:
    """Two peers that set 5 at the same time have added twice."""
    a, b = pair()
    a.set(count=5)
    b.set(count=5)
    assert agree(a, b).count == 10


def test_rule_11_floats_are_summed_without_losing_any() -> None:
    """In whatever order they come: the sum is correctly rounded, and the same everywhere."""
    replicas = [Replica() for _ in range(4)]
    for replica, amount in zip(replicas, (1e16, 1.0, 1.0, -1e16), strict=True):
        replica.set(weight=amount)
    assert agree(*replicas).weight == 2.0


def test_rule_11_ints_of_any_size_stay_exact() -> None:
    """Also beyond what a float can hold."""
    a, b = pair()
    a.set(count=2**70)
    b.set(count=1)
    assert agree(a, b).count == 2**70 + 1


def test_rule_11_a_counter_starts_where_its_newest_life_began() -> None:
    """Increments in all live lives are added to it."""
    a, b, c = two_lives()
    a.do(lambda state: setattr(state.rows["k"], "votes", 11))
    b.do(lambda state: setattr(state.rows["k"].size, "uses", 2))
    assert agree(a, b, c).rows["k"].votes == 21
    assert a.state.rows["k"].size.uses == 2


def test_rule_12_add_wins_over_a_concurrent_remove() -> None:
    """Of a set element, a map key and a row, if it was really added: put anew."""
    a, b = pair()
    a.do(lambda state: state.tags.add("x"))
    a.do(lambda state: state.prefs.update(k=1))
    a.do(lambda state: state.rows.update(k=Row("old")))
    b.pull(a)
    a.do(lambda state: (state.tags.discard("x"), state.prefs.pop("k"), state.rows.pop("k")))
    b.do(lambda state: (state.tags.discard("x"), state.tags.add(1)))
    b.do(lambda state: state.tags.add("x"))
    b.do(lambda state: state.prefs.update(k=2))
    b.do(lambda state: state.rows.update(k=Row("new")))
    state = agree(a, b)
    assert set(state.tags) == {"x", 1}
    assert state.prefs == {"k": 2}
    assert state.rows["k"].name == "new"


def test_rule_12_remove_wins_over_edits_inside_the_removed_row() -> None:
    """Of whatever kind."""
    a, b = pair()
    a.do(lambda state: state.rows.update(k=Row(title="t", tags={1})))
    a.do(lambda state: state.items.append(Row(title="t", tags={1})))
    b.pull(a)
    a.do(lambda state: (state.rows.pop("k"), state.items.pop()))

    def edit(row: Any) -> None:
        row.name, row.votes = "edited", 5
        row.title.insert(0, "x")
        row.tags.add(2)
        row.notes["n"] = 1

    b.do(lambda state: edit(state.rows["k"]))
    b.do(lambda state: edit(state.items[0]))
    state = agree(a, b)
    assert (dict(state.rows), list(state.items)) == ({}, [])


def test_rule_12_concurrent_inserts_under_one_key_merge() -> None:
    """Fields from the newest, sets and increments of both, and the other text in conflicts."""
    a, b, c = two_lives()
    b.do(lambda state: setattr(state.rows["k"], "votes", 22))
    row = agree(a, b, c).rows["k"]
    assert (row.name, row.votes, row.title) == ("b", 22, "tb")
    assert set(row.tags) == {"a", "b", "both"}
    assert a.conflicts("rows", "k", "name") == ["b", "a"]
    assert a.conflicts("rows", "k", "title") == ["tb", "ta"]
    a.do(lambda state: setattr(state.rows["k"], "name", "settled"))
    agree(a, b, c)
    assert b.conflicts("rows", "k", "name") == []


def test_rule_12_text_typed_in_the_older_life_is_listed() -> None:
    """It is not mixed with the newer life's text, and not lost either."""
    a, b, c = two_lives()
    a.do(lambda state: state.rows["k"].title.insert(2, " typed"))
    assert agree(a, b, c).rows["k"].title == "tb"
    assert c.conflicts("rows", "k", "title") == ["tb", "ta typed"]


def test_rule_13_a_move_on_two_peers_does_not_double_the_element() -> None:
    """The later move says where it shows."""
    a, b = Replica(now=1_000), Replica(now=2_000)
    a.do(lambda state: state.words.move(0, 2))
    b.do(lambda state: state.words.move(0, 1))
    assert list(agree(a, b).words) == ["two", "one", "three"]


def test_rule_13_a_move_is_newer_than_the_moves_it_knows() -> None:
    """Whatever the clocks say: it wins over a third that only the first of them would beat."""
    ahead, behind, other = Replica(now=DAY), Replica(now=1), Replica(now=DAY - 5)
    ahead.do(lambda state: state.words.move(0, 2))
    behind.pull(ahead).do(lambda state: state.words.move(2, 1))
    other.do(lambda state: state.words.move(0, 2))
    assert list(agree(ahead, behind, other).words) == ["two", "one", "three"]


def test_rule_13_a_removed_element_does_not_come_back_by_a_move() -> None:
    """Its base is gone, so no occurrence of it shows."""
    a, b = pair()
    a.do(lambda state: state.words.pop(0))
    b.do(lambda state: state.words.move(0, 2))
    assert list(agree(a, b).words) == ["two", "three"]


def test_rule_13_moving_and_editing_one_element_at_once_loses_nothing() -> None:
    """The element keeps its identity wherever it goes."""
    a, b = pair()
    a.do(lambda state: state.items.extend([Row("one"), Row("two"), Row("three")]))
    b.pull(a)
    a.do(lambda state: state.items.move(0, 2))
    b.do(lambda state: setattr(state.items[0], "votes", 1))
    b.do(lambda state: state.items[0].title.insert(0, "x"))
    state = agree(a, b)
    assert [row.name for row in state.items] == ["two", "three", "one"]
    assert (state.items[2].votes, state.items[2].title) == (1, "x")


def test_rule_13_sorting_on_two_peers_keeps_every_element_once() -> None:
    """As many as there were, whatever the order."""
    a, b = pair()
    a.do(lambda state: state.items.extend([Row(n) for n in range(8)]))
    b.pull(a)
    a.do(lambda state: state.items.reverse())
    b.do(lambda state: state.items.sort(key=lambda row: row.name % 3))
    assert sorted(row.name for row in agree(a, b).items) == list(range(8))


def test_rule_14_values_that_python_calls_equal_are_one_element() -> None:
    """1, 1.0 and True added on three peers are one, and discarding any of them removes it."""
    replicas = [Replica() for _ in range(3)]
    for replica, value in zip(replicas, (1, 1.0, True), strict=True):
        replica.do(call("tags.add", value))
    assert len(agree(*replicas).tags) == 1
    assert 1.0 in replicas[0].state.tags
    replicas[0].do(lambda state: state.tags.discard(True))
    assert len(agree(*replicas).tags) == 0


def test_rule_15_assigning_an_equal_value_is_no_change() -> None:
    """Nothing is written, the state is the same object, and no subscriber hears of it."""
    a = Replica()
    a.set(label=1)
    a.do(lambda state: state.rows.update(k=Row("k", tags={1})))
    before = a.store.state
    heard: list[None] = []
    a.store.subscribe(lambda: heard.append(None))
    for change in (
        lambda state: setattr(state, "label", 1),
        lambda state: setattr(state, "letter", "Dear "),
        lambda state: setattr(state, "count", 0),
        lambda state: state.colours.add("red"),
        lambda state: state.options.update(theme=None),
        lambda state: state.rows.update(k=Row("k", tags={1})),
        lambda state: state.tags.discard("absent"),
        lambda state: state.words.move(1, 1),
    ):
        assert a.do(change) == {}
    assert a.store.state is before
    assert not heard
    assert a.set(label=True) != {}


def test_rule_15_adding_what_is_there_does_not_contend_with_a_remove() -> None:
    """The element was not added again, so the removal stands."""
    a, b = pair()
    a.do(lambda state: state.tags.add("x"))
    b.pull(a)
    a.do(lambda state: state.tags.discard("x"))
    assert b.do(lambda state: state.tags.add("x")) == {}
    assert set(agree(a, b).tags) == set()


# What once went wrong, found by the properties


def test_an_untouched_default_lists_element_is_edited_in_place() -> None:
    """Assigning to it, or to, in and under it, makes the default content first."""
    for change in (
        lambda state: state.words.__setitem__(1, "new"),
        lambda state: setattr(state.plan[1], "name", "new"),
        lambda state: setattr(state.plan[1], "votes", 1),
        lambda state: setattr(state.plan[1].size, "width", 2),
        lambda state: state.plan[1].title.insert(0, "new"),
        lambda state: state.plan[0].tags.discard(1),
        lambda state: state.plan[1].notes.update(n=1),
    ):
        a, b = pair()
        before = a.state
        a.do(change)
        assert a.state != before
        b.do(lambda state: state.plan.append(Row("third")))
        b.do(lambda state: state.words.append("four"))
        state = agree(a, b)
        assert (len(state.plan), len(state.words)) == (3, 4)


def test_the_first_edit_after_a_reload_may_be_to_a_default() -> None:
    """A store that has just read its storage plants defaults as any other."""
    storage = MemoryStorage()
    a = Replica(storage=storage)
    a.set(label=1)
    a.store.close()
    a = Replica(storage=storage)
    a.do(lambda state: state.letter.insert(0, "x"))
    a.do(lambda state: state.words.append("four"))
    a.store.close()
    a = Replica(storage=storage)
    assert (a.state.letter, list(a.state.words)[-1]) == ("xDear ", "four")


def test_conflicts_of_an_untouched_default_element_are_none() -> None:
    """Nobody has written there."""
    a = Replica()
    assert a.conflicts("plan", 0, "name") == []
    assert a.conflicts("plan", 0, "tags", 1) == []
    assert a.conflicts("words", 0) == []


@pytest.mark.parametrize(
    ("initial", "change"),
    [
        (Counter(0), lambda state: state + 1),
        (Text("ab"), lambda state: state.insert(1, "-")),
        (Text(), lambda state: state.insert(0, "-")),
        (Map(), lambda state: state.update({"": 1, "!": 2})),
        (Set(), lambda state: state.add("!")),
        (List(["a"]), lambda state: state.append("b")),
        (List(), lambda state: state.append("b")),
        (Table[Row](), lambda state: state.update({"": Row("x")})),
        ("plain", lambda state: "new"),
        ([1], lambda state: state.append(2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_slice_that_is_one_kind_as_a_whole_replicates(
    initial: Any, change: Callable[[Any], Any]
) -> None:
    """A place at the very top has an empty path, and is as good as any other."""
    a, b = pair(of=slice_of(initial, returning=isinstance(initial, Counter | str)))
    a.do(change)
    assert a.state != slice_of(initial).get_initial_state()
    before = a.state
    assert b.pull(a).state == before
    a.do(change)
    b.do(change)
    agree(a, b)


def test_an_equal_element_of_another_type_shows_after_a_row_is_inserted_again() -> None:
    """1 and True are one element; the newest of them shows, also where a patch reads it."""
    a, b = pair()
    a.do(lambda state: state.rows.update(k=Row(tags={1})))
    b.pull(a)
    a.do(lambda state: state.rows.update(k=Row(name="new", tags={True})))
    assert repr(agree(a, b).rows["k"].tags) == "{True}"


def test_a_row_inserted_twice_and_removed_in_one_reducer_was_never_there() -> None:
    """Nothing is written for it."""
    a = Replica()

    def change(state: Any) -> None:
        state.rows["k"] = Row("one")
        state.rows["k"] = Row("two")
        del state.rows["k"]

    assert a.do(change) == {}
    assert a.state.rows == {}


def test_the_state_stays_the_same_object_when_two_write_the_same() -> None:
    """What a peer wrote too is news to the document, and none to those who look at the state."""
    a, b = pair()
    for value in (["first"], ["same"]):
        delta = a.set(label=value)
        b.set(label=list(value))
        before = b.state
        assert b.store.merge(delta).changed
        assert b.state is before
        a.pull(b)


def test_rows_stay_the_same_objects_when_a_default_list_becomes_content() -> None:
    """The first edit of a default list touches one element; the others are kept."""
    a, b = pair()
    mine, theirs = a.state.plan[1], b.state.plan[1]
    b.store.merge(a.do(lambda state: setattr(state.plan[0], "done", True)))
    assert a.state.plan[1] is mine
    assert b.state.plan[1] is theirs


def test_a_list_that_shows_the_same_after_concurrent_moves_is_the_same_object() -> None:
    """Two peers made the same move; the second changes nothing that is seen."""
    a, b = pair()
    a.do(lambda state: state.words.move(0, 2))
    b.do(lambda state: state.words.move(0, 2))
    before = a.state.words
    a.pull(b)
    assert a.state.words is before


def test_an_entry_keeps_its_value_object_when_another_of_its_row_changes() -> None:
    """A row that is read again keeps what is alike in it, down to the values of its maps."""
    a, b = pair()
    a.do(lambda state: state.rows.update(k=Row("a", notes={"n": [1, 2]})))
    b.now += 1
    b.do(lambda state: state.rows.update(k=Row("b", notes={"m": [3]})))
    before = a.state.rows["k"].notes["n"]
    assert a.pull(b).state.rows["k"].notes["n"] is before


def test_a_held_delta_applies_when_what_it_waited_for_arrives() -> None:
    """In any order of three that build on one another."""
    a, b = pair()
    first = a.do(lambda state: state.text.insert(0, "one"))
    second = b.pull(a).do(lambda state: state.text.insert(3, " two"))
    third = a.pull(b).do(lambda state: state.text.delete(0, 4))
    for order in permutations([first, second, third]):
        c = Replica()
        missing = [bool(c.store.merge(delta).missing) for delta in order]
        assert c.state.text == "two"
        assert missing[0] == (order[0] is not first)


def test_a_document_made_from_the_bytes_alone_reads_the_same(tmp_path: Any) -> None:
    """Whatever a replica holds is in its delta: state, digest and clocks."""
    a, b, c = two_lives()
    a.do(lambda state: state.words.move(0, 2))
    b.do(lambda state: state.letter.insert(0, "é漢🎈"))
    agree(a, b, c)
    document = Document(EVERYTHING.shape, 1, "")
    document.load([a.store.deltas_since({})["state"]])
    assert repr(document.state) == repr(a.state)
    assert document.digest() == a.store.digests()["state"]
    assert document.state_vector() == a.store.state_vectors()["state"]
    assert all(split_key(f"{path}@x") == (path, "x") for path in document.cells)
    with configure_store([EVERYTHING], storage=SqliteStorage(tmp_path / "x.db")) as store:
        store.merge(a.store.deltas_since({}))
        store.flush().wait(10)
    with configure_store([EVERYTHING], storage=SqliteStorage(tmp_path / "x.db")) as store:
        assert store.digest() == a.store.digest()

"""One slice's document: changes in, deltas out; deltas in, changed state out."""

from __future__ import annotations

import gc
import secrets
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import pytest
from pycrdt import Doc

from crdtstore import Counter, List, Map, Set, Table, Text, create_slice
from crdtstore import document as module
from crdtstore.changes import ABSENT, Change, Put, invert
from crdtstore.document import Broken, Document, new_client_id, utf16_length
from crdtstore.draft import record
from crdtstore.errors import UpdateError
from crdtstore.paths import base36
from crdtstore.updates import Known, read_state_vector, read_update, write_state_vector


@dataclass
class Row:
    """A row."""

    name: Any = ""
    votes: Counter = Counter(0)
    title: Text = Text()
    tags: Set[Any] = Set()


@dataclass
class State:
    """Every kind."""

    label: Any = "none"
    count: Counter = Counter(0)
    text: Text = Text()
    letter: Text = Text("Dear ")
    tags: Set[Any] = Set()
    prefs: Map[Any] = Map({"x": None})
    items: List[Row] = List()
    words: List[Any] = List(["one", "two"])
    rows: Table[Row] = Table({"lead": Row("Ada", title="T", tags={1})})


SHAPE = create_slice(name="state", initial_state=State()).shape


def opened(client: int = 0) -> Document:
    """Return an empty document."""
    client = client or new_client_id()
    return Document(SHAPE, client, f"replica {client}")


def changes_of(document: Document, change: Callable[[Any], Any]) -> list[Change]:
    """Record what a reducer does."""

    def reducer(state: Any) -> None:
        change(state)

    return record(SHAPE, document.state, reducer, token=lambda: secrets.token_hex(4), root="state")


def do(document: Document, change: Callable[[Any], Any], now: int = 1_000) -> bytes:
    """Change a document; return the delta."""
    return document.apply(changes_of(document, change), now)


def call(method: str, *args: Any) -> Callable[[Any], Any]:
    """Return what calls a method of a part of the state: ``call("text.insert", 0, "x")``."""
    return lambda state: attrgetter(method)(state)(*args)


def exchange(a: Document, b: Document) -> None:
    """Let each send what the other lacks, and check that both have the same then."""
    for source, target in ((a, b), (b, a)):
        delta = source.delta_since(target.state_vector())
        if delta is not None:
            assert target.merge(delta).changed
    assert a.state_vector() == b.state_vector()
    assert a.digest() == b.digest()
    assert repr(a.state) == repr(b.state)


def everything(state: Any) -> None:
    """Use every kind."""
    state.label, state.count = [1, {"k": 2.0}], 3
    state.text.insert(0, "é漢🎈 text")
    state.letter.insert(5, "Ada")
    state.tags.update({1, "x"})
    state.prefs.pop("x", None)
    state.prefs["y"] = 1
    state.items.extend([Row("a", title="ta", tags={1}), Row("b")])
    state.words.move(0, 1)
    state.rows["lead"].votes += 1
    state.rows["k"] = Row("k")


def test_a_delta_brings_another_document_to_the_same_state() -> None:
    """State, clocks and digest."""
    a, b = opened(), opened()
    delta = do(a, everything)
    result = b.merge(delta)
    assert (result.changed, result.missing) == (True, False)
    exchange(a, b)
    assert b.state.text == "é漢🎈 text"


def test_a_known_delta_changes_nothing() -> None:
    """The state stays the same object."""
    a, b = opened(), opened()
    delta = do(a, everything)
    b.merge(delta)
    before = b.state
    assert b.merge(delta) == (False, False)
    assert b.state is before
    assert b.merge(delta, repair=True) == (False, False)


def test_a_delta_that_lacks_another_is_not_applied() -> None:
    """Nothing of it is there."""
    a, b = opened(), opened()
    first = do(a, lambda state: state.text.insert(0, "one"))
    second = do(a, lambda state: state.text.insert(3, "two"))
    assert b.merge(second) == (False, True)
    assert (b.state, b.state_vector()) == (SHAPE.default, b"\x00")
    b.merge(first)
    assert b.merge(second) == (True, False)
    assert b.state.text == "onetwo"


def test_what_was_merged_or_made_of_late_is_remembered() -> None:
    """By its very bytes, and not what waits for others, nor all there ever was."""
    a, b = opened(), opened()
    first = do(a, lambda state: state.text.insert(0, "one"))
    second = do(a, lambda state: state.text.insert(3, "two"))
    assert a.has(first)
    for _ in range(2):
        assert b.merge(second).missing
        assert not b.has(second)
    b.merge(first)
    b.merge(second)
    assert b.has(first)
    assert b.has(second)
    assert not b.has(second + b"\0")
    for number in range(2 * module._MOST_RECENT):
        b.merge(do(a, lambda state, number=number: state.text.insert(0, "x")))  # type: ignore[misc]
    assert not b.has(first)
    assert len(b._recent) == module._MOST_RECENT
    long = do(a, lambda state: state.text.insert(0, "x" * module._LONGEST_RECENT))
    assert b.merge(long).changed
    assert not b.has(long)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x01", b"\xff" * 20, b"\x00\x00\x00", b"\x01\x01\x05\x00\x04\x01"]
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    """And change nothing."""
    a = opened()
    do(a, everything)
    before, digest = a.state, a.digest()
    with pytest.raises(UpdateError):
        a.merge(data)
    assert a.state is before
    assert a.digest() == digest


def test_a_foreign_update_is_refused() -> None:
    """One that uses a type or a root that no slice has."""
    for kind in ("map", "xml_fragment"):
        doc: Any = Doc()._doc
        txn = doc.create_transaction()
        if kind == "map":
            doc.get_or_insert_map(txn, "other").insert(txn, "key@1", [1, 2])
        else:
            doc.get_or_insert_xml_fragment(txn, "text/text").insert_str(txn, 0, "x")
        txn.commit()
        txn.drop()
        txn = doc.create_transaction()
        update = doc.get_update(txn, b"\x00")
        txn.drop()
        a = opened()
        with pytest.raises(UpdateError):
            a.merge(update)
        assert a.state is SHAPE.default


def test_work_of_this_session_that_it_never_did_is_refused() -> None:
    """Somebody else writes under its id: a copy, a fork."""
    a, b = opened(7), opened(7)
    do(a, lambda state: setattr(state, "label", 1))
    do(b, lambda state: setattr(state, "label", 2))
    delta = do(b, lambda state: state.text.insert(0, "x"))
    with pytest.raises(UpdateError, match="session-reused"):
        a.merge(delta)
    whole = b.delta_since(b"\x00")
    assert whole is not None
    with pytest.raises(UpdateError, match="session-reused"):
        a.merge(whole)


def test_changes_to_what_is_not_there_break_the_document() -> None:
    """It says so, for it cannot be used any more."""
    a = opened()
    with pytest.raises(Broken):
        a.apply([Put(("rows", "nobody", "name"), 1, ABSENT, 1)], 1_000)
    with pytest.raises(Broken):
        opened().apply([Put(("nowhere",), 1, ABSENT, 1)], 1_000)


def test_the_state_vector_is_what_the_document_itself_says() -> None:
    """Clocks are counted here, after local work, genesis, merges and loading."""
    a, b = opened(), opened()
    for step in range(3):
        do(a, everything)
        do(b, lambda state: state.words.append("🎈"))
        do(b, lambda state: state.letter.splice(0, 2, "x漢🎈"))
        if step:
            exchange(a, b)
        for document in (a, b):
            txn = document._raw.create_transaction()
            raw = read_state_vector(document._raw.get_state(txn))
            txn.drop()
            assert read_state_vector(document.state_vector()) == raw
    c = opened()
    c.load([a.whole()])
    assert c.state_vector() == a.state_vector()


def test_who_lacks_nothing_is_sent_nothing() -> None:
    """And who has more than we, also nothing."""
    a, b = opened(), opened()
    assert a.delta_since(b"\x00") is None
    do(a, everything)
    exchange(a, b)
    assert a.delta_since(b.state_vector()) is None
    do(b, lambda state: state.tags.add("more"))
    assert a.delta_since(b.state_vector()) is None
    assert b.delta_since(a.state_vector()) is not None


@pytest.mark.parametrize(
    "vector", [b"", b"\x01", b"\xff\xff\xff\xff\x0f", b"\x01\x05", b"\x01\x05\x00", b"\x00\x00"]
)
def test_a_malformed_state_vector_is_refused(vector: bytes) -> None:
    """Before it reaches the document."""
    a = opened()
    do(a, everything)
    with pytest.raises(UpdateError):
        a.delta_since(vector)


def test_a_vector_that_cuts_a_character_gets_it_whole() -> None:
    """Nobody honest asks so; the answer is still one that can be merged."""
    a, b = opened(), opened()
    do(a, lambda state: state.text.insert(0, "🎈🎈"))
    for clock in range(1, 4):
        answer = a.delta_since(write_state_vector({a.client: clock}))
        assert answer is not None
        b.inspect(answer)
    unknown = a.delta_since(write_state_vector({12345: 7}))
    assert unknown is not None
    assert b.merge(unknown).changed
    assert b.state.text == "🎈🎈"


def test_reloading_reads_the_same() -> None:
    """From single deltas, from one, and from a mixture with repetitions."""
    a, b = opened(), opened()
    deltas = [do(a, everything), do(a, lambda state: state.rows.pop("lead"))]
    b.load(deltas)
    deltas.append(do(b, lambda state: state.words.reverse()))
    exchange(a, b)
    for stored in (deltas, [a.whole()], [deltas[0], a.whole(), deltas[1], deltas[0]]):
        c = opened()
        c.load(stored)
        assert repr(c.state) == repr(a.state)
        assert c.digest() == a.digest()
        assert c.cells == a.cells
        assert c.state_vector() == a.state_vector()


def test_a_loaded_document_works_on() -> None:
    """Edits defaults, merges, and is merged."""
    a, b = opened(), opened()
    b.load([do(a, lambda state: setattr(state, "label", 1))])
    do(b, everything)
    exchange(a, b)
    c = opened()
    c.load([b.whole()])
    do(c, lambda state: state.words.pop())
    do(c, lambda state: state.letter.insert(0, "x"))
    exchange(a, c)


def test_many_deltas_load_in_batches() -> None:
    """More than go into one transaction."""
    a = opened()
    deltas = [do(a, lambda state: setattr(state, "count", state.count + 1)) for _ in range(600)]
    deltas += [do(a, lambda state: state.items.append(Row("x"))) for _ in range(600)]
    b = opened()
    b.load(deltas)
    assert (b.state.count, len(b.state.items)) == (600, 600)
    assert b.digest() == a.digest()


def test_one_reducer_may_do_thousands_of_things() -> None:
    """In several transactions inside, and one delta outside."""
    a, b = opened(), opened()

    def change(state: Any) -> None:
        for number in range(700):
            state.items.append(Row(number))
            state.text.insert(number // 2, "🎈" if number % 7 else "x")
        for number in range(0, 1_400, 2):
            state.words.insert(number % 5, number)
        del state.items[100:200]

    b.merge(do(a, change))
    exchange(a, b)
    assert (len(a.state.items), len(a.state.text), len(a.state.words)) == (600, 700, 702)
    do(b, lambda state: state.items.reverse())
    do(b, lambda state: state.items.clear())
    exchange(a, b)


def test_text_positions_count_characters_of_any_width() -> None:
    """In bytes, in UTF-16 units and in Python they are different numbers."""
    a, b = opened(), opened()
    text = "aé漢🎈"
    do(a, lambda state: state.text.insert(0, text * 2))
    exchange(a, b)
    expected = text * 2
    for index in range(8):
        do(a, call("text.splice", index, 1, text[index % 4] + "🎈"))
        expected = expected[:index] + text[index % 4] + "🎈" + expected[index + 1 :]
        assert a.state.text == expected
        exchange(a, b)
    assert utf16_length(text) == 5
    assert utf16_length("ascii") == 5


def test_what_is_not_understood_is_kept_and_passed_on() -> None:
    """Cells, texts and lists of fields that only another version has."""

    @dataclass
    class More:
        label: Any = "none"
        extra: Any = 0
        essay: Text = Text("new")
        more: List[Any] = List(["a"])
        text: Text = Text()

    More.__annotations__.update(label=Any, extra=Any, essay=Text, more=List[Any], text=Text)
    shape = create_slice(name="state", initial_state=More()).shape
    new, old, newer = (Document(s, new_client_id(), "r") for s in (shape, SHAPE, shape))

    def change(state: Any) -> None:
        state.extra = 1
        state.essay.insert(0, "x")
        state.more.append("b")

    delta = new.apply(record(shape, new.state, change, token=lambda: secrets.token_hex(4)), 1_000)
    before = old.state
    assert old.merge(delta).changed
    assert old.state is before
    assert old.digest() == new.digest()
    newer.merge(old.whole())
    assert repr(newer.state) == repr(new.state)


def test_digests_differ_where_content_does() -> None:
    """Down to one character, one mark and the order of a list."""
    digests = set()
    changes: list[Callable[[Any], Any]] = [
        lambda state: None,
        lambda state: setattr(state, "label", 1),
        lambda state: setattr(state, "label", True),
        lambda state: state.text.insert(0, "a"),
        lambda state: state.text.insert(0, "b"),
        lambda state: state.words.move(0, 1),
        lambda state: state.prefs.pop("x"),
        lambda state: state.rows.pop("lead"),
    ]
    for change in changes:
        a = opened(1)
        if changes_of(a, change):
            do(a, change)
        digests.add(a.digest())
        assert len(a.digest()) == 16
    assert len(digests) == len(changes)


def test_a_lost_deletion_is_repaired() -> None:
    """A delta that brings nothing but deletions is applied if it is said to be a repair."""
    a, b = opened(), opened()
    do(a, lambda state: state.tags.add(1))
    do(a, lambda state: state.text.insert(0, "text"))
    exchange(a, b)
    txn = b._raw.create_transaction()  # as if b had lost that these were never deleted
    b._map.remove(txn, f"tags/n:1@{base36(a.client)}")
    txn.commit()
    txn.drop()
    b._index.drop("tags/n:1", base36(a.client))
    assert a.digest() != b.digest()
    whole = b.whole()
    assert a.merge(whole) == (False, False)
    assert a.merge(whole, repair=True) == (True, False)
    assert a.digest() == b.digest()
    assert set(a.state.tags) == set()
    assert a.merge(whole, repair=True) == (False, False)


def test_conflicts_name_writers_and_stamps() -> None:
    """And the replica that a writer belonged to is known from its first write."""
    a, b = opened(), opened()
    do(a, lambda state: setattr(state, "label", "a"), 1_000)
    do(b, lambda state: setattr(state, "label", "b"), 2_000)
    exchange(a, b)
    assert a.conflicts(("label",)) == [("b", b.writer, 2_000), ("a", a.writer, 1_000)]
    assert a.replica_of(b.writer) == b.replica
    assert a.replica_of("nobody") == ""


def test_a_document_is_freed_when_nobody_holds_it() -> None:
    """Its observers do not keep it, closed or not."""
    for close in (True, False):
        a = opened()
        do(a, everything)
        gone = weakref.ref(a)
        if close:
            a.close()
        del a
        gc.collect()
        assert gone() is None


def test_client_ids_are_random_and_never_zero() -> None:
    """Fifty-three bits of them."""
    ids = {new_client_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert min(ids) >= 1
    assert max(ids) < 2**53


@pytest.mark.parametrize(
    "change",
    [
        everything,
        lambda state: state.words.reverse(),
        lambda state: state.items.extend([Row("x"), Row("y")]),
        lambda state: state.rows.update(lead=Row("new")),
        lambda state: state.rows.pop("lead"),
        lambda state: state.words.clear(),
        lambda state: setattr(state, "letter", "Some other text"),
        lambda state: state.prefs.pop("x"),
        lambda state: state.prefs.update(new=None, x=0),
        lambda state: state.tags.update({None, 0}),
    ],
)
def test_inverse_changes_take_back(change: Callable[[Any], Any]) -> None:
    """And their inverses do it again; elsewhere too."""
    a, b = opened(), opened()
    before = repr(a.state)
    changes = changes_of(a, change)
    a.apply(changes, 1_000)
    after = repr(a.state)
    assert after != before
    a.apply(invert(changes), 1_001)
    assert repr(a.state) == before
    a.apply(invert(invert(changes)), 1_002)
    assert repr(a.state) == after
    exchange(a, b)


@dataclass
class Deep:
    """A record in a record in a record."""

    rows: Table[Row] = Table()
    words: List[str] = List(["a"])


@dataclass
class Middle:
    """A record in a record."""

    deep: Deep = field(default_factory=Deep)


def test_lists_and_tables_in_nested_records_work_as_at_the_top() -> None:
    """Field names are escaped on the way."""
    shape = create_slice(name="s", initial_state={"a/b@c": Middle(), "": Text("x")}).shape
    a, b = (Document(shape, new_client_id(), "r") for _ in range(2))

    def change(state: Any) -> None:
        state["a/b@c"].deep.words.append("b")
        state["a/b@c"].deep.rows["k"] = Row("k")
        state[""].insert(0, "y")

    delta = a.apply(record(shape, a.state, change, token=lambda: secrets.token_hex(4)), 1_000)
    b.merge(delta)
    exchange(a, b)
    assert list(b.state["a/b@c"].deep.words) == ["a", "b"]
    assert b.state[""] == "yx"


def test_a_move_of_a_removed_life_is_no_place_of_the_next() -> None:
    """An element put back starts anew where it was put, though a peer moved what it was before."""
    a, b = opened(), opened()
    b.merge(do(a, lambda state: state.items.extend([Row("x"), Row("y"), Row("z")])))
    removal = changes_of(a, call("items.pop", 0))
    a.apply(removal, 1_000)
    a.apply(invert(removal), 1_000)
    do(b, call("items.move", 0, 2), now=9_000)
    exchange(a, b)
    for document in (a, b):
        assert [row.name for row in document.state.items] == ["x", "y", "z"]


def test_a_text_is_edited_from_its_end_to_its_front() -> None:
    """Characters of any width between one edit and the next one before it are counted right."""
    a = opened()
    do(a, call("text.insert", 0, "é🍋€a🍋"))
    for at in (5, 4, 2, 1, 0):
        do(a, call("text.insert", at, "-"))
    b = opened()
    b.load([a.whole()])
    assert b.state.text == a.state.text == "-é-🍋-€a-🍋-"


def test_a_long_change_is_one_delta() -> None:
    """What takes several transactions of the engine arrives whole."""
    a, b = opened(), opened()
    delta = do(a, call("words.extend", list(range(1_200))))
    b.merge(delta)
    assert len(b.state.words) == 1_202
    assert b.state == a.state
    assert b.digest() == a.digest()


def test_whatever_is_asked_the_answer_is_a_sound_update() -> None:
    """A vector may name strangers and point inside a character; the answer begins before it."""
    a = opened(5)
    do(a, call("text.insert", 0, "🍋🍋🍋"))
    known = Known()
    known.add(read_update(a.whole(), known))
    for clock in range(1, known.clocks[5]):
        delta = a.delta_since(write_state_vector({5: clock, 99: 3}))
        assert delta is not None
        ((client, start, end),) = read_update(delta, known).ranges
        assert (client, end) == (5, known.clocks[5])
        assert start == clock - known.cuts_pair(5, clock)

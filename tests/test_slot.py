"""A slice's document among deltas that come too early, do not fit, or break it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from crdtstore import create_slice, slot
from crdtstore.changes import Add, Change, Put, Splice
from crdtstore.document import Broken, Document
from crdtstore.errors import UpdateError
from crdtstore.kinds import Counter, Text
from crdtstore.slot import Slot

SLICE = create_slice(name="s", initial_state={"n": Counter(0), "text": Text(), "x": 0})


def add(amount: int = 1) -> list[Change]:
    """Return what incrementing records."""
    return [Add(("n",), amount)]


def chain(length: int, change: Callable[[int], list[Change]] = lambda at: add()) -> list[bytes]:
    """Return deltas of one session, each of which needs the one before."""
    document = Document(SLICE.shape, 7, "writer")
    return [document.apply(change(at), 1_000 + at) for at in range(length)]


def test_a_delta_that_comes_too_early_is_held_and_applied_later() -> None:
    """Then it is returned as applied, after what it waited for."""
    first, second, third = chain(3)
    made = Slot(SLICE, "r", 1)
    assert made.merge(third) == ([], True)
    assert made.merge(second) == ([], True)
    assert list(made.held) == [third, second]
    assert made.merge(first) == ([first, second, third], False)
    assert made.state.n == 3
    assert not made.held
    assert made.held_bytes == 0


def test_any_order_ends_the_same() -> None:
    """All 24 of four deltas."""
    deltas = chain(4, lambda at: [Splice(("text",), at, "", "abcd"[at])])
    for order in permutations(deltas):
        made = Slot(SLICE, "r", 1)
        applied = [each for delta in order for each in made.merge(delta)[0]]
        assert made.state.text == "abcd"
        assert applied == deltas


def test_a_delta_held_twice_is_held_once() -> None:
    """And one that is known already is neither applied nor missing anything."""
    first, second = chain(2)
    made = Slot(SLICE, "r", 1)
    made.merge(second)
    made.merge(second)
    assert len(made.held) == 1
    assert made.held_bytes == len(second)
    made.merge(first)
    assert made.merge(second) == ([], False)


def test_what_is_held_is_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest is let go, which waits for the others; its sender is asked again anyway."""
    monkeypatch.setattr(slot, "MOST_HELD", 3)
    deltas = chain(6)
    made = Slot(SLICE, "r", 1)
    for delta in deltas[1:]:
        assert made.merge(delta) == ([], True)
    assert list(made.held) == deltas[1:4]
    assert made.held_bytes == sum(map(len, deltas[1:4]))
    assert made.merge(deltas[0]) == (deltas[:4], False)


def test_what_is_held_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few they are."""
    deltas = chain(4)
    monkeypatch.setattr(slot, "MOST_HELD_BYTES", len(deltas[2]) + len(deltas[3]))
    made = Slot(SLICE, "r", 1)
    for delta in deltas[1:]:
        made.merge(delta)
    assert list(made.held) == deltas[1:3]


def test_what_storage_holds_is_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many records wait for a damaged one: nobody else may have them."""
    monkeypatch.setattr(slot, "MOST_HELD", 3)
    monkeypatch.setattr(slot, "MOST_HELD_BYTES", 50)
    lost, *rest = chain(40)
    made = Slot(SLICE, "r", 1)
    made.load(rest, damaged=True)
    assert list(made.held) == rest
    made.merge(chain(43)[42])  # from a peer, and one too many
    assert list(made.held) == rest
    assert made.merge(lost) == ([lost, *rest], False)
    assert made.state.n == 40


def test_what_still_lacks_the_same_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand deltas that wait cost a delta of somebody else nothing worth telling."""
    made = Slot(SLICE, "r", 1)
    made.load(chain(300)[1:], damaged=True)
    other = Document(SLICE.shape, 8, "other")
    deltas = [other.apply(add(), 2_000 + at) for at in range(50)]
    inspect, read = Document.inspect, []

    def counted(self: Document, delta: bytes) -> Any:
        read.append(delta)
        return inspect(self, delta)

    monkeypatch.setattr(Document, "inspect", counted)
    for delta in deltas:
        assert made.merge(delta) == ([delta], False)
    assert read == deltas


def test_a_held_delta_that_no_longer_fits_is_dropped() -> None:
    """Two writers under one id contradict each other; the first to arrive is kept."""
    first, second = chain(2)
    other = Document(SLICE.shape, 7, "impostor")
    other.apply([Splice(("text",), 0, "", "some text that takes clocks")], 1_000)
    forged = other.apply([Splice(("text",), 4, "text", "")], 1_001)
    made = Slot(SLICE, "r", 1)
    assert made.merge(forged) == ([], True)
    applied, _ = made.merge(first)
    assert applied == [first]
    made.merge(second)
    assert made.state.n == 2


def test_a_held_delta_that_breaks_the_document_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The owner rebuilds the document, and the next delta finds it working."""
    first, second = chain(2)
    made = Slot(SLICE, "r", 1)
    made.merge(second)
    receive = Document._receive

    def fail(self: Document, deltas: Any) -> None:
        if second in (deltas := list(deltas)):
            raise Broken("as if")
        receive(self, deltas)

    monkeypatch.setattr(Document, "_receive", fail)
    with pytest.raises(Broken):
        made.merge(first)
    assert not made.held
    made.rebuild([])
    assert made.merge(first) == ([first], False)


def test_a_rebuilt_document_has_another_session() -> None:
    """Its old id may have written what nobody logged, and must not write anything else."""
    made = Slot(SLICE, "r", 1)
    logged = made.document.apply(add(), 1_000)
    made.document.apply(add(), 1_001)
    made.rebuild([logged])
    assert made.state.n == 1
    assert made.document.client != 1
    assert made.document.replica_of("1") == "r"
    made.document.apply(add(), 1_002)
    assert made.state.n == 2


def test_storage_is_loaded_as_it_is() -> None:
    """Nothing is held, and what follows builds on it."""
    deltas = chain(3)
    made = Slot(SLICE, "r", 1)
    made.load(deltas[:2])
    assert made.state.n == 2
    assert made.merge(deltas[2]) == ([deltas[2]], False)


def test_around_damaged_records_what_fits_together_is_loaded() -> None:
    """What needs the lost ones is held until a peer brings them."""
    deltas = chain(4)
    made = Slot(SLICE, "r", 1)
    made.load([deltas[0], deltas[2], deltas[3]], damaged=True)
    assert made.state.n == 1
    assert len(made.held) == 2
    assert made.merge(deltas[1])[0] == deltas[1:]
    assert made.state.n == 4


def test_a_record_that_does_not_apply_is_left_out() -> None:
    """The others are loaded all the same."""
    deltas = chain(3)
    made = Slot(SLICE, "r", 1)
    made.load([deltas[0], b"\x01\x02\x03", deltas[1], deltas[2]], damaged=True)
    assert made.state.n == 3


def test_malformed_bytes_are_refused_and_change_nothing() -> None:
    """Held or applied, there is nothing of them."""
    made = Slot(SLICE, "r", 1)
    made.document.apply([Put(("x",), 5, 0, 5)], 1_000)
    state, digest = made.state, made.document.digest()
    for data in (b"", b"\xff", b"\x01\x01\x01\x00", b"\x00\x00\x00"):
        with pytest.raises(UpdateError):
            made.merge(data)
    assert made.state is state
    assert made.document.digest() == digest
    assert not made.held

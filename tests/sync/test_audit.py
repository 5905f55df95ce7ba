"""Digests compared."""

from __future__ import annotations

from sync import vectors as sv
from sync.audit import Audit, read
from sync.frames import Entry, Verdict
from tests.sync.fake_store import FakeStore

ONE, TWO = b"1" * 16, b"2" * 16


def test_equal_digests_forget_every_suspicion() -> None:
    """Agreement ends suspicion, repair and divergence alike."""
    audit = Audit()
    audit.suspect.add("a")
    audit.repaired.add("a")
    audit.diverged.add("a")
    assert audit.judge("a", Entry(b"", ONE), ONE) == Verdict.EQUAL
    assert (audit.suspect, audit.repaired, audit.diverged) == (set(), set(), set())


def test_without_a_digest_there_is_no_verdict() -> None:
    """What could not be measured is neither equal nor unequal."""
    audit = Audit()
    assert audit.judge("a", Entry(b"", None), ONE) is None
    assert audit.judge("a", Entry(b"", ONE), None) is None
    assert not audit.wants_whole


def test_it_takes_both_repairs_to_call_it_a_divergence() -> None:
    """One side that has not merged the other’s whole is a reason to do so first."""
    audit = Audit()
    assert audit.judge("a", Entry(b"", ONE, repaired=True), TWO) == Verdict.UNEQUAL
    assert audit.wants_whole
    audit.learn({"a": Verdict.UNEQUAL}, ["a"])
    assert not audit.wants_whole
    assert audit.judge("a", Entry(b"", ONE), TWO) == Verdict.UNEQUAL
    assert audit.diverged == set()
    assert audit.judge("a", Entry(b"", ONE, repaired=True), TWO) == Verdict.DIVERGED
    assert audit.diverged == {"a"}
    assert audit.suspect == set()


def test_a_suspicion_ends_when_the_vectors_have_moved_on() -> None:
    """Without equal vectors there is nothing to compare; the next time will tell."""
    audit = Audit()
    audit.learn({"a": Verdict.UNEQUAL}, [])
    assert audit.suspect == {"a"}
    audit.learn({}, [])
    assert audit.suspect == set()


def test_vectors_and_digests_are_of_one_moment() -> None:
    """A slice that is being written to while it is read has no digest, rather than a wrong one."""

    class Busy(FakeStore):
        def digests(self) -> dict[str, bytes]:
            found = super().digests()
            self.add(b"meanwhile", "a")
            return found

    store = Busy("a", "b")
    vectors, digests = read(store)
    assert digests == {"a": None, "b": bytes(16)}
    assert sv.decode(vectors["a"]) == sv.decode(store.state_vectors()["a"])


def test_the_order_of_a_vector_is_no_movement() -> None:
    """The same clocks in another order are the same moment."""

    class Shuffled(FakeStore):
        turn = 0

        def state_vectors(self) -> dict[str, bytes]:
            self.turn += 1
            return {"a": bytes([2, 1, 1, 2, 2] if self.turn % 2 else [2, 2, 2, 1, 1])}

    assert read(Shuffled("a"))[1] == {"a": bytes(16)}

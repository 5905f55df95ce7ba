"""Storages that crash."""

from __future__ import annotations

from crdtstore.storage import Record
from crdtstore.testing.storage import CrashingStorage


def filled() -> CrashingStorage:
    storage = CrashingStorage("A")
    storage.open()
    for size in (1, 2, 1):
        storage.append([Record("s", b"x", b"")] * size)
    return storage


def test_a_copy_ends_after_a_batch() -> None:
    """Batches are in a copy as a whole or not at all."""
    storage = filled()
    assert storage.ends() == [0, 1, 3, 4]
    copied = storage.copy(3)
    opened = copied.open()
    assert [seq for seq, _ in opened.records] == [1, 2, 3]
    assert copied.durable_seq == 3


def test_a_copy_is_made_while_open_and_goes_its_own_way() -> None:
    """What is appended to one of the two later is not in the other, and both have one name."""
    storage = filled()
    copied = storage.copy()
    assert copied.open().replica == "A"
    copied.append([Record("s", b"y", b"")])
    assert (storage.durable_seq, copied.durable_seq) == (4, 5)


def test_no_copy_is_older_than_the_floor() -> None:
    """What was there from the start is in every backup."""
    storage = filled()
    storage.floor = 3
    assert storage.ends() == [3, 4]
    assert storage.copy(3).ends() == [3]

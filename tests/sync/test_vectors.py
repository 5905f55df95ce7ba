"""State vectors."""

from __future__ import annotations

import pytest

from sync import vectors as sv


@pytest.mark.parametrize("clocks", [{}, {1: 0}, {5: 9, 1: 300}, {2**53 - 1: 2**40}])
def test_what_is_encoded_is_decoded(clocks: dict[int, int]) -> None:
    """Encoding and decoding are inverse."""
    assert sv.decode(sv.encode(clocks)) == clocks


def test_the_bytes_are_those_of_yjs() -> None:
    """A count, then writer and clock for each, seven bits a byte, the lowest first."""
    assert sv.encode({1: 2, 300: 5}) == bytes([2, 1, 2, 0xAC, 0x02, 5])
    assert sv.encode({}) == sv.EMPTY


def test_order_means_nothing() -> None:
    """Two vectors with the same clocks are the same, whatever the bytes."""
    assert sv.decode(bytes([2, 1, 2, 3, 4])) == sv.decode(bytes([2, 3, 4, 1, 2]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x01\x01",
        b"\x02\x01\x01\x01\x01",
        b"\x00\x00",
        b"\x80",
        b"\xff" * 20,
        b"\xff\xff\xff\xff\x0f",
        b"\x01" + b"\xff" * 7 + b"\x7f" + b"\x01",
        b"\x01\x01" + b"\x80" * 9 + b"\x01",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """Too short, too long, doubled or huge: never a crash, never much memory."""
    with pytest.raises(ValueError, match="state vector"):
        sv.decode(data)


def test_covering_counts_every_writer() -> None:
    """One vector covers another when no clock of it is smaller."""
    assert sv.covers({1: 2, 2: 1}, {1: 2})
    assert sv.covers({}, {})
    assert sv.covers({}, {1: 0})
    assert not sv.covers({1: 2}, {1: 3})
    assert not sv.covers({1: 2}, {2: 1})

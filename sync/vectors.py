"""State vectors (Yjs format v1), read just far enough to compare two of them.

A state vector says, for each writer, how many of its changes have been seen, so one replica has
everything that another one has when its clock is at least as large for every writer. The bytes
themselves cannot be compared: writers stand in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

__all__ = ["EMPTY", "covers", "decode", "encode"]

EMPTY = b"\x00"
"""The state vector of a replica that has seen nothing."""

MAX_WRITER = 2**53
MAX_CLOCK = 2**53
SHORT = 4096
"""Vectors of up to so many bytes are remembered: the same ones come again and again."""


def _read(data: bytes, at: int, limit: int) -> tuple[int, int]:
    """One variable-length integer: seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("the state vector ends too early")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 56:
            raise ValueError("a number in the state vector is too long")
    if value >= limit:
        raise ValueError(f"{value} in the state vector is too large")
    return value, at


def decode(data: bytes) -> Mapping[int, int]:
    """The clock of each writer; raises ValueError for anything but one exact state vector."""
    return _decode_short(data) if len(data) <= SHORT else _decode(data)


def _decode(data: bytes) -> Mapping[int, int]:
    count, at = _read(data, 0, 2**32)
    if count * 2 > len(data) - at:
        raise ValueError(f"the state vector claims {count} writers in {len(data)} bytes")
    clocks: dict[int, int] = {}
    for _ in range(count):
        writer, at = _read(data, at, MAX_WRITER)
        clock, at = _read(data, at, MAX_CLOCK)
        if writer in clocks:
            raise ValueError(f"writer {writer} stands in the state vector twice")
        clocks[writer] = clock
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes after the state vector")
    return clocks


_decode_short = lru_cache(maxsize=64)(_decode)


def encode(clocks: Mapping[int, int]) -> bytes:
    """The inverse of ``decode``, writers in ascending order."""
    out = bytearray()
    for number in (len(clocks), *(n for pair in sorted(clocks.items()) for n in pair)):
        rest = number
        while rest >= 0x80:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def covers(mine: Mapping[int, int], theirs: Mapping[int, int]) -> bool:
    """Whether ``mine`` has seen everything that ``theirs`` has seen."""
    if mine is theirs:
        return True
    return all(mine.get(writer, 0) >= clock for writer, clock in theirs.items())

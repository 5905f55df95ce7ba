"""The deltas of light stores: operations, one after the other, and nothing else.

An operation is the next thing that one session did in one slice: it has the session's clock there,
perhaps the one operation of another session that it needs (as a character needs its neighbour), and
bytes that mean nothing. So a delta may be cut between any two operations, and joined from any.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from crdtstore import UpdateError

__all__ = ["NOTHING", "Operation", "operation", "read", "write"]

_head = Struct(">HQQQQ")
MOST = 2**53
NOTHING = (0, 0)
"""What an operation needs that needs nothing: client ids begin at 1."""


class Operation(NamedTuple):
    """One operation; ``data`` is all of it, as it travels, and ``hash`` 128 bits of that."""

    client: int
    clock: int
    needs: tuple[int, int]
    data: bytes
    hash: int


def write(client: int, clock: int, needs: tuple[int, int], payload: bytes) -> bytes:
    """An operation; ``payload`` has at most 60,000 bytes."""
    return _head.pack(_head.size + len(payload), client, clock, *needs) + payload


@lru_cache(maxsize=1 << 14)
def operation(data: bytes) -> Operation:
    """Read one operation; raises UpdateError unless it is exactly that."""
    if len(data) < _head.size:
        raise UpdateError("malformed", "an operation ends too early")
    size, client, clock, other, needed = _head.unpack_from(data)
    if size != len(data) or not 0 < client < MOST or max(clock, other, needed) >= MOST:
        raise UpdateError("malformed", "no operation")
    found = int.from_bytes(blake2b(data, digest_size=16).digest(), "big")
    return Operation(client, clock, (other, needed) if other else NOTHING, data, found)


def read(delta: bytes) -> list[Operation]:
    """The operations of a delta; raises UpdateError if it is anything else."""
    found: list[Operation] = []
    at, end = 0, len(delta)
    while at < end:
        size = int.from_bytes(delta[at : at + 2], "big")
        if size == 0:
            raise UpdateError("malformed", "an operation of no bytes")
        found.append(operation(delta[at : at + size]))
        at += size
    if not found:
        raise UpdateError("malformed", "a delta of no bytes")
    return found

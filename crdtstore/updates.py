"""Strict reader of Yjs update v1 bytes and state vectors: what may reach a document, and when.

An update is sections, one a client: a run of blocks with consecutive clocks, then the clocks that
were deleted. yrs trusts what it reads: bytes made by hand hang it, make it read freed memory or
leave it inconsistent, so that a later, honest edit does. Therefore nothing is applied that was not
read here to the last byte, and only what documents of this package contain is let through. Each
rule names what it keeps out.

1. Numbers are minimal varints below 2**53; clients are not 0, clocks and ends stay below 2**31 (yrs
   computes in 32 bits), lengths and counts are not 0. Nothing is allocated for a count: reading
   past the end refuses the update, and so do bytes left over.
2. Sections descend by client; deletions ascend by client and clock and do not touch: the one order
   in which yrs writes them. A client given twice would replace its own first section unread.
3. Blocks hold values, strings or tombstones. Nested types, embeds, formats, moves and documents are
   never written here; ``GC`` needs nested types; ``Skip`` stands for a gap.
4. Values nest at most 64 deep (yrs recurses) and strings are UTF-8 (yrs counts on it).
5. A block names its root, or has it from its origins, which must agree: text linked into an array
   or into another key's chain corrupts both. The same goes for a block of which a part is known
   already: the rest is linked behind the known part.
6. A block's origins are older than itself: an own one has a smaller clock, another client's is
   known or comes in this update, and sections wait for one another without a cycle. yrs looks up
   an own clock without asking whether it is there.
7. Nothing cuts a surrogate pair in two (an origin, a deletion, a known prefix): yrs then counts
   wrong what is left. Documents cut text between characters only.
8. In ``cells`` everything belongs to its writer: keys end in the writer's name, an origin is the
   same client's, and there is no right origin. In texts and lists anybody may write anywhere.
9. What an update refers to without its being known or carried is ``missing``. Such an update is
   read just as strictly, but must not be applied: yrs 0.28 is unsafe out of causal order.

This keeps documents sound, not writers honest: one who writes different things under the same
clocks, or gives origins in the wrong order, can still make replicas differ, and digests tell.

The format is that of Yjs (``encodeStateAsUpdate``) in lib0's encoding, which their code alone
specifies; what yrs makes of it is found by experiment, repeated in ``properties/test_updates.py``.
"""

from __future__ import annotations

import re
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import lru_cache
from heapq import heappop, heappush
from sys import intern
from typing import NamedTuple, NoReturn, TypeAlias, cast

from crdtstore.errors import UpdateError
from crdtstore.paths import base36

__all__ = [
    "MAX_DEPTH",
    "Id",
    "Known",
    "Update",
    "clock_ranges",
    "read_state_vector",
    "read_update",
    "write_state_vector",
]

MAX_DEPTH = 64
"""Containers inside one another that one value may have, a cell's own list included."""

Id: TypeAlias = tuple[int, int]
"""(client, clock)"""
Range: TypeAlias = tuple[int, int, int]
"""(client, first clock, the clock after the last)"""
Run: TypeAlias = tuple[int, int, int, str]
"""A range and the root that it was written to"""

_CELLS = "cells"
_MAX_NUMBER = 2**53 - 1
_CLOCK_END = 2**31

_HAS_LEFT, _HAS_RIGHT, _HAS_KEY = 0x80, 0x40, 0x20
_DELETED, _STRING, _ANY = 1, 4, 8
_ONE_BYTE = (0x7E, 0x78, 0x79)  # null, true, false
_FLOAT64, _FLOAT32 = 0x7B, 0x7C
_TEXT, _OBJECT, _LIST, _BYTES = 0x77, 0x76, 0x75, 0x74

_NEXT_CELL, _FIRST_CELL = _HAS_LEFT | _HAS_KEY | _ANY, _HAS_KEY | _ANY
_NEXT_CELLS = _NEXT_CELL, _HAS_LEFT | _HAS_KEY | _DELETED  # one, and what is left of some
_FIRST_CELLS = _FIRST_CELL, _HAS_KEY | _DELETED
_IN_CELLS = b"\x01\x05cells"  # a root for a parent, and its name
_ONLY_CELLS = frozenset({_CELLS})

_is_root = re.compile(r"(?:text|list)/[^@#!]*(?:#[0-9a-z]+)?").fullmatch
_writer = lru_cache(maxsize=4096)(base36)
_astral = re.compile("[\U00010000-\U0010ffff]").finditer
_float32 = struct.Struct(">f").unpack_from
_float64 = struct.Struct(">d").unpack_from


class Update(NamedTuple):
    """What an update carries; clock ranges are half open.

    ``ranges`` are the blocks, one range a client; ``runs`` the same by root; ``deletions`` may
    include what was deleted long ago. ``missing`` has, for each client of whom something lacks, the
    highest clock needed: the update may be applied once all of those are known, and is to be read
    again then, for ``runs``, ``roots`` and ``pairs`` are empty until it may. ``new`` tells if there
    is a block that was not known, ``roots`` are those of new blocks and of all deletions. ``pairs``
    are the clocks in the middle of a surrogate pair.
    """

    ranges: tuple[Range, ...]
    runs: tuple[Run, ...]
    deletions: tuple[Range, ...]
    missing: tuple[Id, ...]
    new: bool
    roots: frozenset[str]
    pairs: tuple[Id, ...]


class Known:
    """What a document holds, as far as reading needs it: clocks, their roots, surrogate pairs.

    ``clocks`` has the next clock of each client and is read-only to others. In memory a client is
    two parallel arrays, where each run of clocks in one root starts, and the roots. ``last`` is the
    client of the last section that was read, and its bytes.
    """

    __slots__ = ("_pairs", "_roots", "_starts", "_vector", "clocks", "last")

    def __init__(self) -> None:
        self.clocks: dict[int, int] = {}
        self._starts: dict[int, array[int]] = {}
        self._roots: dict[int, list[str]] = {}
        self._pairs: dict[int, array[int]] = {}
        self._vector = b""
        self.last = (0, b"\xff" * 9)  # no number at all

    def advance(self, client: int, root: str, length: int, text: str = "") -> None:
        """Record that ``client`` wrote its next ``length`` clocks to ``root``.

        ``text`` is what it wrote if that was text; its length in UTF-16 units is ``length``.
        """
        clocks = self.clocks
        start = clocks.get(client, 0)
        clocks[client] = start + length
        self._vector = b""
        if not start:
            self._starts[client] = array("I", (0,))
            self._roots[client] = [intern(root)]
        elif (roots := self._roots[client])[-1] != root:
            self._starts[client].append(start)
            roots.append(intern(root))
        if text and length != len(text):
            self._pairs.setdefault(client, array("I")).extend(_pairs(text, start))

    @property
    def vector(self) -> bytes:
        """The clocks as a state vector."""
        if not self._vector:
            self._vector = write_state_vector(self.clocks)
        return self._vector

    @property
    def has_pairs(self) -> bool:
        """Whether any known character takes two clocks."""
        return bool(self._pairs)

    def add(self, update: Update) -> None:
        """Record that ``update``, of which nothing was missing, was applied."""
        clocks = self.clocks
        for client, clock in update.pairs:
            if clock >= clocks.get(client, 0):
                self._pairs.setdefault(client, array("I")).append(clock)
        for client, _, end, root in update.runs:
            have = clocks.get(client, 0)
            if end > have:
                self.advance(client, root, end - have)

    def root_of(self, client: int, clock: int) -> str | None:
        """Return the root that a clock was written to, or ``None`` if it is not known."""
        if not 0 <= clock < self.clocks.get(client, 0):
            return None
        roots = self._roots[client]
        if len(roots) == 1:
            return roots[0]
        return roots[bisect_right(self._starts[client], clock) - 1]

    def only_root(self, client: int) -> str | None:
        """Return the root that a client wrote all to, or ``None`` if there is no such."""
        roots = self._roots.get(client)
        return roots[0] if roots is not None and len(roots) == 1 else None

    def roots_between(self, client: int, start: int, end: int) -> set[str]:
        """Return the roots of the known clocks from ``start`` up to ``end``."""
        if start >= min(end, self.clocks.get(client, 0)):
            return set()
        roots = self._roots[client]
        if len(roots) == 1:
            return {roots[0]}
        starts = self._starts[client]
        first = bisect_right(starts, start) - 1
        return set(roots[first : bisect_left(starts, end, first)])

    def cuts_pair(self, client: int, clock: int) -> bool:
        """Tell if a cut before ``clock`` would go through the middle of a known character."""
        pairs = self._pairs.get(client)
        if pairs is None:
            return False
        at = bisect_left(pairs, clock)
        return at < len(pairs) and pairs[at] == clock

    def within(self, clocks: Mapping[int, int]) -> dict[int, int]:
        """Return the part of a peer's ``clocks`` that a document may be asked with.

        Clients and clocks that are not known are left out, and a clock inside a character is moved
        before it: yrs answers such a question with bytes whose clocks are wrong.
        """
        ours = self.clocks
        asked = {c: min(clock, ours[c]) for c, clock in clocks.items() if c in ours}
        return {c: clock - self.cuts_pair(c, clock) for c, clock in asked.items()}


def read_state_vector(data: bytes) -> dict[int, int]:
    """Read a state vector: the next clock of each client.

    Raises `UpdateError` for anything but the whole of one state vector.
    """
    try:
        clocks: dict[int, int] = {}
        count, i = _varint(data, 0)
        for _ in range(count):
            client, i = _varint(data, i)
            clock, i = _varint(data, i)
            if not client or client in clocks:
                raise UpdateError("client", f"client {client} is 0 or was given before")
            if not 0 < clock < _CLOCK_END:
                raise UpdateError("clock", f"{clock} is not from 1 to 2**31 - 1")
            clocks[client] = clock
        if i != len(data):
            _end_of(data, i)
    except IndexError:
        raise UpdateError("truncated", "the state vector ends too early") from None
    return clocks


def write_state_vector(clocks: Mapping[int, int]) -> bytes:
    """Write a state vector in its one canonical form: clients descend, none has clock 0."""
    entries = sorted([entry for entry in clocks.items() if entry[1]], reverse=True)
    out = [_written(len(entries))]
    for client, clock in entries:
        out += _written_client(client), _written(clock)
    return b"".join(out)


def _written(number: int) -> bytes:
    """Write a varint."""
    if number < 0x80:
        return _BYTE[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_BYTE = [bytes((number,)) for number in range(0x80)]
_written_client = lru_cache(maxsize=4096)(_written)  # long, and the same ones again and again


def read_update(data: bytes, known: Known) -> Update:
    """Read an update (v1) that is to be applied to a document which holds ``known``.

    Raises `UpdateError` if no honest replica writes such bytes. An update that is not applicable
    yet, or partly or wholly known, is no error.
    """
    try:
        update = _read_plain(data, known)
        if update is not None:
            return update
    except (IndexError, UnicodeDecodeError, UpdateError, struct.error):
        pass  # the strict reader says what is wrong
    try:
        return _Reader(data, known).read()
    except (IndexError, struct.error):
        raise UpdateError("truncated", "the update ends too early") from None
    except UnicodeDecodeError as error:
        raise UpdateError("utf-8", f"a string is not UTF-8: {error.reason}") from None


def clock_ranges(delta: bytes) -> dict[int, tuple[int, int]]:
    """Return what a delta carries, ``{client: (first clock, end)}``, each range half open.

    A client is one session of one replica (``store.session``, in base 36), which numbers what it
    writes to a slice from 0; every dispatch that changes a slice writes something. So these ranges
    say whose work a delta is, and comparing them with a state vector which of it is known.
    Raises ``UpdateError`` for bytes that are no delta, ``TypeError`` for what is not bytes.
    """
    if not isinstance(delta, (bytes, bytearray, memoryview)):
        raise TypeError(
            "a delta is bytes, one of those in commit.deltas or store.deltas_since(…), got "
            f"{type(delta).__name__}: {delta!r:.80}"
        )
    delta = bytes(delta)
    return {client: (start, end) for client, start, end in read_update(delta, Known()).ranges}


def _read_plain(data: bytes, known: Known) -> Update | None:
    """Read what most dispatches send: cells alone, of one client, who goes on where it was.

    Returns ``None`` for everything else, what is wrong included: that is for ``_Reader``, which
    would read the same in what is read here, in twice the time.
    """
    clocks, pairs = known.clocks, known._pairs
    blocks = data[1]
    if data[0] != 1 or not 0 < blocks < 0x80:
        return None
    client, raw = known.last
    if not data.startswith(raw, 2):
        client, i = _varint(data, 2)
        raw = data[2:i]
    size = len(raw)
    first, i = _varint(data, 2 + size)
    if not client or first != clocks.get(client, 0):
        return None
    clock = first
    for _ in range(blocks):
        info = data[i]
        i += 1
        if info == _NEXT_CELL:
            if not data.startswith(raw, i):
                return None
            at, i = _varint(data, i + size)
            if at >= clock or (at < first and known.root_of(client, at) != _CELLS):
                return None
        elif info == _FIRST_CELL and data.startswith(_IN_CELLS, i):
            key, i = _string(data, i + len(_IN_CELLS))
            if key.partition("@")[2] != _writer(client):
                return None
        else:
            return None
        i = _cell(data, i)
        clock += 1
    count = data[i]
    i += 1
    if count > 0x7F or clock >= _CLOCK_END:
        return None
    deletions: list[Range] = []
    roots = _ONLY_CELLS
    previous = 0
    for _ in range(count):
        if data.startswith(raw, i):
            other, i = client, i + size
        else:
            other, i = _varint(data, i)
        ranges, i = _varint(data, i)
        if other <= previous or not ranges or other in pairs:
            return None
        previous = other
        only = known.only_root(other)
        end = -1
        for _ in range(ranges):
            start, i = _varint(data, i)
            length, i = (data[i], i + 1) if data[i] < 0x80 else _varint(data, i)
            if end >= start or not 0 < length < _CLOCK_END - start:
                return None
            end = start + length
            deletions.append((other, start, end))
            if only != _CELLS:
                roots |= known.roots_between(other, start, end)
        if end > (clock if other == client else clocks.get(other, 0)):
            return None
    if i != len(data):
        return None
    known.last = client, raw
    span = (client, first, clock)
    return Update((span,), ((*span, _CELLS),), tuple(deletions), (), True, roots, ())


class _Block(NamedTuple):
    """A block without its root; ``content`` is where in the bytes that begins."""

    client: int
    clock: int
    end: int
    info: int
    left: Id | None
    right: Id | None
    content: int


class _Reader:
    """Reads one update: first every byte in its order, then the blocks that had to wait.

    A section is kept as its blocks' first clocks and their roots. A block with origins in other
    sections, or in a block that waits, gets its root in the second step; until then its content is
    read as any content.
    """

    def __init__(self, data: bytes, known: Known) -> None:
        self.data = data
        self.known = known
        self.ranges: dict[int, Id] = {}
        self.sections: dict[int, tuple[list[int], list[str | None]]] = {}
        self.waiting: dict[int, list[_Block]] = {}
        self.settling = False
        self.missing: dict[int, int] = {}
        self.pairs: dict[int, list[int]] = {}
        self.cuts: list[Id] = []
        # The client of the section that is read, and its bytes, which come again in origins. At
        # first those of the last update: most come from somebody who goes on.
        self.client, self.raw = known.last

    def read(self) -> Update:
        i = self._read_sections()
        deletions, i = self._read_deletions(i)
        if i != len(self.data):
            _end_of(self.data, i)
        if self.waiting:
            self._settle()
        if self.pairs or self.known.has_pairs:
            self._check_cuts(deletions)
        self.known.last = self.client, self.raw
        clocks = self.known.clocks
        ranges: list[Range] = []
        runs: list[Run] = []
        roots: set[str] = set()
        new = False
        pairs: list[Id] = []
        simple: dict[int, str] = {}  # the roots of sections in one root
        for client, (start, end) in self.ranges.items():
            ranges.append((client, start, end))
            have = clocks.get(client, 0)
            if end > have:
                new = True
            if not self.missing:
                found = self._runs_of(client, start, end)
                if len(found) == 1:
                    simple[client] = found[0][3]
                runs += found
                if new:
                    roots.update([run[3] for run in found if run[2] > have])
                if self.pairs:
                    pairs += [(client, clock) for clock in self.pairs.get(client, ())]
        if not self.missing:
            for client, start, end in deletions:
                have = clocks.get(client, 0)
                if end <= have:
                    roots |= self.known.roots_between(client, start, end)
                elif start >= have and client in simple:
                    roots.add(simple[client])
                else:
                    roots |= self._roots_between(client, start, end)
        return Update(
            tuple(ranges),
            tuple(runs),
            tuple(deletions),
            tuple(sorted(self.missing.items())) if self.missing else (),
            new,
            frozenset(roots),
            tuple(pairs),
        )

    # Bytes

    def _read_sections(self) -> int:
        data = self.data
        clocks = self.known.clocks
        previous = _MAX_NUMBER + 1
        count, i = _varint(data, 0)
        for _ in range(count):
            blocks, at = _varint(data, i)
            if data.startswith(self.raw, at):
                client, i = self.client, at + len(self.raw)
            else:
                client, i = _varint(data, at)
            if not 0 < client < previous:
                raise UpdateError("client", f"{client} is 0 or not below the client before it")
            if not blocks:
                raise UpdateError("empty", f"the section of client {client} has no blocks")
            self.client = previous = client
            self.raw = data[at:i]
            first, i = _varint(data, i)
            if first > clocks.get(client, 0):
                self.missing[client] = first - 1
            clock = first
            starts: list[int] = []
            self.sections[client] = starts, []
            for _ in range(blocks):
                starts.append(clock)
                clock, i = self._read_cell(clock, i) or self._read_block(clock, i)
            self.ranges[client] = first, clock
        return i

    def _read_cell(self, clock: int, i: int) -> tuple[int, int] | None:
        """Read a block as ``_read_block``, if it is a cell or what is left of some, as most are.

        Returns ``None`` for other blocks, and where something is to be refused or waited for.
        """
        data, client = self.data, self.client
        info = data[i]
        if info in _NEXT_CELLS:
            if not data.startswith(self.raw, i + 1):
                return None
            at, i = _varint(data, i + 1 + len(self.raw))
            if at >= clock or self._root_at(client, clock, client, at) != _CELLS:
                return None
        elif info in _FIRST_CELLS:
            if not data.startswith(_IN_CELLS, i + 1):
                return None
            key, i = _string(data, i + 1 + len(_IN_CELLS))
            if key.partition("@")[2] != _writer(client):
                return None
        else:
            return None
        length = 1
        if info & 0x1F == _ANY:
            i = _cell(data, i)
        else:
            length, i = _varint(data, i)
        end = clock + length
        if not 0 < length < _CLOCK_END - clock or clock < self.known.clocks.get(client, 0) < end:
            return None
        self.sections[client][1].append(_CELLS)
        return end, i

    def _read_block(self, clock: int, i: int) -> tuple[int, int]:
        """Read a block that starts at ``clock``; returns where it ends, in clocks and bytes."""
        data = self.data
        client = self.client
        info = data[i]
        i += 1
        left = right = root = None
        if info & _HAS_LEFT:
            left, i = self._read_id(i)
        if info & _HAS_RIGHT:
            right, i = self._read_id(i)
        if left or right:
            root = self._root_from(client, clock, left, right)
        else:
            if data[i] != 1:
                raise UpdateError("nested", f"the parent of block {client}:{clock} is no root")
            if data.startswith(_IN_CELLS, i):
                root, i = _CELLS, i + len(_IN_CELLS)
            else:
                root, i = _string(data, i + 1)
            if info & _HAS_KEY:
                key, i = _string(data, i)
                _, _, writer = key.partition("@")
                if root != _CELLS or writer != _writer(client):
                    raise UpdateError(
                        "key", f"client {client} writes {key[:99]!r} in {root[:99]!r}"
                    )
            elif not _is_root(root):
                raise UpdateError("root", f"{root[:99]!r} is no root of a slice, or lacks a key")
        end, past = self._read_content(root, info, clock, i)
        if root is None:
            block = _Block(client, clock, end, info, left, right, i)
            self.waiting.setdefault(client, []).append(block)
        else:
            self._check_block(root, client, clock, end, info, left, right)
        self.sections[client][1].append(root)
        return end, past

    def _read_id(self, i: int) -> tuple[Id, int]:
        """Read a client and the number that follows it."""
        data = self.data
        if data.startswith(self.raw, i):
            client = self.client
            i += len(self.raw)
        else:
            client, i = _varint(data, i)
        if not client:
            raise UpdateError("client", "a client is 0")
        clock = data[i]
        if clock < 0x80:
            return (client, clock), i + 1
        clock, i = _varint(data, i)
        return (client, clock), i

    def _read_content(self, root: str | None, info: int, clock: int, i: int) -> tuple[int, int]:
        data = self.data
        kind = info & 0x1F
        if kind == _ANY:
            if root == _CELLS:
                length, i = 1, _cell(data, i)
            else:
                length, i = _varint(data, i)
                for _ in range(length):
                    i = _any(data, i, 1) if root is None else _occurrence(data, i)
        elif kind == _STRING:
            text, i = _string(data, i)
            length = len(text)
            if not text.isascii() and (pairs := _pairs(text, clock)):
                length += len(pairs)
                self.pairs.setdefault(self.client, []).extend(pairs)
        elif kind == _DELETED:
            length, i = _varint(data, i)
        else:
            raise UpdateError("content", f"blocks of kind {kind} are never written in a slice")
        if not 0 < length < _CLOCK_END - clock:
            raise UpdateError("length", f"{length} clocks from {clock} are none or too many")
        return clock + length, i

    def _read_deletions(self, i: int) -> tuple[list[Range], int]:
        data = self.data
        deletions: list[Range] = []
        previous = 0
        count, i = _varint(data, i)
        for _ in range(count):
            (client, ranges), i = self._read_id(i)
            if client <= previous:
                raise UpdateError("client", f"deletions of client {client} come out of order")
            if not ranges:
                raise UpdateError("empty", f"client {client} is listed without deletions")
            previous = client
            end = -1
            for _ in range(ranges):
                start, i = _varint(data, i)
                length, i = (data[i], i + 1) if data[i] < 0x80 else _varint(data, i)
                if start <= end or not 0 < length < _CLOCK_END - start:
                    raise UpdateError("deletion", f"{length} clocks from {start}, after {end}")
                end = start + length
                deletions.append((client, start, end))
            self._need(client, end - 1)
        return deletions, i

    # Meaning

    def _need(self, client: int, clock: int) -> None:
        """Note as missing what is referred to but neither known nor carried."""
        if clock >= self.known.clocks.get(client, 0):
            first, end = self.ranges.get(client, (0, 0))
            if not first <= clock < end:
                self.missing[client] = max(clock, self.missing.get(client, 0))

    def _root_from(self, client: int, clock: int, left: Id | None, right: Id | None) -> str | None:
        """Return the root that a block has from its origins, ``None`` while they have none."""
        if not left or not right:
            return self._root_at(client, clock, *(left or right or (client, clock)))
        roots = [self._root_at(client, clock, *origin) for origin in (left, right)]
        if None in roots:
            return None
        if roots[0] != roots[1] or left == right:
            raise UpdateError("origin", f"the origins of {client}:{clock} do not fit together")
        return roots[0]

    def _root_at(self, client: int, clock: int, other: int, at: int) -> str | None:
        """Return the root of the origin ``other:at`` of the block ``client:clock``."""
        if other == client and at >= clock:
            raise UpdateError("origin", f"block {client}:{clock} comes after its own clock {at}")
        if at < self.known.clocks.get(other, 0):
            return self.known.root_of(other, at)
        if other == client or (self.settling and at < self.ranges.get(other, (0, 0))[1]):
            starts, roots = self.sections[other]
            if at >= starts[0]:
                return roots[bisect_right(starts, at) - 1]
        return None

    def _check_block(
        self,
        root: str,
        client: int,
        clock: int,
        end: int,
        info: int,
        left: Id | None,
        right: Id | None,
    ) -> None:
        kind = info & 0x1F
        if root == _CELLS:
            if right or (left and left[0] != client) or kind == _STRING:
                raise UpdateError("cell", f"block {client}:{clock} is no cell of its writer")
        else:
            if info & _HAS_KEY or kind == (_ANY if root.startswith("text/") else _STRING):
                raise UpdateError("content", f"kind {info:#x} is never written in {root[:99]!r}")
            if left:
                self.cuts.append((left[0], left[1] + 1))
            if right:
                self.cuts.append(right)
        have = self.known.clocks.get(client, 0)
        if clock < have < end:
            if self.known.root_of(client, have - 1) != root:
                raise UpdateError("overlap", f"client {client} wrote {clock} to another root")
            self.cuts.append((client, have))

    def _settle(self) -> None:
        """Give the waiting blocks their roots, each section as far as those it waits for are."""
        self.settling = True
        for blocks in self.waiting.values():
            blocks.reverse()  # the next one is the last
        asleep: dict[int, list[Id]] = {}  # client waited for → heap of (its clock, who waits)
        ready = list(self.waiting)
        while ready:
            client = ready.pop()
            blocks = self.waiting[client]
            while blocks:
                origin = self._waits_for(blocks[-1])
                if origin:
                    heappush(asleep.setdefault(origin[0], []), (origin[1], client))
                    break
                self._settle_block(blocks.pop())
            front = blocks[-1].clock if blocks else _CLOCK_END
            sleepers = asleep.get(client, [])
            while sleepers and sleepers[0][0] < front:
                ready.append(heappop(sleepers)[1])
        if any(self.waiting.values()):
            raise UpdateError("cycle", "sections wait for one another")

    def _waits_for(self, block: _Block) -> Id | None:
        """Return an origin that is carried but was not settled so far."""
        for origin in (block.left, block.right):
            if origin and origin[0] != block.client and (ahead := self.waiting.get(origin[0])):
                client, clock = origin
                start = max(ahead[-1].clock, self.known.clocks.get(client, 0))
                if start <= clock < self.ranges[client][1]:
                    return origin
        return None

    def _settle_block(self, block: _Block) -> None:
        client, clock, end, info, left, right, content = block
        for origin in (left, right):
            if origin:
                self._need(*origin)
        root = self._root_from(client, clock, left, right)
        if root:  # else something is missing
            starts, roots = self.sections[client]
            roots[bisect_left(starts, clock)] = root
            if info & 0x1F == _ANY:
                self._read_content(root, info, clock, content)
            self._check_block(root, client, clock, end, info, left, right)

    def _check_cuts(self, deletions: list[Range]) -> None:
        carried = {client: frozenset(pairs) for client, pairs in self.pairs.items()}
        edges = [(client, edge) for client, *ends in deletions for edge in ends]
        for client, clock in self.cuts + edges:
            if self.known.cuts_pair(client, clock) or clock in carried.get(client, ()):
                raise UpdateError("surrogate", f"a cut at {client}:{clock} halves a character")

    def _runs_of(self, client: int, start: int, end: int) -> list[Run]:
        starts, roots = self.sections[client]
        if roots.count(roots[0]) == len(roots):
            return [(client, start, end, cast(str, roots[0]))]
        runs: list[Run] = []
        for first, root in zip(reversed(starts), reversed(roots), strict=True):
            if runs and runs[-1][3] == root:
                end = runs.pop()[2]
            runs.append((client, first, end, cast(str, root)))
            end = first
        return runs[::-1]

    def _roots_between(self, client: int, start: int, end: int) -> set[str]:
        found = self.known.roots_between(client, start, end)
        have = self.known.clocks.get(client, 0)
        if end > have:
            starts, roots = self.sections[client]
            first = bisect_right(starts, max(start, have)) - 1
            found.update([cast(str, root) for root in roots[first : bisect_left(starts, end)]])
        return found


def _end_of(data: bytes, i: int) -> NoReturn:
    if i < len(data):
        raise UpdateError("trailing", f"{len(data) - i} bytes follow the last number")
    raise IndexError


def _varint(data: bytes, i: int) -> tuple[int, int]:
    value = data[i]
    i += 1
    if value < 0x80:
        return value, i
    value &= 0x7F
    shift = 7
    while (byte := data[i]) > 0x7F:
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 49:
            raise UpdateError("number", "a number is not below 2**53")
        i += 1
    value |= byte << shift
    if not byte or value > _MAX_NUMBER:
        raise UpdateError("number", f"{value} is not below 2**53, or not written shortly")
    return value, i + 1


def _string(data: bytes, i: int) -> tuple[str, int]:
    length = data[i]
    i += 1
    if length > 0x7F:
        length, i = _varint(data, i - 1)
    end = i + length
    if end > len(data):
        raise IndexError
    return data[i:end].decode(), end


def _pairs(text: str, clock: int) -> list[int]:
    """Return the clocks in the middle of surrogate pairs, for a text that starts at ``clock``."""
    return [clock + at.start() + n for n, at in enumerate(_astral(text), 1)]


def _any(data: bytes, i: int, depth: int) -> int:
    """Return where a value ends."""
    tag = data[i]
    if tag == _TEXT:
        return _string(data, i + 1)[1]
    if tag == _FLOAT32:
        return i + 5
    if tag == _FLOAT64:
        return i + 9
    if tag in _ONE_BYTE:
        return i + 1
    count, i = _varint(data, i + 1)
    if tag == _BYTES:
        return i + count
    if depth > MAX_DEPTH or (tag != _LIST and tag != _OBJECT):
        raise UpdateError("value", f"a value has tag {tag:#x} or nests more than {MAX_DEPTH} deep")
    for _ in range(count):
        if tag == _OBJECT:
            _, i = _string(data, i)
        i = _any(data, i, depth + 1)
    return i


def _stamp(data: bytes, i: int) -> int:
    tag = data[i]
    if tag == _FLOAT64:
        (stamp,) = _float64(data, i + 1)
        i += 9
    elif tag == _FLOAT32:
        (stamp,) = _float32(data, i + 1)
        i += 5
    else:
        raise UpdateError("stamp", f"a stamp is no number but has tag {tag:#x}")
    if not (0 <= stamp <= _MAX_NUMBER and stamp.is_integer()):
        raise UpdateError("stamp", f"{stamp} is no whole number from 0 to 2**53 - 1")
    return i


def _cell(data: bytes, i: int) -> int:
    """Read the one value of a cell, ``[stamp, value]`` or ``[stamp, fields, inc]``."""
    if data[i] != 1 or data[i + 1] != _LIST or not 2 <= (count := data[i + 2]) <= 3:
        raise UpdateError("cell", "a cell's value is not one list of two or three")
    i = _stamp(data, i + 3)
    i = _string(data, i + 1)[1] if data[i] == _TEXT else _any(data, i, 2)
    if count == 3:
        if data[i] != _TEXT:
            raise UpdateError("cell", "an incarnation is no string")
        _, i = _string(data, i + 1)
    return i


def _occurrence(data: bytes, i: int) -> int:
    """Read an item of a list's order, ``[id, inc, stamp, writer]``."""
    if data[i] != _LIST or data[i + 1] != 4:
        raise UpdateError("occurrence", "an item of a list is not a list of four")
    i += 2
    for place in range(4):
        if place == 2:
            i = _stamp(data, i)
        elif data[i] != _TEXT:
            raise UpdateError("occurrence", f"part {place} of an occurrence is no string")
        else:
            _, i = _string(data, i + 1)
    return i

"""Updates as data: read leniently, changed at will, written again.

Independent of ``crdtstore.updates`` on purpose, and knows nothing of slices: it is the oracle of
the strict reader, and the tool that makes dishonest updates out of honest ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pycrdt import Array, Doc

Id = tuple[int, int]

LEFT, RIGHT, KEY = 0x80, 0x40, 0x20
GC, DELETED, STRING, ANY, SKIP = 0, 1, 4, 8, 10


@dataclass
class Block:
    """One block; ``parent`` and ``content`` are written as they are."""

    info: int
    left: Id | None = None
    right: Id | None = None
    parent: bytes = b""
    key: bytes | None = None
    content: bytes = b""
    length: int = 1

    def __bytes__(self) -> bytes:
        out = bytearray((self.info & 0xFF,))
        for bit, origin in ((LEFT, self.left), (RIGHT, self.right)):
            if self.info & bit:
                out += b"".join(map(number, origin or (0, 0)))
        if not self.info & (LEFT | RIGHT) and self.info & 0x1F not in (GC, SKIP):
            out += self.parent
            if self.info & KEY:
                out += sized(self.key or b"")
        return bytes(out) + self.content


@dataclass
class Plan:
    """Sections are (client, first clock, blocks), deletions (client, [(start, length), ...])."""

    sections: list[tuple[int, int, list[Block]]] = field(default_factory=list)
    deletions: list[tuple[int, list[Id]]] = field(default_factory=list)

    @classmethod
    def of(cls, data: bytes) -> Plan:
        """Read an update; raises one exception or another for one that is malformed."""
        return _Scan(data).plan()

    def __bytes__(self) -> bytes:
        out = bytearray(number(len(self.sections)))
        for client, clock, blocks in self.sections:
            out += number(len(blocks)) + number(client) + number(clock)
            out += b"".join(map(bytes, blocks))
        out += number(len(self.deletions))
        for client, ranges in self.deletions:
            out += number(client) + number(len(ranges))
            out += b"".join(number(start) + number(length) for start, length in ranges)
        return bytes(out)

    def ranges(self) -> dict[int, Id]:
        """Return, for each client, its first clock and the one after its last."""
        return {
            client: (clock, clock + sum(block.length for block in blocks))
            for client, clock, blocks in self.sections
        }

    def needs(self) -> list[Id]:
        """Return every clock that the update refers to."""
        found = [(client, clock - 1) for client, clock, _ in self.sections if clock]
        for _, _, blocks in self.sections:
            for block in blocks:
                found += [origin for origin in (block.left, block.right) if origin]
        for client, ranges in self.deletions:
            found += [(client, start + length - 1) for start, length in ranges]
        return found

    def tidy(self) -> None:
        """Bring sections and deletions into the order in which documents write them."""
        sections = {client: (client, clock, blocks) for client, clock, blocks in self.sections}
        self.sections = [sections[client] for client in sorted(sections, reverse=True)]
        gone: dict[int, list[Id]] = {}
        for client, ranges in self.deletions:
            gone.setdefault(client, []).extend(ranges)
        self.deletions = []
        for client in sorted(gone):
            merged: list[Id] = []
            for start, length in sorted(gone[client]):
                if merged and start <= sum(merged[-1]):
                    first, had = merged.pop()
                    merged.append((first, max(had, start + length - first)))
                else:
                    merged.append((start, length))
            self.deletions.append((client, merged))


def number(value: int) -> bytes:
    """Write a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sized(content: bytes) -> bytes:
    """Write a string."""
    return number(len(content)) + content


def root(name: str) -> bytes:
    """Write the parent of a block in a root."""
    return b"\x01" + sized(name.encode())


def values(*items: Any) -> bytes:
    """Write the content of a block that holds values, as pycrdt does."""
    doc: Doc[Any] = Doc(client_id=1)
    doc.get("", type=Array).extend(items)
    return Plan.of(doc.get_update()).sections[0][2][0].content


class _Scan:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def plan(self) -> Plan:
        plan = Plan()
        for _ in range(self.number()):
            blocks, client, clock = self.number(), self.number(), self.number()
            plan.sections.append((client, clock, [self.block() for _ in range(blocks)]))
        for _ in range(self.number()):
            client, ranges = self.number(), self.number()
            plan.deletions.append((client, [(self.number(), self.number()) for _ in range(ranges)]))
        if self.at != len(self.data):
            raise ValueError("trailing bytes")
        return plan

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while (byte := self.byte()) > 0x7F:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def string(self) -> bytes:
        length = self.number()
        self.at += length
        if self.at > len(self.data):
            raise ValueError("truncated")
        return self.data[self.at - length : self.at]

    def block(self) -> Block:
        block = Block(self.byte())
        kind = block.info & 0x1F
        if kind not in (GC, SKIP):
            if block.info & LEFT:
                block.left = self.number(), self.number()
            if block.info & RIGHT:
                block.right = self.number(), self.number()
            if not block.info & (LEFT | RIGHT):
                start = self.at
                if self.byte() == 1:
                    self.string()
                else:
                    self.number(), self.number()
                block.parent = self.data[start : self.at]
                block.key = self.string() if block.info & KEY else None
        start = self.at
        block.length = self.content(kind)
        block.content = self.data[start : self.at]
        return block

    def content(self, kind: int) -> int:
        if kind in (GC, DELETED, SKIP):
            return self.number()
        if kind in (2, ANY):
            length = self.number()
            for _ in range(length):
                if kind == ANY:
                    self.any()
                else:
                    self.string()
            return length
        if kind == STRING:
            return len(self.string().decode().encode("utf-16-le")) // 2
        if kind in (3, 5):
            self.string()
        elif kind == 6:
            self.string(), self.string()
        elif kind == 7:
            if self.byte() in (3, 5):
                self.string()
        elif kind == 9:
            self.string()
            self.any()
        else:
            raise ValueError(f"kind {kind}")
        return 1

    def any(self) -> None:
        tag = self.byte()
        if tag == 125:
            self.number()
        elif tag in (122, 123, 124):
            self.at += 4 if tag == 124 else 8
        elif tag in (116, 119):
            self.string()
        elif tag in (117, 118):
            for _ in range(self.number()):
                if tag == 118:
                    self.string()
                self.any()

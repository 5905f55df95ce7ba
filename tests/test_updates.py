"""The strict reader of updates and state vectors: what it says, and each thing that it refuses."""

from __future__ import annotations

import collections
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from crdtstore import clock_ranges, configure_store, create_slice
from crdtstore.errors import UpdateError
from crdtstore.paths import base36
from crdtstore.updates import (
    MAX_DEPTH,
    Known,
    _read_plain,
    read_state_vector,
    read_update,
    write_state_vector,
)
from properties.fuzz_updates import reports
from properties.update_plans import (
    ANY,
    DELETED,
    GC,
    KEY,
    LEFT,
    RIGHT,
    SKIP,
    STRING,
    Block,
    Id,
    Plan,
    number,
    root,
    sized,
    values,
)

HOSTILE = Path(__file__).parent / "data" / "hostile-updates.jsonl"
HOSTILE_COUNT = 604

NOTHING = b"\0\0"


def cell(client: int, *parts: Any, path: str = "a", **rest: Any) -> Block:
    """A block with one cell of ``client``."""
    key = f"{path}@{base36(client)}".encode()
    content = values(list(parts or (1, None)))
    return Block(ANY | KEY, parent=root("cells"), key=key, content=content, **rest)


def string(text: str, name: str = "text/a") -> Block:
    """A block with a piece of text."""
    length = len(text.encode("utf-16-le")) // 2
    return Block(STRING, parent=root(name), content=sized(text.encode()), length=length)


def occurrence(*parts: Any, name: str = "list/a") -> Block:
    """A block with one item of a list."""
    return Block(ANY, parent=root(name), content=values(list(parts or ("i", "n", 1, "w"))))


def tombstones(length: int, name: str = "text/a") -> Block:
    """A block of deleted clocks."""
    return Block(DELETED, parent=root(name), content=number(length), length=length)


def after(block: Block, left: Id | None = None, right: Id | None = None) -> Block:
    """The block with origins in the place of its parent."""
    block.info |= (LEFT if left else 0) | (RIGHT if right else 0)
    block.left, block.right = left, right
    return block


def plan(
    *sections: tuple[int, int, list[Block]], gone: Mapping[int, list[Id]] | None = None
) -> bytes:
    """The bytes of an update."""
    return bytes(Plan([*sections], [*(gone or {}).items()]))


def knowing(*updates: bytes) -> Known:
    """What a document holds that was given these updates."""
    known = Known()
    for data in updates:
        update = read_update(data, known)
        assert not update.missing
        known.add(update)
    return known


def refusal(data: bytes, known: Known | None = None) -> str:
    """The reason for which an update is refused."""
    with pytest.raises(UpdateError) as caught:
        read_update(data, known or Known())
    return caught.value.reason


# State vectors


@pytest.mark.parametrize("clocks", [{}, {1: 1}, {5: 2**31 - 1, 2**53 - 1: 7, 300: 128}])
def test_vectors_survive_and_pycrdt_takes_them(clocks: dict[int, int]) -> None:
    """A vector reads back as it was written, and a document accepts it."""
    vector = write_state_vector(clocks)
    assert read_state_vector(vector) == clocks
    assert Doc().get_update(vector) == NOTHING


def test_vectors_of_pycrdt_are_read() -> None:
    """A vector as pycrdt writes it is read, and written in one order whatever the mapping's."""
    doc: Doc[Any] = Doc()
    for client in (3, 2**40, 20):
        other: Doc[Any] = Doc(client_id=client)
        other.get("text/a", type=Text).insert(0, "é\U0001f600")
        doc.apply_update(other.get_update())
    clocks = read_state_vector(doc.get_state())
    assert clocks == {3: 3, 2**40: 3, 20: 3}
    assert write_state_vector(clocks) == write_state_vector(dict(sorted(clocks.items())))


def test_a_written_vector_has_no_zero_clocks() -> None:
    """A client of which nothing is known is not in the vector."""
    assert write_state_vector({7: 0, 8: 1}) == write_state_vector({8: 1})


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        (b"", "truncated"),
        (b"\x01\x05", "truncated"),
        (b"\xff\xff\xff\xff\x0f", "truncated"),  # made pycrdt allocate a gigabyte
        (b"\x00\x00", "trailing"),
        (b"\x01\x05\x01\x00", "trailing"),
        (b"\x01\x00\x01", "client"),
        (b"\x02\x05\x01\x05\x01", "client"),
        (b"\x01\x05\x00", "clock"),
        (b"\x01\x05" + number(2**31), "clock"),
        (b"\x01" + number(2**53) + b"\x01", "number"),
        (b"\x01\x05" + number(2**64), "number"),
        (b"\x01\x85\x00\x01", "number"),
        (b"\xff" * 40, "number"),
    ],
)
def test_malformed_vectors_are_refused(vector: bytes, reason: str) -> None:
    """Anything but the whole of one state vector is refused by name."""
    with pytest.raises(UpdateError) as caught:
        read_state_vector(vector)
    assert caught.value.reason == reason


# Known


def test_known_tells_the_root_of_each_clock() -> None:
    """Runs of one root merge, and a clock that nobody wrote has no root."""
    known = Known()
    for name, length in (("cells", 2), ("cells", 1), ("text/a", 4), ("cells", 1)):
        known.advance(9, name, length)
    assert known.clocks == {9: 8}
    roots = [known.root_of(9, clock) for clock in range(-1, 9)]
    assert roots == [None, *["cells"] * 3, *["text/a"] * 4, "cells", None]
    assert known.root_of(8, 0) is None
    assert known.roots_between(9, 1, 3) == {"cells"}
    assert known.roots_between(9, 2, 4) == {"cells", "text/a"}
    assert known.roots_between(9, 7, 90) == {"cells"}
    assert known.roots_between(9, 8, 90) == known.roots_between(1, 0, 1) == set()


def test_known_remembers_where_characters_may_not_be_cut() -> None:
    """The middle of each character of two clocks is known, from local and from read work."""
    local, read = Known(), Known()
    local.advance(9, "cells", 1)
    local.advance(9, "text/a", 6, "a\U0001f600b\U0001f600")
    data = plan((9, 0, [cell(9), string("a\U0001f600b\U0001f600")]))
    read.add(read_update(data, read))
    for known in (local, read):
        assert [clock for clock in range(9) if known.cuts_pair(9, clock)] == [3, 6]
        assert not known.cuts_pair(8, 3)


def test_documents_are_asked_within_what_they_hold() -> None:
    """Foreign clients and clocks are left out of a question, and no character is cut."""
    known = knowing(plan((9, 0, [string("a\U0001f600")])))
    assert known.within({9: 2, 8: 5}) == {9: 1}
    assert known.within({9: 77}) == {9: 3}
    assert known.within({}) == {}


# What is read


def test_all_that_an_update_says() -> None:
    """Ranges, runs, deletions, roots and pairs are those of the blocks."""
    data = plan(
        (9, 0, [cell(9), cell(9, 2, {}, "inc", path="b"), string("é\U0001f600")]),
        (7, 0, [occurrence()]),
        gone={7: [(0, 1)], 9: [(0, 1), (2, 1)]},
    )
    update = read_update(data, Known())
    assert update.ranges == ((9, 0, 5), (7, 0, 1))
    assert update.runs == ((9, 0, 2, "cells"), (9, 2, 5, "text/a"), (7, 0, 1, "list/a"))
    assert update.deletions == ((7, 0, 1), (9, 0, 1), (9, 2, 3))
    assert update.missing == ()
    assert update.new
    assert update.roots == {"cells", "text/a", "list/a"}
    assert update.pairs == ((9, 4),)


def test_the_empty_update() -> None:
    """An update without blocks or deletions says nothing."""
    update = read_update(NOTHING, Known())
    assert not any(update)


def test_what_is_known_is_not_new() -> None:
    """A delivery repeated is not new and touches no root; a deletion touches its root again."""
    first = plan((9, 0, [cell(9), string("abc")]))
    known = knowing(first)
    again = read_update(first, known)
    assert not again.new
    assert again.roots == set()
    assert again.runs == ((9, 0, 1, "cells"), (9, 1, 4, "text/a"))
    deletion = read_update(plan(gone={9: [(2, 2)]}), known)
    assert not deletion.new
    assert deletion.roots == {"text/a"}
    overlap = read_update(plan((9, 2, [after(string("bcd"), (9, 1))])), known)
    assert overlap.new
    assert overlap.roots == {"text/a"}
    known.add(overlap)
    assert known.clocks == {9: 5}


def test_reading_changes_nothing() -> None:
    """What is known changes when an update is added, not when it is read."""
    known = knowing(plan((9, 0, [cell(9)])))
    read_update(plan((9, 1, [string("abc")])), known)
    assert refusal(plan((9, 1, [string("abc", "cells")])), known) == "root"
    assert known.clocks == {9: 1}


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (plan((9, 3, [string("a")])), {9: 2}),
        (plan((9, 0, [after(string("a"), (8, 4))])), {8: 4}),
        (plan((9, 0, [after(string("a"), None, (8, 4))])), {8: 4}),
        (plan((9, 0, [after(string("a"), (8, 4), (7, 2))])), {7: 2, 8: 4}),
        (plan((9, 0, [after(string("a"), (8, 1)), after(string("b"), (9, 0))])), {8: 1}),
        (plan(gone={8: [(0, 1), (4, 3)]}), {8: 6}),
        (plan((9, 0, [string("abc")]), gone={9: [(1, 3)]}), {9: 3}),
        (plan((9, 2, [string("abc")]), gone={9: [(0, 1)]}), {9: 1}),
        (plan((9, 0, [after(string("a"), (8, 1))]), (8, 2, [string("b")])), {8: 1}),
    ],
)
def test_what_lacks_is_named(data: bytes, missing: dict[int, int]) -> None:
    """Clocks before, behind or beside an update that it needs are missing, the highest of each."""
    update = read_update(data, Known())
    assert dict(update.missing) == missing
    assert update.runs == ()
    assert update.roots == set()


def test_sections_may_need_sections_that_come_later() -> None:
    """Roots are found through origins in other sections, back and forth."""
    data = plan(
        (9, 0, [after(string("a"), (8, 0)), after(string("b"), (7, 1), (8, 1))]),
        (8, 0, [string("c"), after(string("d"), (7, 0)), after(occurrence(), (7, 3))]),
        (7, 0, [after(string("ef"), (9, 0)), string("g"), occurrence()]),
    )
    update = read_update(data, Known())
    assert update.missing == ()
    assert update.runs == (
        (9, 0, 2, "text/a"),
        *((8, 0, 2, "text/a"), (8, 2, 3, "list/a")),
        *((7, 0, 3, "text/a"), (7, 3, 4, "list/a")),
    )
    doc: Doc[Any] = Doc()
    doc.apply_update(data)
    assert read_state_vector(doc.get_state()) == {9: 2, 8: 3, 7: 4}


def test_a_long_chain_of_sections_is_followed() -> None:
    """Thousands of sections that each wait for the next are no trouble."""
    clients = range(5000, 0, -1)
    sections = [
        (c, 0, [after(string("x"), (c - 1, 0)), after(string("y"), (c, 0))]) for c in clients
    ]
    sections[-1] = (1, 0, [string("x"), after(string("y"), (1, 0))])
    update = read_update(plan(*sections), Known())
    assert update.missing == ()
    assert {run[3] for run in update.runs} == {"text/a"}
    assert len(update.runs) == 5000


def test_clocks_are_utf16_units() -> None:
    """The clocks of a text are counted as pycrdt counts them."""
    doc: Doc[Any] = Doc(client_id=9)
    for text in ("abc", "é漢", "\U0001f600", "a\U0001f3f4\0z"):
        doc.get("text/a", type=Text).insert(0, text)
        known = knowing(doc.get_update())
        assert known.clocks == read_state_vector(doc.get_state())


def test_values_nest_to_the_limit() -> None:
    """A cell may hold as many containers inside one another as the reader says, and no more."""
    value: Any = []
    for _ in range(MAX_DEPTH - 2):
        value = [value]
    assert read_update(plan((9, 0, [cell(9, 1, value)])), Known()).new
    assert refusal(plan((9, 0, [cell(9, 1, [value])]))) == "value"
    waiting = plan((9, 0, [after(cell(9, 1, [value]), (8, 0))]))
    assert refusal(waiting) == "value"


@pytest.mark.parametrize("stamp", [0, 1, 2**24 + 1, 1_795_326_996_221, 2**53 - 1])
def test_stamps_are_whole_numbers_as_pycrdt_writes_them(stamp: int) -> None:
    """A stamp is any whole number below 2**53."""
    doc: Doc[Any] = Doc(client_id=9)
    doc.get("cells", type=Map)["a@9"] = [stamp, {"é": [b"", None, True, -0.5]}]
    doc.get("list/x", type=Array).append(["a", "b", stamp, "9"])
    assert knowing(doc.get_update()).clocks == {9: 2}


# What is refused


def content(data: bytes, **rest: Any) -> Block:
    """A cell with content as given."""
    block = cell(9)
    block.content = data
    return block


def raw_stamp(tag: int, data: bytes) -> bytes:
    return bytes((1, 0x75, 2, tag)) + data + b"\x7e"


REFUSED: dict[str, tuple[str, bytes]] = {
    "no bytes": ("truncated", b""),
    "no deletions": ("truncated", b"\0"),
    "cut in a section": ("truncated", plan((9, 0, [string("abc")]))[:-4]),
    "cut in a float": ("truncated", plan((9, 0, [content(raw_stamp(0x7B, b"")[:-1])]))[:-1]),
    "a huge count of sections": ("truncated", number(2**53 - 1)),
    "a huge count of blocks": ("truncated", b"\1" + number(2**53 - 1) + b"\5\0"),
    "a huge count of deletions": ("truncated", b"\0" + number(2**53 - 1)),
    "a huge count of ranges": ("truncated", b"\0\1\5" + number(2**53 - 1)),
    "a huge count of values": (
        "truncated",
        plan((9, 0, [content(b"\1\x75\2\x7c\0\0\0\0\x75" + number(2**40))])),
    ),
    "a huge string": (
        "truncated",
        plan((9, 0, [Block(STRING, parent=root("text/a"), content=number(2**52))])),
    ),
    "a byte too many": ("trailing", NOTHING + b"\0"),
    "a number of nine bytes": ("number", b"\x80" * 9 + b"\1"),
    "a number of ten bytes": ("number", b"\x80" * 10 + b"\1"),
    "a number that never ends": ("number", b"\x80" * 1000),
    "a number written longer than needed": ("number", b"\x80\0\0"),
    "client 0": ("client", plan((0, 0, [string("a")]))),
    "a client beyond 2**53": ("number", plan((2**53, 0, [string("a")]))),
    "a client twice": ("client", plan((9, 0, [string("a")]), (9, 1, [string("a")]))),
    "clients that ascend": ("client", plan((8, 0, [string("a")]), (9, 0, [string("a")]))),
    "an origin of client 0": ("client", plan((9, 0, [after(string("a"), (0, 0))]))),
    "deletions of client 0": ("client", plan(gone={0: [(0, 1)]})),
    "deletions that descend": ("client", plan(gone={9: [(0, 1)], 8: [(0, 1)]})),
    "deletions of a client twice": ("client", bytes(Plan([], [(9, [(0, 1)]), (9, [(2, 1)])]))),
    "a section without blocks": ("empty", plan((9, 0, []))),
    "deletions without ranges": ("empty", plan(gone={9: []})),
    "clocks beyond 2**31": ("length", plan((9, 2**31 - 2, [string("ab")]))),
    "a clock beyond 2**31": ("length", plan((9, 2**31, [string("a")]))),
    "no text": ("length", plan((9, 0, [string("")]))),
    "no tombstones": ("length", plan((9, 0, [tombstones(0)]))),
    "no values": ("length", plan((9, 0, [Block(ANY, parent=root("list/a"), content=b"\0")]))),
    "too many tombstones": ("length", plan((9, 0, [tombstones(2**31)]))),
    "a deletion of nothing": ("deletion", plan(gone={9: [(0, 0)]})),
    "a deletion beyond 2**31": ("deletion", plan(gone={9: [(2**31 - 1, 1)]})),
    "deletions out of order": ("deletion", plan(gone={9: [(5, 1), (0, 1)]})),
    "deletions that overlap": ("deletion", plan(gone={9: [(0, 3), (2, 3)]})),
    "deletions that touch": ("deletion", plan(gone={9: [(0, 3), (3, 3)]})),
    "a nested type as parent": (
        "nested",
        plan((9, 0, [Block(STRING, parent=b"\0\5\0", content=sized(b"a"))])),
    ),
    "a root of no slice": ("root", plan((9, 0, [string("a", "x")]))),
    "a root named like a cell": ("root", plan((9, 0, [string("a", "text/a@9")]))),
    "a root with two hashes": ("root", plan((9, 0, [string("a", "text/a#0#1")]))),
    "a cell without a key": (
        "root",
        plan((9, 0, [Block(ANY, parent=root("cells"), content=values([1, 2]))])),
    ),
    "another's cell": ("key", plan((9, 0, [cell(8)]))),
    "a cell with two writers": ("key", plan((9, 0, [cell(9, path="a@8")]))),
    "a key in a text": (
        "key",
        plan((9, 0, [Block(STRING | KEY, parent=root("text/a"), key=b"a@9", content=sized(b"a"))])),
    ),
    "a key in a list, with an origin": (
        "content",
        plan(
            (
                9,
                0,
                [
                    occurrence(),
                    Block(ANY | KEY | LEFT, left=(9, 0), content=values(["i", "n", 1, "w"])),
                ],
            )
        ),
    ),
    "text in cells": (
        "cell",
        plan((9, 0, [Block(STRING | KEY, parent=root("cells"), key=b"a@9", content=sized(b"a"))])),
    ),
    "a cell behind another's": ("cell", plan((9, 0, [after(cell(9), (8, 0))]), (8, 0, [cell(8)]))),
    "a cell before another": (
        "cell",
        plan((9, 0, [cell(9), after(cell(9), (9, 0), (8, 0))]), (8, 0, [cell(8)])),
    ),
    "a value in a text": ("content", plan((9, 0, [occurrence(name="text/a")]))),
    "text in a list": ("content", plan((9, 0, [string("a", "list/a")]))),
    "text behind an occurrence": (
        "content",
        plan((9, 0, [occurrence(), after(string("a"), (9, 0))])),
    ),
    "an occurrence behind text": (
        "content",
        plan((9, 0, [string("a"), after(occurrence(), (9, 0))])),
    ),
    "an occurrence behind another's text": (
        "content",
        plan((9, 0, [after(occurrence(), (8, 0))]), (8, 0, [string("a")])),
    ),
    "two values in a cell": ("cell", plan((9, 0, [content(values([1, 2], [1, 2]))]))),
    "a cell that is no list": ("cell", plan((9, 0, [content(values("a"))]))),
    "a cell of one": ("cell", plan((9, 0, [cell(9, 1)]))),
    "a cell of four": ("cell", plan((9, 0, [cell(9, 1, 2, "a", "b")]))),
    "an incarnation that is no string": ("cell", plan((9, 0, [cell(9, 1, 2, 3)]))),
    "a stamp that is a string": ("stamp", plan((9, 0, [cell(9, "1", 2)]))),
    "a negative stamp": ("stamp", plan((9, 0, [cell(9, -1, 2)]))),
    "a broken stamp": ("stamp", plan((9, 0, [cell(9, 0.5, 2)]))),
    "a stamp beyond 2**53": (
        "stamp",
        plan((9, 0, [content(raw_stamp(0x7B, struct.pack(">d", 2.0**53)))])),
    ),
    "an infinite stamp": (
        "stamp",
        plan((9, 0, [content(raw_stamp(0x7C, struct.pack(">f", float("inf"))))])),
    ),
    "a stamp that is not a number": (
        "stamp",
        plan((9, 0, [content(raw_stamp(0x7C, struct.pack(">f", float("nan"))))])),
    ),
    "a stamp as a varint": ("stamp", plan((9, 0, [content(raw_stamp(0x7D, b"\1"))]))),
    "an occurrence of three": ("occurrence", plan((9, 0, [occurrence("a", "b", 1)]))),
    "an occurrence without a string": ("occurrence", plan((9, 0, [occurrence("a", 1, 1, "w")]))),
    "an occurrence with a wild stamp": ("stamp", plan((9, 0, [occurrence("a", "b", "c", "w")]))),
    "an undefined value": (
        "value",
        plan((9, 0, [content(raw_stamp(0x7C, bytes(4))[:-1] + b"\x7f")])),
    ),
    "a big integer": (
        "value",
        plan((9, 0, [content(raw_stamp(0x7C, bytes(4))[:-1] + b"\x7a" + bytes(8))])),
    ),
    "text that is not UTF-8": (
        "utf-8",
        plan((9, 0, [Block(STRING, parent=root("text/a"), content=sized(b"\xff"))])),
    ),
    "half a surrogate pair": (
        "utf-8",
        plan((9, 0, [Block(STRING, parent=root("text/a"), content=sized(b"\xed\xa0\xbd"))])),
    ),
    "a key that is not UTF-8": (
        "utf-8",
        plan(
            (9, 0, [Block(ANY | KEY, parent=root("cells"), key=b"\xff@9", content=values([1, 2]))])
        ),
    ),
    "a value that is not UTF-8": (
        "utf-8",
        plan((9, 0, [content(raw_stamp(0x7C, bytes(4))[:-1] + b"\x77\1\xff")])),
    ),
    "an origin in the block itself": ("origin", plan((9, 0, [after(string("abc"), (9, 1))]))),
    "an origin behind the block": (
        "origin",
        plan((9, 0, [string("a"), after(string("b"), (9, 7))])),
    ),
    "a right origin behind the block": (
        "origin",
        plan((9, 0, [string("a"), after(string("b"), (9, 0), (9, 2))])),
    ),
    "one origin twice": ("origin", plan((9, 0, [string("a"), after(string("b"), (9, 0), (9, 0))]))),
    "origins in two roots": (
        "origin",
        plan((9, 0, [string("a"), string("b", "text/b"), after(string("c"), (9, 0), (9, 1))])),
    ),
    "others' origins in two roots": (
        "origin",
        plan(
            (9, 0, [after(string("c"), (8, 0), (8, 1))]),
            (8, 0, [string("a"), string("b", "text/b")]),
        ),
    ),
    "two sections in a circle": (
        "cycle",
        plan((9, 0, [after(string("a"), (8, 0))]), (8, 0, [after(string("b"), (9, 0))])),
    ),
    "a circle through a section's order": (
        "cycle",
        plan(
            (9, 0, [after(string("a"), (8, 1)), string("x")]),
            (8, 0, [after(string("b"), (9, 1)), string("y")]),
        ),
    ),
    "a deletion that halves a character": (
        "surrogate",
        plan((9, 0, [string("a\U0001f600")]), gone={9: [(0, 2)]}),
    ),
    "a deletion of half a character": (
        "surrogate",
        plan((9, 0, [string("a\U0001f600")]), gone={9: [(2, 1)]}),
    ),
    "a block within a character": (
        "surrogate",
        plan((9, 0, [string("a\U0001f600"), after(string("b"), (9, 1))])),
    ),
    "a block before half a character": (
        "surrogate",
        plan((9, 0, [string("a\U0001f600"), after(string("b"), None, (9, 2))])),
    ),
    **{
        f"a block of kind {kind}": (
            "content",
            plan((9, 0, [Block(kind, parent=root("text/a"), content=b"\1\1\0")])),
        )
        for kind in (2, 3, 5, 6, 7, 9, 11, 12, 31)
    },
    **{
        f"a bare block {kind}": (reason, plan((9, 0, [Block(kind, content=b"\1\1a")])))
        for kind, reason in ((GC, "root"), (SKIP, "root"))
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_honest_replica_writes_is_refused(name: str) -> None:
    """Each violation of the rules is refused by its own name, also where the rest is in order."""
    reason, data = REFUSED[name]
    assert refusal(data) == reason


HELD = plan((9, 0, [cell(9), string("a\U0001f600b"), occurrence()]), (8, 0, [cell(8)]))


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("surrogate", plan((7, 0, [after(string("x"), (9, 2))]))),
        ("surrogate", plan((7, 0, [after(string("x"), None, (9, 3))]))),
        ("surrogate", plan(gone={9: [(3, 1)]})),
        ("surrogate", plan(gone={9: [(1, 2)]})),
        ("overlap", plan((9, 4, [after(string("bcd"), (9, 3))]))),
        (
            "overlap",
            plan(
                (
                    9,
                    3,
                    [
                        Block(
                            DELETED | KEY, parent=root("cells"), key=b"a@9", content=b"\4", length=4
                        )
                    ],
                )
            ),
        ),
        ("origin", plan((7, 0, [after(string("x"), (9, 1), (9, 5))]))),
        ("cell", plan((7, 0, [after(cell(7), (8, 0))]))),
        ("cell", plan((8, 1, [after(cell(8), (8, 0), (9, 0))]))),
        ("content", plan((7, 0, [after(string("x"), (9, 5))]))),
        ("occurrence", plan((7, 0, [after(cell(7), (9, 5))]))),
        ("origin", plan((9, 6, [after(string("x"), (9, 6))]))),
    ],
)
def test_what_does_not_fit_what_is_held_is_refused(reason: str, data: bytes) -> None:
    """Blocks and deletions are checked against the roots and characters that are known."""
    known = knowing(HELD)
    assert known.clocks == {9: 6, 8: 1}
    assert refusal(data, known) == reason


def test_what_is_known_of_a_text_ends_between_characters() -> None:
    """A text of which the first half of a character is known already is refused."""
    known = knowing(plan((9, 0, [string("ab")])))
    data = plan((9, 0, [string("a\U0001f600b")]))
    assert refusal(data, known) == "surrogate"
    assert read_update(data, knowing(plan((9, 0, [string("a")])))).new


def test_the_root_path_is_a_path() -> None:
    """A slice that is one value, text or list has its state at the empty path."""
    data = plan((9, 0, [cell(9, path=""), string("a", "text/"), occurrence(name="list/#0f")]))
    assert read_update(data, Known()).roots == {"cells", "text/", "list/#0f"}


@pytest.mark.parametrize("cut", range(1, len(HELD)))
def test_no_beginning_of_an_update_is_an_update(cut: int) -> None:
    """An update that lost its end is refused wherever it was cut."""
    assert refusal(HELD[:cut])


# What the rules are for


def test_hostile_updates_are_harmless() -> None:
    """None of the updates that kill, hang or corrupt a bare document gets to do so."""
    counts: collections.Counter[str] = collections.Counter()
    for report in reports(f"--corpus={HOSTILE}"):
        counts += report
    assert counts["updates"] == HOSTILE_COUNT
    assert counts["inputs"] > 4 * HOSTILE_COUNT
    assert counts["refused"] > HOSTILE_COUNT


def test_the_clock_ranges_of_a_delta_say_whose_work_it_is() -> None:
    """Each dispatch goes on where the one before of its session ended."""
    slice = create_slice(name="n", initial_state={"n": 0}, reducers={"put": _put})
    ranges = []
    with configure_store([slice]) as store:
        store.on_commit(lambda commit: ranges.append(clock_ranges(commit.deltas["n"])))
        for number in (1, 2):
            store.dispatch(slice.actions.put(number))
        client = int(store.session, 36)
        (one,), (two,) = (found.items() for found in ranges)
        assert one == (client, (0, one[1][1]))
        assert two == (client, (one[1][1], two[1][1]))
        assert two[1][0] < two[1][1]
    with pytest.raises(UpdateError):
        clock_ranges(b"\x01")


@pytest.mark.parametrize("wrong", ["s", None, 3])
def test_clock_ranges_are_those_of_bytes(wrong: Any) -> None:
    """Anything else is refused, with what was expected and what came."""
    with pytest.raises(TypeError, match=f"a delta is bytes, .*got {type(wrong).__name__}: "):
        clock_ranges(wrong)


def test_what_most_dispatches_send_is_read_the_short_way() -> None:
    """The first delta of a session, and those that write and delete cells."""
    slice = create_slice(name="n", initial_state={"n": 0}, reducers={"put": _put})
    with configure_store([slice]) as store, configure_store([slice]) as other:
        deltas: list[bytes] = []
        other.on_commit(lambda commit: deltas.append(commit.deltas["n"]))
        for each in (store, other, store, other):
            each.dispatch(slice.actions.put(1))
            each.dispatch(slice.actions.put(2))
            store.merge(other.deltas_since(store.state_vectors()))
            other.merge(store.deltas_since(other.state_vectors()))
        known = Known()
        short = 0
        for delta in deltas:
            update = _read_plain(delta, known)
            short += update is not None
            known.add(read_update(delta, known))
        assert short > len(deltas) / 2
        assert known.clocks == read_state_vector(other.state_vectors()["n"])


def _put(state: Any, value: int) -> None:
    state.n = value

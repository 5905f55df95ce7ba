"""Frames and their bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import msgpack
import pytest

from crdtstore import ActionInfo
from sync.codec import decode, encode
from sync.errors import LocalProtocolError, RemoteProtocolError
from sync.frames import (
    Ack,
    Bye,
    Delta,
    Diff,
    Entry,
    Extension,
    Frame,
    Greet,
    Hello,
    Part,
    Ping,
    Pong,
    Proof,
    SliceInfo,
    State,
)

FRAMES: list[Frame] = [
    Greet((1,), b"n" * 32),
    Greet((1, 7, 9), b"n" * 32),
    Proof(b"m" * 32),
    Hello("replica", "session", "", {}, 1),
    Hello("r", "s", "ns", {"todos": SliceInfo(3, {"items/*/n": "counter"})}, 99, ("signals",)),
    State(1, {}),
    State(2, {"a": Entry(b"\x00", b"d" * 16, True), "b": Entry(b"", None)}),
    Diff(1, 2, {}, {}),
    Diff(2**53 - 1, 3, {"a": b"delta"}, {"a": 2, "b": 1, "c": 3}),
    Delta(1, {"a": b"", "å": b"x" * 70_000}, None),
    Delta(1, {"a": b"x"}, ActionInfo("a/b", "r", 0)),
    Delta(1, {"a": b"x"}, ActionInfo("", "", 2**52, b"payload")),
    Ack(1),
    Ping(0, 1, 2),
    Pong(1, 2, 3),
    Bye("stopping"),
    Bye("schema", "because"),
    Part(0, 0, 1, b""),
    Part(1, 2, 3, b"data"),
    Extension(64, msgpack.packb([64, {"anything": [1.5]}])),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_every_frame_is_read_as_it_was_written(frame: Frame) -> None:
    """Encoding and decoding are inverse, for every type."""
    assert decode(encode(frame)) == frame


def test_the_bytes_are_those_of_the_specification() -> None:
    """One msgpack array, the type first; another language writes the same."""
    frame = Delta(7, {"a": b"x"}, ActionInfo("t", "r", 5))
    assert msgpack.unpackb(encode(frame)) == [6, 7, {"a": b"x"}, ["t", "r", 5, None]]
    state = State(1, {"a": Entry(b"\x00", None, False)})
    assert msgpack.unpackb(encode(state)) == [4, 1, {"a": [b"\x00", None, False]}]


GOOD: dict[int, list[Any]] = {
    1: [1, "crdtstore", [1], b"n" * 32],
    2: [2, b"m" * 32],
    3: [3, "r", "s", "ns", {"a": [0, {"p": "k"}]}, 1, []],
    4: [4, 1, {"a": [b"", b"d" * 16, False]}],
    5: [5, 1, 1, {"a": b""}, {"a": 1}],
    6: [6, 1, {"a": b""}, ["t", "r", 0, None]],
    7: [7, 1],
    8: [8, 1, 1, 1],
    9: [9, 1, 1, 1],
    10: [10, "why", ""],
    11: [11, 0, 0, 1, b""],
}
WRONG: list[Any] = [
    None, True, -1, 2**53, 1.0, "x" * 70_000, b"short", [], {}, [[]], {1: 2}, {"a": 1}, {"a": None},
    {"a": [1, 2, 3]}, {"a": {}}, {b"a": b""}, ["t", "r", -1, None], ["t", 1, 0, None],
    ["t", "r", 0, "s"], ["t", "r", 0], {"a": [0, {"p": 1}]}, {"a": ["0", {}]}, {"a": [b"", b"", 1]},
]  # fmt: skip


@pytest.mark.parametrize("number", GOOD)
def test_every_wrong_item_is_refused(number: int) -> None:
    """Each item has one exact type; nothing is coerced, and nothing but the named error comes."""
    good = GOOD[number]
    decode(msgpack.packb(good))
    refused = 0
    for place in range(1, len(good)):
        for wrong in WRONG:
            bad = [*good[:place], wrong, *good[place + 1 :]]
            if type(wrong) is type(good[place]) and wrong in ([], {}):
                continue  # an empty map is a map
            try:
                decode(msgpack.packb(bad))
            except RemoteProtocolError as error:
                refused += error.reason == "malformed"
            else:
                fits_too = (
                    (type(wrong) is type(good[place])) or good[place] is None or wrong is None
                )
                assert fits_too, (place, wrong)
    assert refused > 10 * (len(good) - 1)


@pytest.mark.parametrize("number", GOOD)
def test_too_few_and_too_many_items_are_refused(number: int) -> None:
    """The length is exact."""
    good = GOOD[number]
    for bad in (good[:-1], [*good, 0]):
        with pytest.raises(RemoteProtocolError, match="malformed"):
            decode(msgpack.packb(bad))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x90",
        b"\x91",
        b"\xc0",
        b"\x92\xff\x00",
        msgpack.packb([0]),
        msgpack.packb([12, 1]),
        msgpack.packb([63, 1]),
        msgpack.packb([96, 1]),
        msgpack.packb([7, 1]) + b"\x00",
        msgpack.packb([7, 1])[:-1],
        b"\x92\x07\xc7\x00\x01",
        b"\x92\x07\xd6\xff\x00\x00\x00\x01",
        b"\x92\x07\xdd\xff\xff\xff\xff",
        b"\x92\x07\xdf\xff\xff\xff\xff",
        b"\x94\x06\x01\x82\xa1a\xc4\x00\xa1a\xc4\x00\xc0",
        b"\x93\x0a\xa1\xff\xa0",
    ],
)
def test_what_is_no_frame_is_refused(body: bytes) -> None:
    """Unknown types, broken msgpack, extension types, doubled keys and bad UTF-8."""
    with pytest.raises(RemoteProtocolError, match="malformed"):
        decode(body)


def test_an_extension_is_kept_unread() -> None:
    """A type of the extension range may hold anything, even what is no msgpack."""
    assert decode(b"\x92\x40\xc1") == Extension(64, b"\x92\x40\xc1")
    assert decode(b"\x92\x5f") == Extension(95, b"\x92\x5f")
    with pytest.raises(LocalProtocolError):
        encode(Extension(7, b"\x92\x07\x01"))
    with pytest.raises(LocalProtocolError):
        encode(Extension(64, b"\x92\x41\x01"))


def test_an_action_that_nobody_could_read_does_not_stop_its_delta() -> None:
    """What is told of an action is for people; too long or too odd, it is left out."""
    for info in (ActionInfo("x" * 100_000, "r", 0), ActionInfo("t", "r", -1)):
        assert decode(encode(Delta(1, {"a": b"x"}, info))) == Delta(1, {"a": b"x"}, None)


def test_the_detail_of_a_bye_is_for_people() -> None:
    """However long or odd a message is, BYE can be sent and read."""
    bye = decode(encode(Bye("internal", "x" * 1_000_000 + "\ud800")))
    assert isinstance(bye, Bye)
    assert len(bye.detail) <= 1000
    assert decode(encode(Bye("internal", "\ud800"))) == Bye("internal", "?")


HOSTILE = """
import resource, sys
from sync.codec import decode
from sync.errors import RemoteProtocolError
from sync.frames import Delta
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
size = 16 << 20
bombs = {
    "empty arrays": b"\\x94\\x06\\x01" + b"\\xdd" + (size - 8).to_bytes(4, "big") + b"\\x90" * size,
    "strings in a map": b"\\x94\\x06\\x01\\xdf\\x00\\x40\\x00\\x00" + b"\\xa1a\\xa1b" * (size // 4),
    "nested arrays": b"\\x94\\x06" + b"\\xdc\\xff\\xff" * (size // 3),
    "nested maps": b"\\x94\\x06" + b"\\x81\\xa1a" * (size // 3),
    "nested fixarrays": b"\\x94\\x06" + b"\\x9f" * size,
    "small, deep": b"\\x94\\x06" + b"\\xdc\\xff\\xff" * 20_000,
    "small, wide": b"\\x94\\x06\\x01\\xde\\xff\\xff" + b"\\xa1a" * 20_000,
    "one claim": b"\\x94\\x06\\x01\\xc6\\xff\\xff\\xff\\xff" + b"x" * size,
}
for name, body in bombs.items():
    try:
        decode(body)
    except RemoteProtocolError as error:
        print(name, error.reason)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits there")
def test_hostile_frames_cost_memory_in_proportion_to_their_length() -> None:
    """Sixteen megabytes of small objects are refused within a few hundred megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr == ""
    assert done.stdout.count("malformed") == 8

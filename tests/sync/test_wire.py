"""Frames on a stream."""

from __future__ import annotations

import random

import pytest

from sync.errors import RemoteProtocolError
from sync.frames import Ack, Bye, Delta, Frame, Ping
from sync.wire import Decoder, Encoder

FRAMES: list[Frame] = [Ack(1), Delta(2, {"a": b"x" * 300}, None), Ping(1, 2, 3), Bye("stopping")]


def decoder(frame_bytes: int = 1 << 20, message_bytes: int = 1 << 20) -> Decoder:
    made = Decoder(frame_bytes)
    made.message_bytes = message_bytes
    return made


def stream(encoder: Encoder, frames: list[Frame]) -> bytes:
    return b"".join(piece for frame in frames for piece in encoder.encode(frame))


@pytest.mark.parametrize("size", [1, 2, 3, 11, 12, 13, 50, 1000])
def test_frames_come_out_whatever_the_pieces(size: int) -> None:
    """A stream may be cut anywhere."""
    data = stream(Encoder(100), FRAMES * 3)
    reader = decoder()
    out = [f for at in range(0, len(data), size) for f in reader.frames(data[at : at + size])]
    assert out == FRAMES * 3


def test_a_long_message_travels_in_parts_with_others_between() -> None:
    """Other frames may stand between the parts of one message."""
    encoder, reader = Encoder(100), decoder()
    parts = encoder.encode(Delta(1, {"a": b"x" * 1000}, None))
    assert len(parts) > 10
    between = encoder.encode(Ack(7))[0]
    out = list(reader.frames(between.join(parts)))
    assert out == [Ack(7)] * (len(parts) - 1) + [Delta(1, {"a": b"x" * 1000}, None)]


@pytest.mark.parametrize("fault", ["drop", "repeat", "swap", "truncate"])
def test_a_lost_or_misplaced_part_loses_that_message_only(fault: str) -> None:
    """What comes after is read as ever."""
    encoder, reader = Encoder(100), decoder()
    parts = encoder.encode(Delta(1, {"a": b"x" * 1000}, None))
    if fault == "drop":
        del parts[4]
    elif fault == "repeat":
        parts.insert(4, parts[4])
    elif fault == "swap":
        parts[4], parts[5] = parts[5], parts[4]
    else:
        del parts[6:]
    after = Delta(2, {"a": b"y" * 1000}, None)
    assert list(reader.frames(b"".join(parts + encoder.encode(after)))) == [after]


def test_a_message_longer_than_announced_is_refused() -> None:
    """Reassembly is bounded, and holds no more than the bound."""
    encoder, reader = Encoder(100), decoder(message_bytes=500)
    with pytest.raises(RemoteProtocolError, match="too-large"):
        list(reader.frames(b"".join(encoder.encode(Delta(1, {"a": b"x" * 1000}, None)))))
    assert len(reader._parts) <= 500


def test_parts_are_refused_before_the_other_side_is_known() -> None:
    """A stranger cannot make us collect."""
    reader = Decoder(1 << 16)
    with pytest.raises(RemoteProtocolError, match="unexpected"):
        list(reader.frames(Encoder(100).encode(Delta(1, {"a": b"x" * 1000}, None))[0]))


def test_a_part_made_of_parts_is_refused() -> None:
    """A message is one frame, not a series again."""
    inner = Encoder(100).encode(Delta(1, {"a": b"x" * 1000}, None))[0][12:]
    from sync.frames import Part

    outer = Encoder(1 << 16).encode(Part(1, 0, 1, inner))[0]
    with pytest.raises(RemoteProtocolError, match="malformed"):
        list(decoder().frames(outer))


def test_a_frame_too_long_is_refused_by_its_header() -> None:
    """Nothing of it is waited for or kept."""
    reader = decoder(frame_bytes=1000)
    with pytest.raises(RemoteProtocolError, match="too-large"):
        list(reader.frames((1001).to_bytes(4, "big") + b"\x00" * 8))


def test_a_tag_protects_every_byte() -> None:
    """A changed bit anywhere in tag or body is found."""
    data = stream(Encoder(100), [Ack(5)])
    for at in range(4, len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            with pytest.raises(RemoteProtocolError, match="checksum"):
                list(decoder().frames(bytes(bad)))


def test_a_key_may_change_between_two_frames_of_one_piece() -> None:
    """Whoever reads the frames sets the key for the next one, in the middle of the bytes."""
    encoder = Encoder(100)
    data = stream(encoder, [Ack(1)])
    encoder.use_key(b"k" * 32)
    data += stream(encoder, [Ack(2)])
    reader, out = decoder(), []
    for frame in reader.frames(data):
        out.append(frame)
        reader.use_key(b"k" * 32)
    assert out == [Ack(1), Ack(2)]
    with pytest.raises(RemoteProtocolError, match="checksum"):
        list(decoder().frames(data))


def test_a_large_frame_in_small_pieces_costs_linear_time() -> None:
    """Waiting for the rest of a frame copies nothing again."""
    size = 2 << 20
    data = stream(Encoder(1 << 22), [Delta(1, {"a": random.Random(1).randbytes(size)}, None)])
    reader = decoder(frame_bytes=1 << 22)
    held: list[int] = []
    for at in range(0, len(data), 1000):
        for frame in reader.frames(data[at : at + 1000]):
            assert isinstance(frame, Delta)
            held.append(len(frame.deltas["a"]))
    assert held == [size]
    assert not reader._buffer

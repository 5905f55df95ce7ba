"""Bytes on a stream: length, tag, body; long messages in parts; nothing of their meaning.

A tag is a BLAKE2b hash of the body, keyed once both sides have proved that they know the token:
it catches damage, and in a keyed session also a stranger on the path who writes into the stream.
A message longer than a part travels as PART frames, between which other frames may stand, so a
large diff does not delay a heartbeat. A missing or repeated part loses that message and nothing
else: numbers and acknowledgements, one floor up, notice and ask again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from .codec import decode, encode
from .errors import RemoteProtocolError
from .frames import Frame, Part, Reason

__all__ = ["Decoder", "Encoder"]

TAG_BYTES: Final = 8
HEADER_BYTES: Final = 4 + TAG_BYTES


class Encoder:
    """Frames in, bytes out."""

    __slots__ = ("_hash", "_part_bytes", "_series")

    def __init__(self, part_bytes: int) -> None:
        self._hash = hashlib.blake2b(digest_size=TAG_BYTES)
        self._part_bytes = part_bytes
        self._series = 0

    def use_key(self, key: bytes) -> None:
        """Tag every frame from now on with ``key`` (at most 64 bytes)."""
        self._hash = hashlib.blake2b(key=key, digest_size=TAG_BYTES)

    def encode(self, frame: Frame) -> list[bytes]:
        """The frame in one piece, or in several when it is longer than a part."""
        body = encode(frame)
        if len(body) <= self._part_bytes:
            return [self._wrap(body)]
        return list(self._parts(body))

    def _wrap(self, body: bytes) -> bytes:
        tag = self._hash.copy()
        tag.update(body)
        return len(body).to_bytes(4, "big") + tag.digest() + body

    def _parts(self, body: bytes) -> Iterator[bytes]:
        self._series += 1
        size = self._part_bytes
        count = -(-len(body) // size)
        for index in range(count):
            data = body[index * size : (index + 1) * size]
            yield self._wrap(encode(Part(self._series, index, count, data)))


class Decoder:
    """Bytes in, frames out; never holds more than one frame and one message in the making.

    ``frame_bytes`` may be raised once the other side is known; parts are accepted from then on.
    """

    __slots__ = (
        "_buffer",
        "_hash",
        "_need",
        "_next",
        "_parts",
        "_series",
        "frame_bytes",
        "message_bytes",
    )

    def __init__(self, frame_bytes: int) -> None:
        self.frame_bytes = frame_bytes
        self.message_bytes = 0
        self._hash = hashlib.blake2b(digest_size=TAG_BYTES)
        self._buffer = bytearray()
        self._need = 0
        self._parts = bytearray()
        self._series = -1
        self._next = 0

    def use_key(self, key: bytes) -> None:
        """Expect every frame not yet read to be tagged with ``key``."""
        self._hash = hashlib.blake2b(key=key, digest_size=TAG_BYTES)

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Every frame that ``data`` completes; raises RemoteProtocolError on bad bytes.

        Lazy, so that a key or limit set while one frame is handled holds for the next. Each call
        must be read to its end before the next one.
        """
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        at = 0
        while len(data) - at >= HEADER_BYTES:
            length = int.from_bytes(data[at : at + 4], "big")
            if length > self.frame_bytes:
                raise RemoteProtocolError(
                    Reason.TOO_LARGE,
                    f"a frame of {length} bytes, at most {self.frame_bytes} are accepted here",
                )
            start = at + HEADER_BYTES
            end = start + length
            if end > len(data):
                self._need = end - at
                break
            body = data[start:end]
            tag = self._hash.copy()
            tag.update(body)
            if tag.digest() != data[at + 4 : start]:
                raise RemoteProtocolError(Reason.CHECKSUM, "a frame was damaged on its way")
            at = end
            frame = decode(body)
            if isinstance(frame, Part):
                whole = self._put(frame)
                if whole is None:
                    continue
                frame = decode(whole)
                if isinstance(frame, Part):
                    raise RemoteProtocolError(Reason.MALFORMED, "a part made of parts")
            yield frame
        else:
            self._need = HEADER_BYTES
        self._buffer += data[at:]

    def _put(self, part: Part) -> bytes | None:
        """The whole message, once its last part is there."""
        if self.message_bytes == 0:
            raise RemoteProtocolError(Reason.UNEXPECTED, "a part before the handshake is over")
        if part.index == 0:
            self._series, self._next = part.series, 0
            self._parts = bytearray()
        elif part.series != self._series or part.index != self._next:
            self._series, self._parts = -1, bytearray()
            return None
        if len(self._parts) + len(part.data) > self.message_bytes:
            raise RemoteProtocolError(
                Reason.TOO_LARGE,
                f"a message of more than {self.message_bytes} bytes; raise limits.message_bytes",
            )
        self._parts += part.data
        self._next += 1
        if self._next < part.count:
            return None
        whole = bytes(self._parts)
        self._series, self._parts = -1, bytearray()
        return whole

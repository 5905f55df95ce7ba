"""The bytes one link still has to write: small things first, live deltas bounded, diffs whole.

Control frames (acks, pings, states) overtake the rest, even between two parts of one diff, so a
heartbeat is never behind forty megabytes. Live deltas past the bound are given up as a whole: the
link is then *behind* and one diff will replace them (``exchange``).
"""

from __future__ import annotations

from collections import deque

__all__ = ["Outbox"]


class Outbox:
    """Frames already encoded, waiting for the transport to take them."""

    __slots__ = ("_control", "_deltas", "_diff", "_limit", "delta_bytes", "queued_bytes")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._control: deque[bytes] = deque()
        self._diff: deque[bytes] = deque()
        self._deltas: deque[bytes] = deque()
        self.delta_bytes = 0
        """How many bytes of live deltas wait here."""
        self.queued_bytes = 0
        """How many bytes wait here in all."""

    def __bool__(self) -> bool:
        return bool(self._control or self._diff or self._deltas)

    @property
    def bulk(self) -> bool:
        """Whether a diff or live deltas are waiting; another diff has to wait then."""
        return bool(self._diff or self._deltas)

    def put(self, pieces: list[bytes]) -> None:
        """Queue a control frame."""
        self._control += pieces
        for piece in pieces:
            self.queued_bytes += len(piece)

    def put_diff(self, pieces: list[bytes]) -> None:
        """Queue a diff, which is never dropped; only while no other bulk is waiting."""
        assert not self.bulk
        self._diff.extend(pieces)
        self.queued_bytes += sum(map(len, pieces))

    def put_delta(self, pieces: list[bytes], size: int) -> bool:
        """Queue a live delta of ``size`` bytes behind the diff; False if that is past the bound."""
        self._deltas.extend(pieces)
        self.delta_bytes += size
        self.queued_bytes += size
        return self.delta_bytes <= self._limit

    def drop_deltas(self) -> None:
        """Forget every live delta not yet taken."""
        self._deltas.clear()
        self.queued_bytes -= self.delta_bytes
        self.delta_bytes = 0

    def take(self, most: int) -> bytes:
        """The next bytes to write: whole frames, about ``most`` bytes, one frame at least."""
        taken: list[bytes] = []
        size = 0
        while size < most:
            if self._control:
                piece = self._control.popleft()
            elif self._diff:
                piece = self._diff.popleft()
            elif self._deltas:
                piece = self._deltas.popleft()
                self.delta_bytes -= len(piece)
            else:
                break
            taken.append(piece)
            size += len(piece)
        self.queued_bytes -= size
        return b"".join(taken)

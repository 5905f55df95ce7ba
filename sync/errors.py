"""Every exception of the network half, in one tree under ``CrdtstoreError``.

The split of h11 is kept: ``LocalProtocolError`` is a mistake on our side, ``RemoteProtocolError``
one on theirs, and any other exception out of the protocol code is a bug.
"""

from __future__ import annotations

from crdtstore import CrdtstoreError

__all__ = [
    "DivergenceError",
    "LocalProtocolError",
    "PeerConfigError",
    "PeerError",
    "PeerStoppedError",
    "ProtocolError",
    "RemoteProtocolError",
    "TransportError",
]


class ProtocolError(CrdtstoreError):
    """The two sides of a link do not speak the same protocol."""


class LocalProtocolError(ProtocolError, RuntimeError):
    """This side tried to send what the protocol does not allow in this state."""


class RemoteProtocolError(ProtocolError, ValueError):
    """The other side broke the protocol; ``reason`` is one of the close reasons of PROTOCOL.md."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class TransportError(CrdtstoreError, OSError):
    """An address that cannot be listened on or connected to, or that is not an address."""


class PeerError(CrdtstoreError, RuntimeError):
    """A peer cannot do what was asked."""


class PeerConfigError(PeerError, ValueError):
    """A peer was configured in a way that cannot work, or that would not be safe."""


class PeerStoppedError(PeerError):
    """The peer was stopped, or never started, so what was waited for cannot happen."""


class DivergenceError(PeerError):
    """Two replicas have seen the same changes and still differ, after a full repair too."""

    def __init__(self, replica: str, slices: tuple[str, ...]) -> None:
        super().__init__(
            f"this store and replica {replica} have seen the same changes and differ in "
            f"{', '.join(slices)}, after a full repair too; keep both files and report it"
        )
        self.replica = replica
        self.slices = slices

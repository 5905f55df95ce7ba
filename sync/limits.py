"""Every bound of the network half, with its unit, in one frozen record."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer allows itself and others; the defaults suit a LAN and the internet alike.

    Fields ending in ``_bytes`` count bytes, ``_seconds`` seconds, the rest things.
    """

    # What is read from others.
    frame_bytes: int = 16 * MIB
    """The largest single frame."""
    greeting_bytes: int = 64 * KIB
    """The largest frame before the other side has proved that it knows the token."""
    message_bytes: int = 256 * MIB
    """The largest message put together from parts; told to the other side in HELLO."""
    half_open: int = 64
    """Accepted connections that have not yet authenticated, at one time."""
    handshake_seconds: float = 10.0
    """How long a connection may take until both HELLOs are there."""

    # What is sent to others.
    part_bytes: int = 256 * KIB
    """A longer message travels in parts of this size, so that heartbeats fit in between."""
    queue_bytes: int = 8 * MIB
    """Live deltas held for a slow peer; past it they are dropped and one diff is sent instead."""
    unacked_bytes: int = 256 * MIB
    """Bytes sent and not yet acknowledged as durable; past it the same happens."""

    # When things happen.
    heartbeat_seconds: float = 5.0
    """A silence this long is answered by a ping."""
    timeout_seconds: float = 30.0
    """A silence this long ends the connection."""
    sync_seconds: float = 30.0
    """How often state vectors and digests are compared while nothing else asks for it."""
    request_seconds: float = 10.0
    """How long an unanswered STATE is waited for before it is asked again."""
    backoff_first_seconds: float = 0.1
    """The first pause before connecting again; it doubles, jittered."""
    backoff_last_seconds: float = 30.0
    """The longest such pause."""
    connect_seconds: float = 10.0
    """How long one attempt to connect may take."""
    linger_seconds: float = 2.0
    """How long stopping may take to hand over what is queued."""
    work_seconds: float = 0.01
    """How long received frames are worked on before other links get their turn."""

"""Ways to reach another peer, by the scheme of its URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..errors import TransportError
from .memory import MemoryTransport
from .port import Listener, ProtocolFactory, Transport
from .tcp import TcpTransport
from .unix import UnixTransport

__all__ = ["Listener", "ProtocolFactory", "Transport", "transport_for"]

TRANSPORTS: Final[Mapping[str, Transport]] = {
    "memory": MemoryTransport(),
    "tcp": TcpTransport(),
    "unix": UnixTransport(),
}


def transport_for(url: str) -> Transport:
    """The transport of a URL, which is checked; raises TransportError."""
    scheme, separator, _ = url.partition("://")
    transport = TRANSPORTS.get(scheme) if separator else None
    if transport is None:
        known = ", ".join(f"{scheme}://" for scheme in sorted(TRANSPORTS))
        raise TransportError(f"{url!r} is not an address: expected one of {known}")
    transport.check(url)
    return transport

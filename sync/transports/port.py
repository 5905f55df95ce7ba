"""What a transport is: a way to listen and to connect, by URL, that moves bytes and nothing else.

A connection is asyncio's own pair: the transport calls ``connection_made``, ``data_received``,
``pause_writing``, ``resume_writing`` and ``connection_lost`` of the protocol that the factory
made, and takes ``write``, ``close`` and ``abort``. It may lose everything at any time; it must not
invent bytes or change their order. ``tests/sync/transport_suite.py`` is the acceptance suite.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = ["Listener", "ProtocolFactory", "Transport"]

ProtocolFactory: TypeAlias = Callable[[], asyncio.Protocol]


class Listener(Protocol):
    """Something that accepts connections until it is closed."""

    @property
    def url(self) -> str:
        """Where others can connect to, with the real port."""

    async def close(self) -> None:
        """Accept no more; connections already made go on."""


class Transport(Protocol):
    """A kind of connection, chosen by the scheme of a URL."""

    def check(self, url: str) -> None:
        """Raise TransportError if this is not an address of this kind."""

    def is_local(self, url: str) -> bool:
        """Whether only this machine can connect there."""

    async def listen(self, url: str, factory: ProtocolFactory) -> Listener:
        """Accept connections; raises TransportError if that is not possible."""

    async def connect(self, url: str, factory: ProtocolFactory) -> None:
        """Make one connection; raises TransportError if that is not possible."""

"""TCP: ``tcp://host:port``; port 0 takes a free one. No TLS yet, so nothing here is secret."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from ..errors import TransportError
from .port import ProtocolFactory

__all__ = ["TcpTransport"]

BACKLOG = 128


def _split(url: str) -> tuple[str, int]:
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.path not in ("", "/") or parts.query or parts.username:
        raise TransportError(f"{url!r} is not an address: expected tcp://host:port")
    return host, port


def _join(host: str, port: int) -> str:
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


class TcpListener:
    """A listening TCP socket."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        host, port = server.sockets[0].getsockname()[:2]
        self._url = _join(host, port)

    @property
    def url(self) -> str:
        return self._url

    async def close(self) -> None:
        self._server.close()


class TcpTransport:
    """TCP over IPv4 or IPv6."""

    def check(self, url: str) -> None:
        _split(url)

    def is_local(self, url: str) -> bool:
        """Loopback literals and ``localhost``; any other name counts as not local, unresolved."""
        host, _ = _split(url)
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    async def listen(self, url: str, factory: ProtocolFactory) -> TcpListener:
        host, port = _split(url)
        loop = asyncio.get_running_loop()
        try:
            # One address, so that port 0 is one port.
            found = await loop.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            server = await loop.create_server(factory, str(found[0][4][0]), port, backlog=BACKLOG)
        except OSError as error:
            raise TransportError(f"cannot listen on {url}: {error.strerror or error}") from error
        return TcpListener(server)

    async def connect(self, url: str, factory: ProtocolFactory) -> None:
        host, port = _split(url)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(factory, host, port)
        except OSError as error:
            raise TransportError(f"cannot connect to {url}: {error.strerror or error}") from error

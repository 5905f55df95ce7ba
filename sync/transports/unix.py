"""Unix sockets: ``unix:///path``, for processes of one user on one machine.

The socket file is created with mode 0600. One that a dead process left behind is replaced; one
that somebody listens on is not.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import TransportError
from .port import ProtocolFactory

__all__ = ["UnixTransport"]

BACKLOG = 128


def _path(url: str) -> str:
    if not hasattr(socket, "AF_UNIX"):
        raise TransportError(f"{url!r}: there are no Unix sockets on this system; use tcp://")
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise TransportError(f"{url!r} is not an address: expected unix:///absolute/path")
    return path


def _is_stale(path: str) -> bool:
    """Whether there is a socket that nobody listens on."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


class UnixListener:
    """A listening Unix socket; its file goes with it."""

    def __init__(self, server: asyncio.AbstractServer, path: str, inode: int) -> None:
        self._server = server
        self._path = path
        self._inode = inode

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    async def close(self) -> None:
        self._server.close()
        # Newer Pythons remove it themselves, and somebody else may listen there by now.
        with suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)


class UnixTransport:
    """Unix stream sockets."""

    def check(self, url: str) -> None:
        _path(url)

    def is_local(self, url: str) -> bool:
        return True

    async def listen(self, url: str, factory: ProtocolFactory) -> UnixListener:
        path = _path(url)
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(None, _is_stale, path):
            Path(path).unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Linux gives the file the mode of the unbound socket; elsewhere chmod closes the gap.
            os.fchmod(sock.fileno(), 0o600)
            sock.bind(path)
            os.chmod(path, 0o600)
            server = await loop.create_unix_server(factory, sock=sock, backlog=BACKLOG)
        except OSError as error:
            sock.close()
            raise TransportError(
                f"cannot listen on {url}: {error.strerror or error}"
                " (a socket file is replaced only if nobody listens on it)"
            ) from error
        return UnixListener(server, path, os.stat(path).st_ino)

    async def connect(self, url: str, factory: ProtocolFactory) -> None:
        path = _path(url)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(factory, path)
        except OSError as error:
            raise TransportError(f"cannot connect to {url}: {error.strerror or error}") from error

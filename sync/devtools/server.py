"""One port of this machine: pages over HTTP, and conversations over WebSockets, each by its path.

The protocols are no business of this module. A conversation is made by the function that is given
for its path, gets every message as text, and answers through a ``send`` that never waits: what the
other side has not read yet is kept up to a bound, beyond which the connection is cut (whoever is
there connects again and is told the present state). The same carries the client's end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, cast

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from crdtstore import CrdtstoreError
from sync.devtools.website import Website

__all__ = [
    "LARGEST",
    "Conversation",
    "DevToolsError",
    "Opener",
    "Route",
    "Server",
    "Wire",
    "carry",
    "listening",
    "together",
]

LARGEST = 64 * 2**20
"""Bytes of one message, at most: a whole history is imported, and exported, in one."""

_MOST_WAITING = 4 * LARGEST  # bytes that one connection has not read yet
_GOODBYE = 1.0  # seconds that closing a connection may take

logger = logging.getLogger("crdtstore.devtools")

# Every page that is asked for would be a line, as the WebSocket that it is not; and what strangers
# send to a port is no news.
_SILENT = logging.Logger("crdtstore.devtools.port", logging.CRITICAL + 1)


class DevToolsError(CrdtstoreError, RuntimeError):
    """The tools cannot do what was asked; the message says what to do about it."""


class Wire(Protocol):
    """The way to the other side of a connection; nothing but ``drained`` waits, or calls back."""

    def send(self, text: str) -> None:
        """Have one message sent."""

    def close(self) -> None:
        """Have the connection closed."""

    def backlog(self) -> int:
        """Return how many characters are still to be sent."""

    async def drained(self) -> None:
        """Wait until all that was to be sent is."""


class Conversation(Protocol):
    """One side of a connection."""

    def receive(self, text: str) -> None:
        """Take one message."""

    def closed(self) -> None:
        """The connection is over; called once."""


Opener = Callable[[Wire], Conversation]
"""Begins a conversation."""


@dataclass(frozen=True, slots=True)
class Route:
    """What is talked at one path, and how large a message may be (in characters)."""

    open: Opener
    largest: int = LARGEST


def listening(host: str, port: int) -> list[socket.socket]:
    """Take ``port`` (0: a free one) of ``host``, a loopback address; raises OSError.

    The sockets are made here, and not by asyncio, so that a forked child can let go of them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two servers have one port
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(128)
        taken.setblocking(False)
    except BaseException:
        taken.close()
        raise
    return [taken]


class Server:
    """Serves ``website`` and the conversations of ``routes``, path by path, until closed."""

    def __init__(self, website: Website, routes: Mapping[str, Route]) -> None:
        self._website = website
        self._routes = routes
        self._listeners: list[Listener] = []
        self._made: weakref.WeakSet[ServerConnection] = weakref.WeakSet()
        self.open = dict.fromkeys(routes, 0)  # how many conversations there are now, by path

    async def start(self, sockets: list[socket.socket]) -> None:
        """Serve on ``sockets``, which are bound and listen."""
        for bound in sockets:
            listener = await serve(
                self._converse,
                sock=bound,
                create_connection=cast(type[ServerConnection], self._make),  # is only called
                process_request=self._answer,
                compression=None,  # nothing leaves the machine
                max_size=LARGEST,
                ping_interval=None,  # who is gone on the same machine is seen to be
                close_timeout=_GOODBYE,
                server_header=None,
                logger=_SILENT,
            )
            self._listeners.append(listener)

    async def close(self) -> None:
        """Say goodbye to everybody, for a bounded time."""
        for connection in list(self._made):
            if connection.state is State.CONNECTING:  # has asked for nothing yet
                _abort(connection)
        for listener in self._listeners:
            listener.close()
        for listener in self._listeners:
            with suppress(TimeoutError):
                await asyncio.wait_for(listener.wait_closed(), 2 * _GOODBYE)
        for connection in list(self._made):
            _abort(connection)
        await asyncio.sleep(0)  # in which transports close their sockets

    def _make(self, *arguments: Any, **options: Any) -> ServerConnection:
        connection = ServerConnection(*arguments, **options)
        self._made.add(connection)
        return connection

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        path = request.path.partition("?")[0]
        why = self._website.refusal(_one(headers, "Host"), _one(headers, "Origin"))
        if why is not None:
            answer = self._website.refused(why)
        elif "upgrade" not in headers:
            answer = self._website.answer(
                request.path, ",".join(headers.get_all("Accept-Encoding"))
            )
        elif path in self._routes:
            return None
        else:
            answer = self._website.missing(path)
        phrase = HTTPStatus(answer.status).phrase
        return Response(answer.status, phrase, Headers(answer.headers), answer.body)

    async def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path = connection.request.path.partition("?")[0]
        route = self._routes[path]
        self.open[path] += 1
        try:
            await carry(connection, route.open, route.largest)
        finally:
            self.open[path] -= 1


def _abort(connection: ServerConnection) -> None:
    transport: asyncio.Transport | None = getattr(connection, "transport", None)
    if transport is not None:
        transport.abort()


def _one(headers: Headers, name: str) -> str | None:
    values = headers.get_all(name)
    return values[0] if len(values) == 1 else ", ".join(values) or None


async def carry(
    connection: ServerConnection | ClientConnection, open_: Opener, largest: int = LARGEST
) -> None:
    """Hold a conversation over ``connection`` until it is closed by whichever side.

    An exception of the conversation closes the connection too, and is logged: it must not take the
    other conversations of the server with it.
    """
    outbox = _Outbox(connection)
    writing = asyncio.ensure_future(outbox.write())
    conversation: Conversation | None = None
    try:
        conversation = open_(outbox)
        async for message in connection:
            if not isinstance(message, str) or len(message) > largest:
                await connection.close(1009, f"expected text of at most {largest} characters")
                return
            conversation.receive(message)
    except ConnectionClosed:
        pass
    except Exception:
        logger.exception("a conversation of the tools failed")
        await connection.close(1011, "internal error")
    finally:
        if conversation is not None:
            conversation.closed()
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing


class _Outbox:
    """What one connection has not been sent yet."""

    def __init__(self, connection: ServerConnection | ClientConnection) -> None:
        self._connection = connection
        self._texts: deque[str] = deque()
        self._size = 0
        self._closing = False
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def send(self, text: str) -> None:
        if self._closing:
            return
        if self._size > _MOST_WAITING:
            logger.warning("who is connected to the tools reads too slowly, and is disconnected")
            self._closing = True
            self._connection.transport.abort()
            return
        self._texts.append(text)
        self._size += len(text)
        self._empty.clear()
        self._more.set()

    def close(self) -> None:
        self._closing = True
        self._more.set()

    def backlog(self) -> int:
        return self._size

    async def drained(self) -> None:
        await self._empty.wait()

    async def write(self) -> None:
        with suppress(ConnectionClosed):
            while await self._more.wait():
                while self._texts:
                    await self._connection.send(self._texts[0])
                    self._size -= len(self._texts.popleft())
                self._empty.set()
                if self._closing:
                    await self._connection.close()
                    return
                self._more.clear()


def together(one: Opener, other: Opener) -> Callable[[], None]:
    """Let two conversations of one process talk to each other; return what ends them.

    Messages arrive in a later turn of the loop, as they do from another process.
    """
    pair = _Pair()
    pair.sides.append(one(_Pipe(pair, 1)))
    pair.sides.append(other(_Pipe(pair, 0)))
    return pair.end


class _Pair:
    """Two conversations of one process."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.sides: list[Conversation] = []
        self.ended = False

    def deliver(self, to: int, text: str) -> None:
        if self.ended:
            return
        try:
            self.sides[to].receive(text)
        except Exception:
            logger.exception("a conversation of the tools failed")
            self.end()

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            for side in self.sides:
                side.closed()


class _Pipe:
    """One way of a pair: a ``Wire``."""

    def __init__(self, pair: _Pair, to: int) -> None:
        self._pair = pair
        self._to = to

    def send(self, text: str) -> None:
        self._pair.loop.call_soon(self._pair.deliver, self._to, text)

    def close(self) -> None:
        self._pair.loop.call_soon(self._pair.end)

    def backlog(self) -> int:
        return 0

    async def drained(self) -> None:
        await asyncio.sleep(0)

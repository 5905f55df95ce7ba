"""One port of this machine: pages over HTTP, and conversations over WebSockets, each by its path.

The protocols are no business of this module. A conversation is made by the function that is given
for its path, gets every message as text, and answers through a ``send`` that never waits: what the
other side has not read yet is kept up to a bound, beyond which the connection is cut (whoever is
there connects again and is told the present state). The same carries the client's end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import traceback
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
    "HEARTBEAT",
    "LARGEST",
    "UNHEARD",
    "Conversation",
    "DevToolsError",
    "Opener",
    "Record",
    "RefusedError",
    "Route",
    "Server",
    "Wire",
    "carry",
    "listening",
    "refusal",
    "together",
]

LARGEST = 64 * 2**20
"""Bytes of one message, at most: a whole history is imported, and exported, in one."""

HEARTBEAT, UNHEARD = 4.0, 6.0
"""Seconds between two pings, and until who answers none is gone: its socket may never close.

A forked child may keep it open, and a program that hangs does. Browsers answer by themselves.
"""

_MOST_WAITING = 4 * LARGEST  # bytes that one connection has not read yet
_GOODBYE = 1.0  # seconds that closing a connection may take
_REFUSED, _LONGEST_REASON = 4009, 120  # a close code of our own, and bytes beside one

logger = logging.getLogger("crdtstore.devtools")

# Every page that is asked for would be a line, as the WebSocket that it is not; and what strangers
# send to a port is no news.
_SILENT = logging.Logger("crdtstore.devtools.port", logging.CRITICAL + 1)


class DevToolsError(CrdtstoreError, RuntimeError):
    """The tools cannot do what was asked; the message says what to do about it."""


class RefusedError(DevToolsError):
    """The server takes no such conversation; the message says why."""


class Record:
    """Writes failures to the log, each only once, however often it comes back."""

    def __init__(self) -> None:
        self._seen: set[object] = set()

    def write(self, error: BaseException) -> None:
        """Log a failure, unless the same came from the same place before."""
        known = isinstance(error, CrdtstoreError)
        places = traceback.extract_tb(error.__traceback__)
        where = tuple((place.filename, place.lineno) for place in places)
        mark = (type(error), str(error) if known else where)
        if mark in self._seen:
            return
        if len(self._seen) >= 1_000:
            self._seen.clear()
        self._seen.add(mark)
        if known:
            logger.warning("a conversation of the tools ended: %s", error)
        else:
            logger.error("a conversation of the tools failed", exc_info=error)


class Wire(Protocol):
    """The way to the other side of a connection; nothing but ``drained`` waits, or calls back."""

    def send(self, text: str) -> None:
        """Have one message sent."""

    def close(self) -> None:
        """Have the connection closed."""

    def fail(self, error: BaseException) -> None:
        """Have the connection closed because this side failed."""

    def refuse(self, why: str) -> None:
        """Have the connection closed, and the other side told why it is not to come back soon."""

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
        self._record = Record()
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
                ping_interval=HEARTBEAT,
                ping_timeout=UNHEARD,
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
        for _ in range(5):  # one accepted just now gets its transport in the turns to come
            for connection in list(self._made):
                _abort(connection)
            await asyncio.sleep(0)  # in which transports close their sockets

    def _make(self, *arguments: Any, **options: Any) -> ServerConnection:
        connection = ServerConnection(*arguments, **options)
        self._made.add(connection)
        _connections.add(connection)
        return connection

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        path = request.path.partition("?")[0]
        why = self._website.refusal(_one(headers, "Host"), _one(headers, "Origin"))
        if why is not None:
            answer = self._website.refused(why)
        elif "websocket" not in ",".join(headers.get_all("Upgrade")).lower():  # not h2c either
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
            failure = await carry(connection, route.open, route.largest)
            if failure is not None:
                self._record.write(failure)
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
) -> BaseException | None:
    """Hold a conversation over ``connection`` until it is closed by whichever side.

    An exception of the conversation closes the connection too, and is returned: it must not take
    the other conversations of the server with it.
    """
    _connections.add(connection)
    outbox = _Outbox(connection)
    writing = asyncio.ensure_future(outbox.write())
    conversation: Conversation | None = None
    try:
        conversation = open_(outbox)
        async for message in connection:
            if not isinstance(message, str) or len(message) > largest:
                await connection.close(1009, f"expected text of at most {largest} characters")
                break
            conversation.receive(message)
    except ConnectionClosed:
        pass
    except (Exception, SystemExit) as error:  # an application's code is free to raise either
        outbox.failure = error
        await connection.close(1011, "internal error")
    finally:
        if conversation is not None:
            conversation.closed()
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
    return outbox.failure


class _Outbox:
    """What one connection has not been sent yet."""

    def __init__(self, connection: ServerConnection | ClientConnection) -> None:
        self._connection = connection
        self._texts: deque[str] = deque()
        self._size = 0
        self._closing = False
        self._code, self._reason = 1000, ""
        self.failure: BaseException | None = None
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

    def fail(self, error: BaseException) -> None:
        self.failure = error
        self._code, self._reason = 1011, "internal error"
        self.close()

    def refuse(self, why: str) -> None:
        self._code = _REFUSED
        self._reason = why.encode()[:_LONGEST_REASON].decode(errors="ignore")
        self.close()

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
                    await self._connection.close(self._code, self._reason)
                    return
                self._more.clear()


def refusal(connection: ServerConnection | ClientConnection) -> RefusedError | None:
    """Return why a connection that is closed was refused, if it was."""
    if connection.close_code != _REFUSED:
        return None
    return RefusedError(connection.close_reason or "no reason was given")


async def together(one: Opener, other: Opener) -> BaseException | None:
    """Let two conversations of one process talk to each other, until one ends it; say why.

    Messages arrive in a later turn of the loop, as they do from another process.
    """
    pair = _Pair()
    try:
        pair.sides.append(one(_Pipe(pair, 1)))
        pair.sides.append(other(_Pipe(pair, 0)))
        return await pair.over
    except (Exception, SystemExit) as error:
        return error
    finally:
        pair.end()


class _Pair:
    """Two conversations of one process."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.sides: list[Conversation] = []
        self.over: asyncio.Future[BaseException | None] = self.loop.create_future()
        self.ended = False

    def deliver(self, to: int, text: str) -> None:
        if self.ended:
            return
        try:
            self.sides[to].receive(text)
        except (Exception, SystemExit) as error:
            self.end(error)

    def end(self, why: BaseException | None = None) -> None:
        if not self.ended:
            self.ended = True
            for side in self.sides:
                side.closed()
            if not self.over.done():
                self.over.set_result(why)


class _Pipe:
    """One way of a pair: a ``Wire``."""

    def __init__(self, pair: _Pair, to: int) -> None:
        self._pair = pair
        self._to = to

    def send(self, text: str) -> None:
        self._pair.loop.call_soon(self._pair.deliver, self._to, text)

    def close(self) -> None:
        self._pair.loop.call_soon(self._pair.end)

    def fail(self, error: BaseException) -> None:
        self._pair.loop.call_soon(self._pair.end, error)

    def refuse(self, why: str) -> None:
        self.fail(RefusedError(why))

    def backlog(self) -> int:
        return 0

    async def drained(self) -> None:
        await asyncio.sleep(0)


_connections: weakref.WeakSet[ServerConnection | ClientConnection] = weakref.WeakSet()


def _forked() -> None:
    """In a forked child: let go of all connections, which are the parent's.

    Each keeps its number, which leads nowhere from now on: who closes it later closes no stranger.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for connection in list(_connections):
        transport: asyncio.Transport | None = getattr(connection, "transport", None)
        taken = None if transport is None else transport.get_extra_info("socket")
        if taken is not None and taken.fileno() >= 0:
            os.dup2(nowhere, taken.fileno(), inheritable=False)
    os.close(nowhere)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

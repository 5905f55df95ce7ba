"""The store's side of the tools: what it tells a server, here in the process or in another one.

A store has two conversations, one for each protocol, whoever is the server. Both begin by saying
who is there, and say no more until somebody watches: then whatever is committed wakes them, once,
and what came since the last time is told in one piece, with a pause between pieces.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from crdtstore import CrdtstoreError
from sync.devtools.client import Client
from sync.devtools.log import Log
from sync.devtools.server import LARGEST, Opener, Wire, carry
from sync.devtools.source import Source
from sync.errors import RemoteProtocolError

__all__ = ["Found", "Showing", "Telling", "Waker", "address", "recognise", "take_part"]

_PATIENCE = 3.0  # seconds that a server of this machine may take to say who it is
_WHO = b"GET /who HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
_BATCH = 500  # records in one message
_STATUS_EVERY = 1.0  # seconds: links change without a commit
_SILENCE = 15.0  # seconds after which a client looks whether it still hears of its server
_HELLO = '{"event":"#handshake","data":{"authToken":null},"cid":1}'

logger = logging.getLogger("crdtstore.devtools")


@dataclass(frozen=True, slots=True)
class Found:
    """What is on a port: ``"ours"``, ``"redux"`` (another Redux DevTools server), or neither.

    ``"nobody"`` answers if it is free again, ``"other"`` if it is something else; ``about`` is what
    a server of ours says of itself.
    """

    kind: str
    about: Mapping[str, Any] = field(default_factory=dict)


def address(host: str, port: int) -> str:
    """Return ``host:port`` as URLs have it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def recognise(host: str, port: int) -> Found:
    """Say what serves ``port`` of this machine."""
    try:
        async with asyncio.timeout(_PATIENCE):
            about = await _who(host, port)
            if about is not None:
                return Found("ours", about)
    except ConnectionRefusedError:
        return Found("nobody")
    except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
        pass  # not HTTP as we know it, or silent
    try:
        async with asyncio.timeout(_PATIENCE), _connection(host, port, "/socketcluster/") as socket:
            await socket.send(_HELLO)
            while True:
                text = await socket.recv()
                if text and json.loads(text).get("rid") == 1:
                    return Found("redux")
    except (OSError, WebSocketException, ValueError, AttributeError):
        return Found("other")


async def _who(host: str, port: int) -> Mapping[str, Any] | None:
    reader, writer = await asyncio.open_connection(host, port, limit=2**16)
    try:
        writer.write(_WHO % address(host, port).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            return None
        about = json.loads(await reader.read(2**16))
        return about if isinstance(about, dict) and "crdtstore-devtools" in about else None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def take_part(
    host: str, port: int, openers: Mapping[str, Opener], joined: Callable[[], object]
) -> None:
    """Hold the conversations, each at its path, with the server until one of them ends.

    ``joined`` is called when all have begun. Raises what connecting raises: OSError (TimeoutError)
    and WebSocketException.
    """
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(_connection(host, port, path)) for path in openers
        ]
        tasks = [
            asyncio.ensure_future(carry(socket, open_))
            for socket, open_ in zip(sockets, openers.values(), strict=True)
        ]
        joined()
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _connection(host: str, port: int, path: str) -> connect:
    return connect(
        f"ws://{address(host, port)}{path}",
        compression=None,
        max_size=LARGEST,
        open_timeout=_PATIENCE,
        ping_interval=None,
        close_timeout=1.0,
        proxy=None,
    )


class Waker:
    """Wakes all who follow one log, which itself has one to wake."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._events: set[asyncio.Event] = set()

    def add(self, event: asyncio.Event) -> None:
        """Have ``event`` set whenever somebody who waits is woken."""
        self._events.add(event)

    def discard(self, event: asyncio.Event) -> None:
        """Undo ``add``."""
        self._events.discard(event)

    def arm(self, after: int) -> bool:
        """Have all woken by the first commit numbered ``after`` or higher.

        Returns ``False``, and does not, if there is one already.
        """
        return self._log.wake(self._committed, after=after)

    def _committed(self) -> None:
        """On the thread that commits."""
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._events:
            event.set()


class _Side:
    """One of a store's conversations: what comes is taken at once, what goes is told by a task."""

    def __init__(self, waker: Waker | None, wire: Wire) -> None:
        self._waker = waker
        self._wire = wire
        self._event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        if waker is not None:
            waker.add(self._event)

    def closed(self) -> None:
        """Tell no more."""
        self._end()
        if self._waker is not None:
            self._waker.discard(self._event)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        try:
            await self._tell()
        except RemoteProtocolError as error:
            logger.debug("the server of the tools: %s", error)
        except Exception:
            logger.exception("the tools cannot tell what happens in a store")
        self._wire.close()

    async def _tell(self) -> None:
        raise NotImplementedError

    async def _news(self, after: int | None, timeout: float) -> None:
        """Wait for a commit numbered ``after`` or higher, or ``_event``, or ``timeout``."""
        if after is not None and self._waker is not None and not self._waker.arm(after):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()


class Telling(_Side):
    """The source's side of ``/join``: who is there, and from the first ``watch`` on what happens.

    ``pause`` is the least time, in seconds, between two batches of records. Without a ``waker``
    nothing ever happens, as in a file.
    """

    def __init__(self, source: Source, waker: Waker | None, pause: float, wire: Wire) -> None:
        super().__init__(waker, wire)
        self._source = source
        self._pause = pause
        self._status: dict[str, Any] = {}
        introduction = source.join()
        self._next: int = introduction["first"]
        self._say(introduction)

    def receive(self, text: str) -> None:
        """Take a message of the server."""
        message = json.loads(text)
        if message["type"] == "watch":
            self._end()
            if message["on"]:
                self._status = {}
                self._begin()
        elif message["type"] == "request":
            self._say(self._source.answer(message))

    def _say(self, message: Mapping[str, Any]) -> None:
        self._wire.send(json.dumps(message, separators=(",", ":")))

    async def _tell(self) -> None:
        while True:
            self._event.clear()
            records = self._source.records(self._next, _BATCH)
            if records:
                self._next = records[-1]["number"] + 1
                self._say({"type": "records", "records": records})
            if len(records) == _BATCH:
                await self._wire.drained()
                await asyncio.sleep(0)
                continue
            with suppress(CrdtstoreError):  # closed; its history stays
                status = self._source.status()
                if status != self._status:
                    self._status = status
                    self._say(status)
            await asyncio.sleep(self._pause)
            await self._wire.drained()
            await self._news(self._next, _STATUS_EVERY)


class Showing(_Side):
    """The store's side of ``/socketcluster/``, for Redux DevTools.

    ``handled`` is called after each message, in which somebody may have pressed a button.
    """

    def __init__(
        self, client: Client, waker: Waker | None, handled: Callable[[], object], wire: Wire
    ) -> None:
        super().__init__(waker, wire)
        self._client = client
        self._handled = handled
        self._loop = asyncio.get_running_loop()
        self._send(client.opened(self._loop.time()))
        self._begin()

    def receive(self, text: str) -> None:
        """Take a text of the server."""
        try:
            self._send(self._client.receive(text))
        except RemoteProtocolError as error:
            logger.warning("the server of Redux DevTools broke its protocol: %s", error)
            self._wire.close()
        self._handled()
        self._event.set()

    def _send(self, texts: list[str]) -> None:
        for text in texts:
            self._wire.send(text)

    async def _tell(self) -> None:
        client = self._client
        while True:
            await self._wire.drained()
            self._event.clear()
            told = client.poll(self._loop.time())
            self._send(told)
            if told:
                continue
            deadline = client.deadline
            if deadline is None:
                await self._news(client.wake_after, _SILENCE)
            else:
                await self._news(None, max(0.0, deadline - self._loop.time()))

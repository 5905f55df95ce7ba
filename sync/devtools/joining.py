"""The store's side of the tools: what it tells a server, here in the process or in another one.

A store has two conversations, one for each protocol, whoever is the server. Both begin by saying
who is there, and say no more until somebody watches: then whatever is committed wakes them, once,
and what came since the last time is told in one piece, with a pause between pieces.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from crdtstore import CrdtstoreError
from sync.devtools.client import Client
from sync.devtools.keeping import Troubles, keep
from sync.devtools.log import Log
from sync.devtools.server import HEARTBEAT, LARGEST, UNHEARD, Opener, Wire, carry, refusal
from sync.devtools.source import Source
from sync.errors import RemoteProtocolError

__all__ = ["Found", "Showing", "Telling", "Waker", "Worker", "address", "recognise", "take_part"]

_PATIENCE = 2.5  # seconds that a server of this machine may take to say who it is
_WHO = b"GET /who HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
_BATCH = 500  # records in one message
_STATUS_EVERY = 1.0  # seconds: links change without a commit
_SILENCE = 15.0  # seconds after which a client looks whether it still hears of its server
_HELLO = '{"event":"#handshake","data":{"authToken":null},"cid":1}'
_ACCEPTED = 1.0  # seconds after which a server that refused before has not done so again
_GONE = (None, 1001, 1006)  # how connections are closed by a server that ends, or was killed

_T = TypeVar("_T")


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
    """Say what serves ``port`` of this machine, within a few seconds."""
    until = asyncio.get_running_loop().time() + _PATIENCE
    try:
        async with asyncio.timeout_at(until):
            about = await _who(host, port)
            if about is not None:
                return Found("ours", about)
    except ConnectionRefusedError:
        return Found("nobody")
    except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
        pass  # not HTTP as we know it, or silent
    try:
        async with asyncio.timeout_at(until), _connection(host, port, "/socketcluster/") as socket:
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
    host: str,
    port: int,
    openers: Mapping[str, Opener],
    joined: Callable[[], object],
    troubles: Troubles | None = None,
    *,
    careful: bool = False,
) -> None:
    """Hold the conversations, each at its path, with the server until that is gone.

    One that ends while the server is there is begun again by itself. ``joined`` is called when all
    have begun; with ``careful`` that is when the first was not refused for a while. Raises what
    connecting raises before that, OSError (TimeoutError) and WebSocketException, and RefusedError.
    """
    part = _Part(host, port, openers, joined, careful)
    noted = Troubles() if troubles is None else troubles
    tasks = [asyncio.ensure_future(keep(path, part.holding(path), noted)) for path in openers]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # which is an exception: there is no other way out
    except (OSError, WebSocketException):
        if not part.joined:
            raise
    except _ServerGone:
        pass
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _ServerGone(Exception):
    """Whom the conversations were held with has ended."""


class _Part:
    """All conversations with one server."""

    def __init__(
        self,
        host: str,
        port: int,
        openers: Mapping[str, Opener],
        joined: Callable[[], object],
        careful: bool,
    ) -> None:
        self.joined = False
        self._host = host
        self._port = port
        self._openers = openers
        self._first = next(iter(openers), "")
        self._said = joined
        self._begun: set[str] = set()
        self._accepted = asyncio.Event()
        self._careful = careful
        if not careful:
            self._accepted.set()

    def holding(self, path: str) -> Callable[[], Awaitable[BaseException | None]]:
        """Return what holds the conversation of one path, once."""

        async def hold() -> BaseException | None:
            if path != self._first:
                await self._accepted.wait()
            socket = await _connection(self._host, self._port, path)
            try:
                if path == self._first and not self._accepted.is_set():
                    accepted = asyncio.get_running_loop().call_later(_ACCEPTED, self._accept)
                else:
                    accepted = None
                    self._begin(path)
                try:
                    failure = await carry(socket, self._openers[path])
                finally:
                    if accepted is not None:
                        accepted.cancel()
                await socket.close()
            finally:
                socket.transport.abort()  # if closing it was cut short
            refused = refusal(socket)
            if refused is not None:
                raise refused
            if failure is None and socket.close_code in _GONE:
                raise _ServerGone
            if failure is None and socket.close_code != 1000:
                why = f"{socket.close_code} {socket.close_reason or ''}".rstrip()
                return RemoteProtocolError("closed", f"the server of the tools ended it ({why})")
            return failure

        return hold

    def _accept(self) -> None:
        self._accepted.set()
        self._begin(self._first)

    def _begin(self, path: str) -> None:
        self._begun.add(path)
        if not self.joined and self._begun >= set(self._openers):
            self.joined = True
            self._said()


def _connection(host: str, port: int, path: str) -> connect:
    return connect(
        f"ws://{address(host, port)}{path}",
        compression=None,
        max_size=LARGEST,
        open_timeout=_PATIENCE,
        ping_interval=HEARTBEAT,
        ping_timeout=UNHEARD,
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
            self._loop.call_soon_threadsafe(self.wake)

    def wake(self) -> None:
        """Have all look whether there is something to tell."""
        for event in self._events:
            event.set()


class Worker:
    """Runs the application's code for the tools: one call at a time, on a thread of its own.

    The thread is begun by the first call. A call that never returns holds up those after it, and
    neither the tools nor the end of the program.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], _T], done: Callable[[_T], object]) -> None:
        """Have ``work``, which does not raise, called there, and ``done`` with its result here."""
        loop = asyncio.get_running_loop()

        def call() -> None:
            result = work()
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(done, result)

        self._calls.put(call)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="crdtstore-devtools-work", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End the thread after the calls that it was given, without waiting for them."""
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


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
        except (Exception, SystemExit) as error:  # a sanitizer is free to raise either
            self._wire.fail(error)

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
    nothing ever happens, as in a file. With a ``worker``, what runs the application's reducers and
    sanitizers because it was asked for is run there, and everything else goes on.
    """

    def __init__(
        self,
        source: Source,
        waker: Waker | None,
        pause: float,
        wire: Wire,
        worker: Worker | None = None,
    ) -> None:
        super().__init__(waker, wire)
        self._source = source
        self._pause = pause
        self._worker = worker
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
        elif message["type"] == "names":
            self._source.learn(message["names"])
        elif message["type"] == "request":
            if self._worker is not None and self._source.runs_code(message):
                self._worker.run(lambda: self._source.answer(message), self._say)
            else:
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
            self._wire.fail(error)
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

"""Connections inside one process: ``memory://name``, between peers on threads of their own.

Bytes are handed to the other side's event loop, with the same backpressure that a socket has.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ..errors import TransportError
from .port import ProtocolFactory

__all__ = ["MemoryTransport"]

HIGH_WATER = 64 * 1024

_names: dict[str, MemoryListener] = {}
_lock = threading.Lock()


def _name(url: str) -> str:
    parts = urlsplit(url)
    if not parts.netloc or parts.path not in ("", "/"):
        raise TransportError(f"{url!r} is not an address: expected memory://name")
    return parts.netloc


class MemoryListener:
    """A name that others in this process can connect to."""

    def __init__(
        self, name: str, factory: ProtocolFactory, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.name = name
        self.factory = factory
        self.loop = loop

    @property
    def url(self) -> str:
        return f"memory://{self.name}"

    async def close(self) -> None:
        with _lock:
            if _names.get(self.name) is self:
                del _names[self.name]


class MemoryWire(asyncio.Transport):
    """One end of a connection; all but ``_arrived`` and ``_taken`` runs on its own loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._other: MemoryWire
        self._arrived: deque[bytes | None] = deque()  # None: the other side has closed
        self._started = False
        self._reading = True
        self._closing = False
        self._lost = False
        self._in_flight = 0
        self._high = HIGH_WATER
        self._paused = False

    def attach(self, other: MemoryWire) -> None:
        """Be one end of a pair."""
        self._other = other

    def start(self) -> None:
        """Tell the protocol that the connection is made, and read."""
        self._started = True
        self._protocol.connection_made(self)
        self._deliver()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        self._in_flight += len(data)
        self._send(bytes(data))
        if self._in_flight > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._send(None)
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_WATER if high is None else high

    def get_write_buffer_size(self) -> int:
        return self._in_flight

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def _send(self, data: bytes | None) -> None:
        other = self._other
        other._arrived.append(data)
        _call(other._loop, other._deliver)

    def _deliver(self) -> None:
        while self._arrived and self._started and self._reading and not self._closing:
            data = self._arrived.popleft()
            if data is None:
                self._closing = True
                self._lose(None)
                return
            self._protocol.data_received(data)
            other = self._other
            _call(other._loop, other._taken, len(data))

    def _taken(self, count: int) -> None:
        self._in_flight -= count
        if self._paused and self._in_flight <= self._high // 4:
            self._paused = False
            if not self._closing:
                self._protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(error)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: int) -> None:
    with suppress(RuntimeError):  # that loop is closed, and with it the other side
        loop.call_soon_threadsafe(function, *args)


class MemoryTransport:
    """Connections inside one process, for tests and for several stores in one program."""

    def check(self, url: str) -> None:
        _name(url)

    def is_local(self, url: str) -> bool:
        return True

    async def listen(self, url: str, factory: ProtocolFactory) -> MemoryListener:
        name = _name(url)
        listener = MemoryListener(name, factory, asyncio.get_running_loop())
        with _lock:
            if name in _names:
                raise TransportError(f"cannot listen on {url}: somebody in this process does")
            _names[name] = listener
        return listener

    async def connect(self, url: str, factory: ProtocolFactory) -> None:
        name = _name(url)
        with _lock:
            listener = _names.get(name)
        if listener is None or listener.loop.is_closed():
            raise TransportError(f"cannot connect to {url}: nobody in this process listens there")
        loop = asyncio.get_running_loop()
        near = MemoryWire(loop, factory())
        far_loop = listener.loop
        made: asyncio.Future[None] = loop.create_future()

        def accept() -> None:
            far = MemoryWire(far_loop, listener.factory())
            far.attach(near)
            near.attach(far)
            _call(loop, begin)
            far.start()

        def begin() -> None:
            if not made.done():
                made.set_result(None)

        _call(far_loop, accept)
        await made
        near.start()

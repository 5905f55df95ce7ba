"""Network cables that can be cut: loopback TCP forwarders, all in one thread.

A cable listens on a port of its own and forwards every connection to where it leads. Cutting it
resets all connections in the middle of whatever they carry, and refuses new ones, as far as its
users can tell: they are accepted and reset at once, so that the port stays ours. Every byte that
goes through is counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Cables"]

T = TypeVar("T")

_HOST = "127.0.0.1"
_CHUNK = 64 * 1024
_SECONDS = 10.0  # for what takes milliseconds


class _Cable:
    """One forwarder, used inside the loop only."""

    def __init__(self) -> None:
        self.target: int | None = None
        self.connected = False
        self.carried = 0
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            if self.connected and self.target is not None:
                there, back = await asyncio.open_connection(_HOST, self.target)
                self.writers.add(back)
                try:
                    if self.connected:
                        await asyncio.gather(self.carry(reader, back), self.carry(there, writer))
                finally:
                    self.drop(back)
        except OSError:
            pass  # nobody there, or gone: for the one who called, a connection that is lost
        finally:
            self.drop(writer)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            self.carried += len(data)  # before anybody can have it
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    def drop(self, writer: asyncio.StreamWriter) -> None:
        self.writers.discard(writer)
        writer.transport.abort()

    def cut(self) -> None:
        self.connected = False
        for writer in tuple(self.writers):
            writer.transport.abort()


class Cables:
    """All cables of the demo, by name; ``with`` runs their thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="demo-cables", daemon=True
        )
        self._cables: dict[str, _Cable] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    async def _close(self) -> None:
        for cable in self._cables.values():
            cable.cut()
            if cable.server is not None:
                cable.server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=_SECONDS / 2)

    def lay(self, name: str) -> str:
        """Make a cable that leads nowhere yet, and return the address of its near end."""
        return self._run(self._lay(name))

    async def _lay(self, name: str) -> str:
        cable = self._cables[name] = _Cable()
        cable.server = await asyncio.start_server(cable.accept, _HOST, 0)
        return f"tcp://{_HOST}:{cable.server.sockets[0].getsockname()[1]}"

    def connect(self, name: str, address: str) -> None:
        """Lead a cable to an address, and let it carry connections."""
        self._run(self._connect(name, int(address.rpartition(":")[2])))

    async def _connect(self, name: str, port: int) -> None:
        self._cables[name].target = port
        self._cables[name].connected = True

    def cut(self, name: str) -> None:
        """Cut a cable, and every connection in it."""
        self._run(self._cut(name))

    async def _cut(self, name: str) -> None:
        self._cables[name].cut()

    @property
    def carried(self) -> int:
        """How many bytes went through all cables so far, in both directions."""
        return sum(cable.carried for cable in self._cables.values())

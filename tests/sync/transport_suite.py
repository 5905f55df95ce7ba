"""The acceptance suite of a transport: subclass it, say what ``url`` is, and that is the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from sync.errors import TransportError
from sync.transports import Transport, transport_for

PATIENCE = 20.0


class Recorder(asyncio.Protocol):
    """One end of a connection: what arrived, and what happened."""

    def __init__(self) -> None:
        self.wire: asyncio.Transport
        self.data = bytearray()
        self.events: list[str] = []
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.wire = transport
        self._tell("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.data += data
        self.news.set()

    def pause_writing(self) -> None:
        self._tell("pause")

    def resume_writing(self) -> None:
        self._tell("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell("lost")

    def _tell(self, event: str) -> None:
        self.events.append(event)
        self.news.set()

    async def until(self, fits: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not fits():
                self.news.clear()
                await self.news.wait()


class TransportSuite:
    """What every transport must do."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """An address to listen on, free and of this transport."""
        raise NotImplementedError

    @pytest.fixture
    def nobody(self, tmp_path: Path) -> str:
        """An address of this transport where nobody listens."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def pair(self, url: str) -> AsyncIterator[tuple[Recorder, Recorder]]:
        """Two ends of one connection."""
        transport: Transport = transport_for(url)
        accepted: asyncio.Queue[Recorder] = asyncio.Queue()

        def accept() -> Recorder:
            far = Recorder()
            accepted.put_nowait(far)
            return far

        listener = await transport.listen(url, accept)
        near = Recorder()
        await transport.connect(listener.url, lambda: near)
        far = await asyncio.wait_for(accepted.get(), PATIENCE)
        await far.until(lambda: "made" in far.events)
        await near.until(lambda: "made" in near.events)
        try:
            yield near, far
        finally:
            await listener.close()
            for end in (near, far):
                if "lost" not in end.events:
                    end.wire.abort()
                await end.until(lambda end=end: "lost" in end.events)  # type: ignore[misc]

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        asyncio.run(test)

    def test_bytes_arrive_in_order_both_ways(self, url: str) -> None:
        """Whatever the pieces, the stream is the same at the other end."""

        async def test() -> None:
            async with self.pair(url) as (near, far):
                for number in range(100):
                    near.wire.write(bytes([number]) * 1000)
                    far.wire.write(bytes([number]))
                await far.until(lambda: len(far.data) == 100_000)
                await near.until(lambda: len(near.data) == 100)
                assert far.data == b"".join(bytes([n]) * 1000 for n in range(100))
                assert near.data == bytes(range(100))

        self.run(test())

    def test_what_was_written_before_closing_arrives(self, url: str) -> None:
        """Closing flushes, and then both ends are told, once."""

        async def test() -> None:
            async with self.pair(url) as (near, far):
                near.wire.write(b"x" * 500_000)
                near.wire.close()
                await far.until(lambda: "lost" in far.events)
                await near.until(lambda: "lost" in near.events)
                assert far.data == b"x" * 500_000
                assert far.events.count("lost") == near.events.count("lost") == 1

        self.run(test())

    def test_aborting_ends_both_ends(self, url: str) -> None:
        """An abort needs nobody’s consent."""

        async def test() -> None:
            async with self.pair(url) as (near, far):
                near.wire.abort()
                await near.until(lambda: "lost" in near.events)
                await far.until(lambda: "lost" in far.events)
                assert near.wire.is_closing()

        self.run(test())

    def test_a_reader_that_stops_stops_the_writer(self, url: str) -> None:
        """Backpressure: the writer is told to pause, and to go on when there is room again."""

        async def test() -> None:
            async with self.pair(url) as (near, far):
                far.wire.pause_reading()
                near.wire.set_write_buffer_limits(high=100_000)
                total = 0
                while "pause" not in near.events:
                    near.wire.write(b"x" * 100_000)
                    total += 100_000
                    assert total < 100_000_000
                    await asyncio.sleep(0)
                assert near.wire.get_write_buffer_size() > 0
                assert "resume" not in near.events
                far.wire.resume_reading()
                await near.until(lambda: "resume" in near.events)
                await far.until(lambda: len(far.data) == total)

        self.run(test())

    def test_connecting_to_nobody_fails_by_name(self, nobody: str) -> None:
        """The error names the address."""

        async def test() -> None:
            with pytest.raises(TransportError, match="cannot connect to"):
                await transport_for(nobody).connect(nobody, Recorder)

        self.run(test())

    def test_an_address_in_use_is_refused_by_name(self, url: str) -> None:
        """Two listeners do not share an address, and the first is not disturbed."""

        async def test() -> None:
            transport = transport_for(url)
            first = await transport.listen(url, Recorder)
            with pytest.raises(TransportError, match="cannot listen on"):
                await transport.listen(first.url, Recorder)
            near = Recorder()
            await transport.connect(first.url, lambda: near)
            await near.until(lambda: "made" in near.events)
            near.wire.abort()
            await near.until(lambda: "lost" in near.events)
            await first.close()

        self.run(test())

    def test_a_closed_listener_accepts_nobody_and_leaves_its_address_free(self, url: str) -> None:
        """Connections made before go on; the address can be listened on again."""

        async def test() -> None:
            transport = transport_for(url)
            async with self.pair(url) as (near, far):
                again = await transport.listen(url, Recorder) if url.endswith(":0") else None
                near.wire.write(b"x")
                await far.until(lambda: far.data == b"x")
                if again is not None:
                    await again.close()
            listener = await transport.listen(url, Recorder)
            await listener.close()
            with pytest.raises(TransportError):
                await transport.connect(listener.url, Recorder)

        self.run(test())

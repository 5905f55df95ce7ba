"""A network in virtual time: connections that carry chunks, late, cut up, damaged or not at all.

A connection behaves as TCP does: bytes arrive in order while it lasts; what is lost is lost with
all that follows, and the connection then breaks, at once or only when somebody's patience ends. A
connection may also be *lossy*: then whole frames are dropped, repeated and swapped, which TCP never
does, but PROTOCOL.md claims to bear. What comes of it is counted where it strikes.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Any

from sync.errors import TransportError
from sync.transports import Listener, ProtocolFactory

from .timeline import ProcessLoop, Timeline

__all__ = ["Connection", "Network", "SimulatedTransport", "Wire"]


def name_of(url: str) -> str:
    """The process that listens at ``url``."""
    return url.removeprefix("sim://")


class Wire(asyncio.Transport):
    """One end of a connection, as the link at this end sees it."""

    def __init__(self, connection: Connection, loop: ProcessLoop, owner: str) -> None:
        self.connection = connection
        self.loop = loop
        self.owner = owner
        self.protocol: asyncio.Protocol
        self.other: Wire
        self.started = False
        self.deaf = False
        """What is written here arrives nowhere any more."""
        self.lost = False
        self.in_flight = 0
        """Bytes written and not yet read at the other end."""
        self.last = 0.0
        """When the last of them arrives."""
        self._arrived: deque[bytes | None] = deque()
        self._reading = True
        self._closing = False
        self._paused = False

    # ---- asyncio.Transport ----

    def write(self, data: Any) -> None:
        if self._closing or not data:
            return
        self.in_flight += len(data)
        connection = self.connection
        if self.deaf:
            connection.network.effects["writes into nothing"] += 1
        elif connection.odd:
            connection.carry(self, data)
        else:
            network = connection.network
            at = network.timeline.now + connection.latency + network.random() * connection.jitter
            if at < self.last:
                at = self.last
            self.last = at
            network.timeline.at(at, self.other.loop, self.other.arrive, data)
        if self.in_flight > connection.high and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self.deaf:
                self._post(None)
            self.loop.call_soon(self.lose)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self.loop.call_soon(self._deliver)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The buffers of the simulated system are as large as the world wants them."""

    def get_write_buffer_size(self) -> int:
        return self.in_flight

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    # ---- arriving ----

    def start(self, protocol: asyncio.Protocol) -> None:
        """The connection is made: tell the protocol, and read."""
        self.protocol = protocol
        self.started = True
        protocol.connection_made(self)
        self._deliver()

    def arrive(self, data: bytes | None) -> None:
        """A chunk is here, or (None) the news that the other end has closed."""
        if self.lost:
            self.connection.network.timeline.steps -= 1  # nobody is there to handle it
            return
        if data is not None and not self._arrived and self.started and self._reading:
            if not self._closing:
                self._take(data)
            return
        self._arrived.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._arrived and self.started and self._reading and not self._closing:
            data = self._arrived.popleft()
            if data is None:
                self._closing = True
                self.lose()
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        network = self.connection.network
        # Not the bytes: pycrdt writes the keys of a dict in an order that no seed decides.
        network.timeline.note(len(data).to_bytes(4, "big"))
        network.chunks += 1
        if network.trace is not None:
            network.trace(f"{self.owner} gets {len(data)} bytes from {self.other.owner}")
        protocol = self.protocol
        before = protocol._frames_in  # type: ignore[attr-defined]
        protocol.data_received(data)
        frames = protocol._frames_in - before  # type: ignore[attr-defined]
        if frames > 1:
            network.timeline.steps += frames - 1
        network.frames += frames
        self.other.taken(len(data))

    def taken(self, count: int) -> None:
        """The other end has read that much."""
        self.in_flight -= count
        if self._paused and self.in_flight <= self.connection.high // 4:
            self._paused = False
            if not self._closing:
                self.protocol.resume_writing()

    def _post(self, data: bytes | None, late: float = 0.0) -> None:
        """Have it arrive at the other end, after all that is on its way there."""
        connection = self.connection
        timeline = connection.network.timeline
        self.last = max(self.last, timeline.now + connection.latency + late)
        timeline.at(self.last, self.other.loop, self.other.arrive, data)

    def lose(self) -> None:
        """The connection has ended, at this end."""
        self._closing = True
        if not self.lost:
            self.lost = True
            self.connection.network.ended(self)
            if self.started:
                self.protocol.connection_lost(None)


class Connection:
    """Two wires and the weather between them. Times in seconds, sizes in bytes."""

    def __init__(self, network: Network, latency: float, jitter: float) -> None:
        self.network = network
        self.latency = latency
        self.jitter = jitter
        self.high = network.high
        self.odd = False
        """Whether anything below is set."""
        self.rate = 0.0
        """Bytes a second that get through; 0 is any number."""
        self.chop = 0.0
        """How likely a chunk is to arrive in two."""
        self.loss = 0.0
        """How likely a frame is to be dropped, and to be repeated, and to be swapped."""
        self.spike = 0.0
        """How much later the next chunk arrives."""
        self.flip = False
        """Whether a byte of the next chunk is to be damaged."""
        self.cut = False
        """Whether the connection breaks in the middle of the next chunk."""
        self.wires: tuple[Wire, Wire]

    def weather(self) -> None:
        """Something above was set."""
        self.odd = bool(self.rate or self.chop or self.loss or self.spike or self.flip or self.cut)

    def calm(self) -> None:
        """Good weather from now on."""
        self.rate = self.chop = self.loss = self.spike = 0.0
        self.flip = self.cut = self.odd = False

    def sever(self, *, silently: bool) -> None:
        """Break it; ``silently`` so that neither end is told."""
        for wire in self.wires:
            wire.deaf = True
            if not silently:
                self.network.timeline.at(
                    self.network.timeline.now + self.latency, wire.loop, wire.lose
                )

    def carry(self, wire: Wire, data: bytes) -> None:
        """Send a chunk through whatever weather there is."""
        network = self.network
        random, effects = network.random, network.effects
        late = random() * self.jitter
        if self.spike:
            late += self.spike
            self.spike = 0.0
            effects["chunks delayed"] += 1
        if self.flip:
            self.flip = False
            damaged = bytearray(data)
            damaged[int(random() * len(data))] ^= 1 << int(random() * 8)
            data = bytes(damaged)
            effects["bytes damaged"] += 1
        if self.loss:
            data = self._lossy(wire, data)
        if self.rate:
            now = network.timeline.now
            wire.last = max(wire.last, now + self.latency) + len(data) / self.rate
        if self.cut:
            self.cut = False
            effects["cut in a frame"] += 1
            wire._post(data[: 1 + int(random() * (len(data) - 1))], late)
            self.sever(silently=False)
            return
        self.weather()
        if self.chop and len(data) > 1 and random() < self.chop:
            at = 1 + int(random() * (len(data) - 1))
            wire._post(data[:at], late)
            data = data[at:]
        if data:
            wire._post(data, late)

    def _lossy(self, wire: Wire, data: bytes) -> bytes:
        random, effects, loss = self.network.random, self.network.effects, self.loss
        frames: list[bytes] = []
        at = 0
        while at < len(data):
            end = at + 12 + int.from_bytes(data[at : at + 4], "big")
            frame = data[at:end]
            at = end
            chance = random()
            if chance < loss:
                effects["frames dropped"] += 1
                wire.in_flight -= len(frame)
                continue
            frames.append(frame)
            if chance < 2 * loss:
                effects["frames repeated"] += 1
                wire.in_flight += len(frame)
                frames.append(frame)
            elif chance < 3 * loss and len(frames) > 1:
                effects["frames swapped"] += 1
                frames[-1], frames[-2] = frames[-2], frames[-1]
        return b"".join(frames)


class _Listener:
    """A process that accepts connections."""

    def __init__(self, network: Network, owner: str, loop: ProcessLoop, make: Any) -> None:
        self.network = network
        self.owner = owner
        self.loop = loop
        self.factory: ProtocolFactory = make

    @property
    def url(self) -> str:
        return f"sim://{self.owner}"

    async def close(self) -> None:
        if self.network.listeners.get(self.owner) is self:
            del self.network.listeners[self.owner]


class Network:
    """Who listens, who is connected, and who cannot reach whom."""

    def __init__(self, timeline: Timeline, rng: Random, effects: Counter[str]) -> None:
        self.timeline = timeline
        self.rng = rng
        self.random = rng.random
        self.effects = effects
        self.trace: Callable[[str], None] | None = None
        self.chunks = self.frames = 0
        self.high = 1 << 16
        self.latency = (0.001, 0.02)
        self.chop = 0.0
        self.listeners: dict[str, _Listener] = {}
        self.owners: dict[ProcessLoop, str] = {}
        self.connections: dict[Connection, None] = {}
        self.apart: frozenset[str] = frozenset()
        """Who is on the one side of a partition; all others are on the other."""

    def divided(self, one: str, other: str) -> bool:
        """Whether a partition lies between two processes."""
        return (one in self.apart) is not (other in self.apart)

    def split(self, apart: frozenset[str]) -> None:
        """Let nothing through between ``apart`` and the others, until ``heal``."""
        self.apart = apart
        for connection in self.connections:
            one, two = connection.wires
            if self.divided(one.owner, two.owner):
                connection.sever(silently=True)

    def heal(self) -> None:
        """End a partition. What it severed stays severed, until the ends notice."""
        self.apart = frozenset()

    def ended(self, wire: Wire) -> None:
        """A wire is gone; the connection is, when both are."""
        other = wire.other
        if other.lost or not other.started or other.loop.is_closed():
            self.connections.pop(wire.connection, None)

    def died(self, loop: ProcessLoop, *, silently: bool) -> None:
        """A process is gone. Its machine says so to the others, unless that is gone too."""
        owner = self.owners.pop(loop, None)
        if owner is not None and owner in self.listeners and self.listeners[owner].loop is loop:
            del self.listeners[owner]
        for connection in list(self.connections):
            if any(wire.loop is loop for wire in connection.wires):
                connection.sever(silently=silently)
                for wire in connection.wires:
                    if wire.loop is loop:
                        wire.lost = wire._closing = True
                        self.ended(wire)

    # ---- the transport ----

    async def listen(self, url: str, factory: ProtocolFactory) -> Listener:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        listener = _Listener(self, name_of(url), loop, factory)
        self.listeners[listener.owner] = listener
        return listener

    async def connect(self, url: str, factory: ProtocolFactory) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        owner, name = self.owners[loop], name_of(url)
        low, high = self.latency
        latency = low + self.random() * (high - low)
        await asyncio.sleep(latency)
        if self.divided(owner, name):
            await asyncio.sleep(1.0)
            raise TransportError(f"cannot connect to {url}: no route")
        listener = self.listeners.get(name)
        if listener is None:
            raise TransportError(f"cannot connect to {url}: refused")
        connection = Connection(self, latency, latency / 2)
        connection.chop = self.chop
        connection.weather()
        near = Wire(connection, loop, owner)
        far = Wire(connection, listener.loop, name)
        near.other, far.other = far, near
        connection.wires = (near, far)
        self.connections[connection] = None
        made = loop.create_future()

        def accept() -> None:
            if not near.lost and self.listeners.get(name) is listener:
                far.start(listener.factory())
                self.timeline.at(self.timeline.now + latency, loop, begin)

        def begin() -> None:
            if not made.done():
                made.set_result(None)

        self.timeline.at(self.timeline.now + latency, listener.loop, accept)
        try:
            protocol = factory()
            await made
            if near.lost:  # broken while it was made
                raise TransportError(f"cannot connect to {url}: reset")
        except BaseException:
            if not near.lost:
                near.close()
            raise
        near.start(protocol)


class SimulatedTransport:
    """``sim://name``: the transport that ``sync`` is given; ``network`` is the present world's."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def check(self, url: str) -> None:
        assert url.startswith("sim://")

    def is_local(self, url: str) -> bool:
        return True

    async def listen(self, url: str, factory: ProtocolFactory) -> Listener:
        return await self.network.listen(url, factory)

    async def connect(self, url: str, factory: ProtocolFactory) -> None:
        await self.network.connect(url, factory)

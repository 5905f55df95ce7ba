"""Somebody who connects and does not speak the protocol, or who speaks it and has no token."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from sync.frames import Greet, Proof
from sync.limits import Limits
from sync.wire import Encoder

from .network import Connection, Network, Wire
from .timeline import new_loop

__all__ = ["Stranger"]


class Stranger(asyncio.Protocol):
    """Connects to a listener, sends something, and hangs up or does not."""

    def __init__(self, network: Network, listener: Any, rng: Random) -> None:
        self.network = network
        self.listener = listener
        self.rng = rng
        self.wire: Wire
        self._frames_in = 0

    def call(self) -> None:
        """Connect."""
        network, listener = self.network, self.listener
        loop = new_loop(network.timeline)
        connection = Connection(network, network.latency[0], network.latency[1])
        near, far = Wire(connection, loop, "stranger"), Wire(connection, listener.loop, "?")
        near.other, far.other = far, near
        connection.wires = (near, far)
        network.connections[connection] = None
        self.wire = near
        far.owner = listener.owner

        def accept() -> None:
            far.start(listener.factory())

        network.timeline.at(network.timeline.now, listener.loop, accept)
        near.start(self)
        near.write(self._words())
        if self.rng.random() < 0.7:
            network.timeline.at(network.timeline.now + self.rng.random(), loop, near.close)

    def _words(self) -> bytes:
        rng = self.rng
        greeting = b"".join(Encoder(Limits().part_bytes).encode(Greet((1,), rng.randbytes(32))))
        match rng.randrange(4):
            case 0:
                return rng.randbytes(rng.randrange(1, 200))
            case 1:
                return greeting + rng.randbytes(rng.randrange(1, 200))
            case 2:
                proof = Encoder(Limits().part_bytes).encode(Proof(rng.randbytes(32)))
                return greeting + b"".join(proof)
            case _:
                return greeting[: rng.randrange(1, len(greeting))]

    def data_received(self, data: bytes) -> None:
        """Whatever they say."""

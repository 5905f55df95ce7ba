"""One simulated process: a store on a file, and a peer, on an event loop of their own.

``Peer`` runs its own code, and ``Mesh`` and ``Link`` below it; only the thread that it would start
is left out: ``_run``, which that thread would run, is a task on the process's loop.
"""

from __future__ import annotations

import concurrent.futures
from asyncio import events
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sync import Peer
from sync.limits import Limits
from sync.link import Link

from .disk import Disk, File
from .stores import SimulatedStore, Stores
from .timeline import ProcessLoop

__all__ = ["Process"]


@dataclass(eq=False)
class Process:
    """A replica's place: it has a file at all times, and a store and a peer while it runs."""

    name: str
    connect: tuple[str, ...]
    file: File
    stores: Stores
    slices: list[str]
    sessions: list[str] = field(default_factory=list)
    """Those of its store, one after the other."""
    skew: int = 0
    """What its wall clock adds to virtual time, in ms."""
    sync_seconds: float = 0.005
    """How long its disk takes."""
    loop: ProcessLoop | None = None
    store: SimulatedStore | None = None
    peer: Peer | None = None
    disk: Disk | None = None
    ends: Any = None
    """The task of the peer."""
    left: tuple[str, Any] | None = None
    """Digest and state when it was closed as one should."""

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self.store is not None

    @property
    def awake(self) -> bool:
        """Whether it does anything."""
        return self.loop is not None and self.loop.held is None

    def start(
        self,
        loop: ProcessLoop,
        disk: Disk,
        limits: Limits,
        clock: Callable[[], float],
        token: Callable[[], str],
    ) -> None:
        """Open the file and begin to sync; called on ``loop``."""
        stores = self.stores
        store: SimulatedStore = stores.open(self.slices, disk, clock, token)
        disk.seen = lambda: stores.seen(store)
        peer = Peer(
            store, f"sim://{self.name}", self.connect, token="a shared secret", limits=limits
        )
        stop = loop.create_future()
        peer._state, peer._stop, peer._loop = "running", stop, loop
        self.loop, self.store, self.peer, self.disk = loop, store, peer, disk
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.ends = loop.create_task(peer._run(loop, stop, ready))

    def act(self, tell: Callable[[str], None] | None) -> None:
        """Have the store do something."""
        events._set_running_loop(self.loop)
        try:
            self.stores.act(self.store, tell)
        finally:
            events._set_running_loop(None)

    def inject(self, name: str) -> None:
        """Have the store take one more slice; what it holds of it at once, the file had."""
        self.slices = [*self.slices, name]
        self.stores.inject(self.store, name)
        seen = self.file.seen.setdefault(name, {})
        for client, clock in self.stores.seen(self.store)[name].items():
            seen[client] = max(clock, seen.get(client, 0))

    @property
    def links(self) -> list[Link]:
        """The links of its peer."""
        mesh = None if self.peer is None else self.peer._mesh
        return [] if mesh is None else mesh.links

    def gone(self) -> None:
        """The process has ended: free what it held."""
        if self.store is not None:
            self.stores.free(self.store)
        self.loop = self.store = self.peer = self.disk = self.ends = None

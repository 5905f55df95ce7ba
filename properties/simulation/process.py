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

from crdtstore import Slice, Store, configure_store
from crdtstore.actions import Action
from sync import Peer
from sync.limits import Limits
from sync.link import Link

from .disk import Disk, File, Seen
from .timeline import ProcessLoop
from .workload import LEDGER

__all__ = ["Process", "seen_by"]


def seen_by(store: Store) -> Seen:
    """For each slice, the clocks of a store's state vector."""
    return {name: dict(slot.document._clocks()) for name, slot in store._slots.items()}


@dataclass(eq=False)
class Process:
    """A replica's place: it has a file at all times, and a store and a peer while it runs."""

    name: str
    connect: tuple[str, ...]
    file: File
    slices: list[Slice[Any]]
    skew: int = 0
    """What its wall clock adds to virtual time, in ms."""
    sync_seconds: float = 0.005
    """How long its disk takes."""
    loop: ProcessLoop | None = None
    store: Store | None = None
    peer: Peer | None = None
    disk: Disk | None = None
    ends: Any = None
    """The task of the peer."""
    left: tuple[str, Any] | None = None
    """Digest and state when it was closed as one should."""
    acts: list[int] = field(default_factory=list)
    """The clock in the ledger after each action that this session did and the ledger counts."""

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
        store = configure_store(
            self.slices, storage=disk, middleware=lambda _: [], clock=clock, token=token
        )
        disk.seen = lambda: seen_by(store)
        peer = Peer(
            store, f"sim://{self.name}", self.connect, token="a shared secret", limits=limits
        )
        stop = loop.create_future()
        peer._state, peer._stop, peer._loop = "running", stop, loop
        self.loop, self.store, self.peer, self.disk = loop, store, peer, disk
        self.acts = []
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.ends = loop.create_task(peer._run(loop, stop, ready))

    def act(self, action: Action[Any], *, counted: bool) -> None:
        """Dispatch."""
        store = self.store
        assert store is not None
        events._set_running_loop(self.loop)
        try:
            store.dispatch(action)
        finally:
            events._set_running_loop(None)
        if counted:
            self.acts.append(store._slots[LEDGER].document._clocks()[store._client])

    @property
    def links(self) -> list[Link]:
        """The links of its peer."""
        mesh = None if self.peer is None else self.peer._mesh
        return [] if mesh is None else mesh.links

    def gone(self) -> None:
        """The process has ended: free what it held."""
        store = self.store
        if store is not None:
            for slot in store._slots.values():
                slot.document.close()
        self.loop = self.store = self.peer = self.disk = self.ends = None

"""Every kind of fault that happens to a world, drawn by the weights of its plan.

Each method named for a fault in ``FAULTS`` does it to one process, or to some connection, and tells
if there was anything to do it to. What lasts a while ends by itself later.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from crdtstore import ClosedError

from .checks import check_links, union
from .disk import File
from .plan import SPOILT
from .process import Process
from .promises import Promises
from .scene import Scene
from .stranger import Stranger
from .timeline import ProcessLoop

__all__ = ["Trouble"]

DAY = 24 * 60 * 60 * 1000
MOST_ROTS = 2
"""In one world, for every later opening of such a file reads it the slow way."""


class Trouble:
    """What goes wrong in one world."""

    def __init__(self, world: Scene, promises: Promises) -> None:
        self.world = world
        self.promises = promises
        self.backups: list[tuple[int, File]] = []
        self.rots = 0
        weights = {name: weight for name, weight in world.plan.weights.items() if weight}
        if world.stores.can_spoil:
            weights[SPOILT] = world.rng.choice([0.0, 2.0, 6.0])
        self._names = list(weights) or ["promise"]
        self._weights = list(weights.values()) or [1.0]

    def strike(self) -> None:
        """Do something bad, and come back for more."""
        world = self.world
        if not world.storming:
            world.timeline.steps -= 1
            return
        rng = world.rng
        world.later(rng.expovariate(1 / world.plan.fault_seconds), self.strike)
        name = rng.choices(self._names, self._weights)[0]
        process = rng.choice(world.processes)
        if getattr(self, "_" + name.replace(" ", "_"))(process):
            if name != "promise":
                world.faults[name] += 1
                world.say(f"fault: {name} ({process.name})")
        else:
            world.timeline.steps -= 1  # there was nothing to do it to
        wrong = check_links(world.processes)
        if wrong:
            world.fail(wrong)

    def _promise(self, process: Process) -> bool:
        return self.promises.ask(process)

    def _connection(self) -> Any:
        live = [c for c in self.world.network.connections if not c.wires[0].deaf]
        return self.world.rng.choice(live) if live else None

    def _broken_link(self, _: Process) -> bool:
        connection = self._connection()
        if connection is not None:
            connection.sever(silently=False)
        return connection is not None

    def _link_cut_in_a_frame(self, _: Process) -> bool:
        return self._set(cut=True)

    def _silent_link(self, _: Process) -> bool:
        connection = self._connection()
        if connection is not None:
            connection.sever(silently=True)
        return connection is not None

    def _late_chunk(self, _: Process) -> bool:
        return self._set(spike=self.world.rng.choice([0.1, 1.0, 8.0]))

    def _lossy_link(self, _: Process) -> bool:
        return self._set(loss=self.world.rng.choice([0.01, 0.05, 0.2]))

    def _slow_link(self, _: Process) -> bool:
        return self._set(rate=self.world.rng.choice([300.0, 3000.0, 30_000.0]))

    def _damaged_byte(self, _: Process) -> bool:
        return self._set(flip=True)

    def _set(self, **what: Any) -> bool:
        connection = self._connection()
        if connection is None:
            return False
        for name, value in what.items():
            setattr(connection, name, value)
        connection.weather()
        if "loss" in what or "rate" in what:
            self.world.later(self.world.rng.expovariate(0.3), connection.calm)
        return True

    def _partition(self, _: Process) -> bool:
        if self.world.network.apart:
            return False
        count = self.world.rng.randrange(1, len(self.world.processes))
        apart = self.world.rng.sample([process.name for process in self.world.processes], count)
        self.world.network.split(frozenset(apart))
        self.world.say(f"partition: {sorted(apart)}")
        self.world.later(self.world.rng.expovariate(0.3), self.world.network.heal)
        return True

    def _stranger(self, process: Process) -> bool:
        listener = self.world.network.listeners.get(process.name)
        if listener is None:
            return False
        Stranger(self.world.network, listener, self.world.rng).call()
        return True

    def _crash(self, process: Process) -> bool:
        if process.runs:
            self.world.crash(process)
            return True
        return False

    def _stop(self, process: Process) -> bool:
        """End a process as one should, and start it again some time later."""
        peer, loop, ends, store = process.peer, process.loop, process.ends, process.store
        if peer is None or loop is None or store is None or ends is None or not process.awake:
            return False
        self.world.say(f"{process.name} is stopped")
        process.ends = None
        peer.stop()

        def stopped(_: Any) -> None:
            if process.store is not store:
                return
            self.world.unspoil()
            process.left = (store.digest(), store.state)
            store.close()
            self.world.network.died(loop, silently=False)
            loop.kill()
            process.gone()
            self.world.later(self.world.rng.expovariate(0.5), self.world.start, process)

        ends.add_done_callback(stopped)
        return True

    def _pause(self, process: Process) -> bool:
        loop = process.loop
        if loop is None or not process.awake:
            return False
        loop.pause()
        self.world.later(self.world.rng.choice([0.1, 1.0, 20.0]), self._resume, loop)
        return True

    def _resume(self, loop: ProcessLoop) -> None:
        if not loop.is_closed():
            loop.resume()

    def _clock_jump(self, process: Process) -> bool:
        jump = self.world.rng.choice([DAY, -DAY, 1000, -1000, 60_000, -3_600_000, 2**53, -(2**53)])
        if abs(jump) == 2**53:
            process.skew = jump if self.world.rng.random() < 0.1 else 0
        else:
            process.skew += jump
        return True

    def _slow_disk(self, process: Process) -> bool:
        def mend() -> None:
            process.sync_seconds = self.world.plan.sync_seconds

        process.sync_seconds = self.world.rng.choice([0.1, 1.0, 10.0])
        self.world.later(self.world.rng.expovariate(0.3), mend)
        return True

    def _compaction(self, process: Process) -> bool:
        loop, store = process.loop, process.store
        if loop is None or store is None or not process.awake:
            return False
        self.world.timeline.at(self.world.timeline.now, loop, self._compact, process)
        return True

    def _compact(self, process: Process) -> None:
        store = process.store
        if store is not None:
            with suppress(ClosedError):
                store.compact()

    def _crash_in_compaction(self, process: Process) -> bool:
        disk = process.disk
        if disk is None or not process.awake:
            return False
        disk.dies_while_compacting = self.world.rng.randrange(2)
        return self._compaction(process)

    def _backup(self, process: Process) -> bool:
        if process.file.replica is None:
            return False
        self.backups = [
            *self.backups[-3:],
            (self.world.processes.index(process), process.file.copy()),
        ]
        return True

    def _restored_backup(self, _: Process) -> bool:
        if not self.backups:
            return False
        at, file = self.world.rng.choice(self.backups)
        self.world.lose(self.world.processes[at], file.copy(), "a backup is restored")
        return True

    def _cloned_file(self, process: Process) -> bool:
        other = self.world.rng.choice(self.world.processes)
        if other is process or other.file.replica is None:
            return False
        self.world.lose(
            process, other.file.copy(), f"goes on with a copy of the file of {other.name}"
        )
        return True

    def _lost_file(self, process: Process) -> bool:
        self.world.lose(process, File(), "its file is lost")
        return True

    def _rotten_record(self, process: Process) -> bool:
        """Damage a record. If others hold what it said, nothing is lost, not even what follows."""
        file = process.file
        if not file.log or self.rots >= MOST_ROTS:
            return False
        self.world.unspoil()
        if process.runs:
            self.world.crash(process)
        ranges = self.world.stores.ranges(file.rot(self.world.rng).delta)
        others = (each.file.seen for each in self.world.processes if each is not process)
        elsewhere = union(others).get(file.spoiled, {})
        if all(elsewhere.get(client, 0) >= end for client, _, end in ranges):
            self.world.owed = union((self.world.owed, file.seen))
        else:
            file.seen = {}
            self.world.owed = {}
        self.world.bereave(process)  # an acknowledgement of it may still be on its way
        process.left = None
        self.world.rotten = True
        self.rots += 1
        return True

    def _spoilt_operation(self, process: Process) -> bool:
        """Spoil what every disk holds, once in a storm: by digests it is found, and repaired."""
        world, rng = self.world, self.world.rng
        name = rng.choice(list(world.stores.slices))
        files = [each.file.seen.get(name, {}) for each in world.processes]
        least = {client: min(seen.get(client, 0) for seen in files) for client in files[0]}
        clients = sorted(client for client, clock in least.items() if clock)
        if world.spoilt or not process.runs or not clients:
            return False
        client = rng.choice(clients)
        store, clock = process.store, rng.randrange(least[client])
        world.unspoil = world.stores.spoil(store, name, client, clock)
        world.spoilt = True
        return True

    def _injected_slice(self, process: Process) -> bool:
        stores = self.world.stores
        if stores.injected in process.slices or not process.runs or not process.awake:
            return False
        process.inject(stores.injected)
        return True

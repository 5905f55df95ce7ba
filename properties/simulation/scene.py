"""What a world consists of, and how its processes start and end, as one should or otherwise.

What happens in it comes from ``world`` (life), ``trouble`` (faults) and ``promises`` (questions).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .checks import covers, lacks, union
from .disk import Disk, File, Seen
from .network import Network
from .plan import Plan
from .process import Process
from .result import Result
from .stores import Stores
from .timeline import Timeline, new_loop

__all__ = ["Scene"]

START = 1_700_000_000_000


class Scene:
    """See the module; ``make_disk`` lets tests plant a bad one."""

    def __init__(
        self,
        seed: int,
        steps: int,
        make_stores: Callable[[Random], Stores],
        *,
        trace: Callable[[str], None] | None = None,
        make_disk: type[Disk] = Disk,
    ) -> None:
        self.result = Result(seed)
        self.faults = self.result.faults
        self.rng = Random(seed)
        self.plan = plan = Plan.draw(self.rng, steps)
        self.timeline = Timeline()
        self.network = Network(self.timeline, self.rng, self.result.effects)
        self.network.high = plan.buffer_bytes
        self.network.latency = plan.latency
        self.network.chop = plan.chop
        self.stores = make_stores(self.rng)
        self.processes = [
            Process(
                name=f"p{at}",
                connect=tuple(f"sim://p{to}" for one, to in plan.links if one == at),
                file=File(),
                stores=self.stores,
                slices=list(self.stores.slices),
                sync_seconds=plan.sync_seconds,
            )
            for at in range(plan.peers)
        ]
        self.losses = 0
        """How often a file lost durable work, by restoring, cloning, or damage."""
        self.bereft: set[str] = set()
        """Sessions on files that lost durable work: what they acknowledged may be gone."""
        self.crashes = 0
        self.rotten = False
        self.owed: Seen = {}
        """What was durable in files that were damaged, and is expected back."""
        self.spoilt = False
        """Whether some store lost content in this storm, so that digests may differ."""
        self.unspoil: Callable[[], None] = lambda: None
        """Give it back, before it could be the last copy that is lost."""
        self.storming = False
        self.tokens = 0
        self._trace = trace
        self._make_disk = make_disk
        if trace is not None:
            self.network.trace = self.say

    # ---- telling ----

    def say(self, text: str) -> None:
        """Tell who reads along."""
        if self._trace is not None:
            self._trace(f"{self.timeline.steps:7} {self.timeline.now:10.4f}  {text}")

    def fail(self, what: str) -> None:
        """Something that must not be."""
        self.say(f"FAILED: {what}")
        self.result.failures.append(f"step {self.timeline.steps}: {what}")
        self.timeline.stopped = True

    def later(self, seconds: float, what: Callable[..., Any], *args: Any) -> None:
        """Have something happen to the world."""
        self.timeline.at(self.timeline.now + seconds, None, what, *args)

    # ---- processes ----

    def start(self, process: Process) -> None:
        """Start a process from its file, and look at what it holds."""
        if process.runs:
            return
        loop = new_loop(self.timeline)
        timeline, rng = self.timeline, self.rng
        self.network.owners[loop] = process.name

        def later(work: Callable[[], None]) -> None:
            seconds = process.sync_seconds * (0.5 + rng.random())
            timeline.at(timeline.now + seconds, loop, work)

        def token() -> str:
            self.tokens += 1
            return f"e{self.tokens}"

        def clock() -> float:
            return min(max(1, START + timeline.now * 1000 + process.skew), 2**53)

        file = process.file
        again, before = file.replica is not None, file.seen
        disk = self._make_disk(file, later, lambda: rng.randbytes(16).hex())
        process.start(loop, disk, self.plan.limits, clock, token)
        store = process.store
        assert store is not None
        self.result.reloads += again
        self.say(f"{process.name} starts as session {store.session} of {store.replica[:6]}")
        process.sessions.append(store.session)
        now = self.stores.seen(store)
        if file.spoiled:
            before.pop(file.spoiled, None)
            file.seen, file.spoiled = {**before, **now}, ""
        elif not covers(now, before, store.slices):
            self.fail(f"{process.name} opened without what was durable: {lacks(now, before)}")
        else:  # what was opened is durable: opening syncs what a crash left unsynced
            file.seen = union((before, now))
        if process.left is not None:
            digest, state = process.left
            if store.digest() != digest or store.state != state:
                self.fail(f"{process.name} was closed and shows something else when opened")
            process.left = None

    def kill(self, process: Process, *, silently: bool = False) -> None:
        """End a process without warning."""
        loop, disk = process.loop, process.disk
        assert loop is not None
        assert disk is not None
        lost, torn = disk.crash(self.rng)
        self.crashes += 1
        if lost:
            self.result.effects["unsynced tails lost"] += 1
        if torn:
            self.result.effects["writes torn"] += 1
            self.rotten = True
        self.network.died(loop, silently=silently)
        loop.kill()
        process.gone()

    def crash(self, process: Process) -> None:
        """End a process without warning, and start it again some time later."""
        silently = self.rng.random() < 0.3
        self.say(f"{process.name} crashes{' silently' if silently else ''}")
        self.kill(process, silently=silently)
        self.later(self.rng.expovariate(0.5), self.start, process)

    def lose(self, process: Process, file: File, why: str) -> None:
        """End a process, and go on later with another file."""
        self.unspoil()
        self.say(f"{process.name}: {why}")
        if process.runs:
            self.kill(process)
            self.later(self.rng.expovariate(0.5), self.start, process)
        process.file, process.left = file, None
        self.bereave(process)
        self.owed = {}

    def bereave(self, process: Process) -> None:
        """Its file lost durable work: promises under way are off, its sessions' word is void."""
        self.losses += 1
        self.bereft.update(process.sessions)

    def must(self) -> Seen:
        """Everything that some disk holds, or held before it was damaged to no harm."""
        return union((self.owed, *(process.file.seen for process in self.processes)))

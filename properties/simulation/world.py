"""A whole world from one seed: processes, disks and a network, and the trouble they get into.

A world storms for a while: replicas act, and faults of every kind happen. Then it is made quiet
(links up, disks fast, everybody running) and checked, and storms again. While it storms, peers are
asked for promises (``replicated``, ``synced``), and each that is given is checked on the spot
against what the disks hold. Whatever is found ends the world; the same seed finds it again.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest import mock

from sync.audit import Audit
from sync.frames import Entry, Verdict
from sync.outgoing import Outgoing

from .chance import seeded
from .checks import check_quiet, covers, is_quiet, lacks, union
from .disk import Died, Disk, File, Seen
from .network import Network, SimulatedTransport
from .plan import Plan
from .process import Process, seen_by
from .promises import Promises
from .timeline import Timeline, new_loop
from .trouble import Trouble
from .workload import INJECTED, Workload

__all__ = ["Result", "World", "simulate"]

START = 1_700_000_000_000
PATIENCE = 300.0
"""Virtual seconds in which a world without faults must become quiet."""


@dataclass(slots=True)
class Result:
    """What came of a seed."""

    seed: int
    hash: str = ""
    steps: int = 0
    cpu_seconds: float = 0.0
    virtual_seconds: float = 0.0
    actions: int = 0
    chunks: int = 0
    frames: int = 0
    syncs: int = 0
    """How many STATEs were answered."""
    reloads: int = 0
    """How often a store was opened from a file that was not new."""
    checks: int = 0
    """How often a quiet world was checked."""
    promises: int = 0
    """How many promises were given, and checked."""
    faults: Counter[str] = field(default_factory=Counter)
    """What was done to the world, by kind."""
    effects: Counter[str] = field(default_factory=Counter)
    """What came of it, by kind: one lossy link drops many frames."""
    failures: list[str] = field(default_factory=list)


class World:
    """See the module; ``make_disk`` lets tests plant a bad one."""

    def __init__(
        self,
        seed: int,
        steps: int,
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
        self.workload = Workload(self.rng)
        self.processes = [
            Process(
                name=f"p{at}",
                connect=tuple(f"sim://p{to}" for one, to in plan.links if one == at),
                file=File(),
                slices=self.workload.slices,
                sync_seconds=plan.sync_seconds,
            )
            for at in range(plan.peers)
        ]
        self.acts: dict[int, list[int]] = {}
        self.losses = 0
        """How often a file lost durable work, by restoring, cloning, or damage."""
        self.crashes = 0
        self.rotten = False
        self.owed: Seen = {}
        """What was durable in files that were damaged, and is expected back."""
        self.storming = False
        self.tokens = 0
        self._trace = trace
        self._make_disk = make_disk
        self.trouble = Trouble(self)
        self.promises = Promises(self)
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

    # ---- life ----

    def run(self) -> Result:
        """Live, and see what comes of it."""
        result, timeline, plan = self.result, self.timeline, self.plan
        began = time.process_time()
        self.say(
            f"{plan.peers} peers, links {plan.links}, an action every {plan.act_seconds} s, a "
            f"fault every {plan.fault_seconds:.2f} s, disks take {plan.sync_seconds} s"
        )
        transport = SimulatedTransport(self.network)
        with seeded(self.rng, transport, compact_after=plan.compact_after), self._watching():
            try:
                for process in self.processes:
                    self.start(process)
                for _ in range(plan.rounds):
                    self.storm(plan.round_steps)
                    if not timeline.stopped:
                        self.quiet()
                    if timeline.stopped:
                        break
            finally:
                for process in self.processes:
                    if process.runs:
                        self.kill(process)
        self.network.connections.clear()
        result.hash = timeline.hash.hexdigest()
        result.steps = timeline.steps
        result.chunks, result.frames = self.network.chunks, self.network.frames
        result.virtual_seconds = timeline.now
        result.cpu_seconds = time.process_time() - began
        return result

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Hear of alarms, errors and answers while the world lasts."""
        world = self
        judge, reply, acknowledge = Audit.judge, Outgoing._reply, Outgoing.acknowledged

        def judged(self: Audit, name: str, theirs: Entry, digest: bytes | None) -> int | None:
            verdict = judge(self, name, theirs, digest)
            if verdict is not None and verdict != Verdict.EQUAL:
                world.fail(f"a digest alarm: {name} differs at equal vectors")
            return verdict

        def replied(self: Outgoing, question: Any) -> None:
            world.result.syncs += 1
            reply(self, question)

        def acknowledged(self: Outgoing, number: int) -> None:
            acknowledge(self, number)
            world.promises.acknowledged(self)

        handler = _Listener(self)
        loggers = [logging.getLogger(name) for name in ("crdtstore", "asyncio")]
        before = [(logger.propagate, logger.level) for logger in loggers]
        for logger in loggers:
            logger.addHandler(handler)
            logger.propagate = False
            logger.setLevel(logging.ERROR)
        try:
            with (
                mock.patch.object(Audit, "judge", judged),
                mock.patch.object(Outgoing, "_reply", replied),
                mock.patch.object(Outgoing, "acknowledged", acknowledged),
            ):
                yield
        finally:
            for logger, (propagate, level) in zip(loggers, before, strict=True):
                logger.removeHandler(handler)
                logger.propagate = propagate
                logger.setLevel(level)

    def storm(self, steps: int) -> None:
        """Act and suffer for ``steps`` steps."""
        self.storming = True
        self.later(0.0, self._act)
        self.later(0.0, self.trouble.strike)
        until = self.timeline.steps + steps
        while self.timeline.steps < until and not self.timeline.stopped:
            try:
                self.timeline.run(float("inf"), until - self.timeline.steps)
            except Died as death:
                for process in self.processes:
                    if process.disk is death.disk:
                        self.crash(process)
        self.storming = False

    def later(self, seconds: float, what: Callable[..., Any], *args: Any) -> None:
        """Have something happen to the world."""
        self.timeline.at(self.timeline.now + seconds, None, what, *args)

    def _act(self) -> None:
        if not self.storming:
            self.timeline.steps -= 1
            return
        rng = self.rng
        self.later(rng.expovariate(1 / self.plan.act_seconds), self._act)
        process = self.processes[int(rng.random() ** 1.5 * len(self.processes))]
        if process.store is None or not process.awake or process.ends is None:
            self.timeline.steps -= 1
            return
        if not process.links and rng.random() < 0.8:  # alone, there is not much to be found out
            self.timeline.steps -= 1
            return
        burst = self.plan.bursts[int(rng.random() * len(self.plan.bursts))]
        self.timeline.steps += burst - 1
        self.result.actions += burst
        for _ in range(burst):
            action, counted = self.workload.action(process.store.slices)
            if self._trace is not None:
                self.say(f"{process.name} does {action.type} {action.payload!r:.60}")
            try:
                process.act(action, counted=counted)
            except Exception as error:
                self.fail(f"{process.name} dispatching {action.type}: {error!r}")

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
        self.acts[store._client] = process.acts
        self.result.reloads += again
        self.say(f"{process.name} starts as session {store.session} of {store.replica[:6]}")
        now = seen_by(store)
        if file.spoiled:
            before.pop(file.spoiled, None)
            file.seen, file.spoiled = {**before, **now}, ""
        elif not covers(now, before, store.slices):
            self.fail(f"{process.name} opened without what was durable: {lacks(now, before)}")
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
        self.say(f"{process.name}: {why}")
        if process.runs:
            self.kill(process)
            self.later(self.rng.expovariate(0.5), self.start, process)
        process.file, process.left = file, None
        self.losses += 1
        self.owed = {}

    # ---- quiet ----

    def quiet(self) -> None:
        """End all trouble, wait until everybody is in sync, and check everything."""
        self.say("quiet")
        timeline = self.timeline
        for process in self.processes:
            if process.disk is not None:
                process.disk.dies_while_compacting = None
            process.sync_seconds = self.plan.sync_seconds
            if process.loop is not None and not process.awake:
                process.loop.resume()
        self.network.heal()
        for connection in list(self.network.connections):
            connection.calm()
            if connection.wires[0].deaf:
                connection.sever(silently=False)
        timeline.run(timeline.now + self.plan.limits.linger_seconds + 1)  # who is stopping, stops
        for process in self.processes:
            self.start(process)
        if any(INJECTED in process.slices for process in self.processes):
            for process in self.processes:
                if INJECTED not in process.slices:
                    process.slices = [*process.slices, INJECTED]
                    assert process.store is not None
                    process.store.inject(INJECTED)
        until = timeline.now + PATIENCE
        why = "?"
        while why and not timeline.stopped:
            timeline.run(timeline.now + 0.5)
            why = is_quiet(self.processes, self.plan.links)
            if why and timeline.now >= until:
                self.fail(f"not quiet after {PATIENCE:.0f} s: {why}")
        if timeline.stopped:
            return
        before = [process.store.state for process in self.processes if process.store is not None]
        timeline.run(timeline.now + 1.5 * self.plan.limits.sync_seconds)
        if timeline.stopped:
            return
        after = [process.store.state for process in self.processes if process.store is not None]
        if any(a is not b for a, b in zip(before, after, strict=True)):
            self.fail("all were in sync, and one more exchange changed something")
            return
        while is_quiet(self.processes, self.plan.links) and timeline.now < until:
            timeline.run(timeline.now + 0.1)  # in the middle of one more exchange
        wrong = is_quiet(self.processes, self.plan.links) or check_quiet(
            self.processes, self.acts, self.must(), held=self.rotten or self.losses > 0
        )
        self.result.checks += 1
        self.result.reloads += len(self.processes)
        if wrong:
            self.fail(wrong)
            return
        for process in self.processes:
            assert process.store is not None
            timeline.note(process.store.digest().encode())
        self.say("all is well")

    def must(self) -> Seen:
        """Everything that some disk holds, or held before it was damaged to no harm."""
        return union((self.owed, *(process.file.seen for process in self.processes)))


class _Listener(logging.Handler):
    """Hears what the code under test says aloud."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.name == "crdtstore" and ("damaged" in text):
            return  # files are damaged on purpose
        if record.exc_info and isinstance(record.exc_info[1], Died):
            return
        why = f": {record.exc_info[1]!r}" if record.exc_info else ""
        self.world.fail(f"logged by {record.name}: {text}{why}")


def simulate(
    seed: int,
    steps: int = 12_000,
    *,
    trace: Callable[[str], None] | None = None,
    make_disk: type[Disk] = Disk,
) -> Result:
    """Run one seed; the result says what was found. Collects garbage between, not meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return World(seed, steps, trace=trace, make_disk=make_disk).run()
    finally:
        if enabled:
            gc.enable()
        gc.collect()

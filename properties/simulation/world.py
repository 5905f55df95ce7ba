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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

from sync.audit import Audit
from sync.frames import Entry, Verdict
from sync.outgoing import Outgoing

from .chance import seeded
from .checks import check_quiet, is_quiet
from .disk import Died, Disk
from .light import LightStores
from .network import SimulatedTransport
from .promises import Promises
from .real import RealStores
from .result import Result
from .scene import Scene
from .stores import Stores
from .trouble import Trouble

__all__ = ["KINDS", "World", "simulate"]

PATIENCE = 300.0
"""Virtual seconds in which a world without faults must become quiet."""


class World(Scene):
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
        super().__init__(seed, steps, make_stores, trace=trace, make_disk=make_disk)
        self.promises = Promises(self)
        self.trouble = Trouble(self, self.promises)

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
            if verdict == Verdict.UNEQUAL and world.spoilt:
                world.result.effects["digests unequal"] += 1
            elif verdict is not None and verdict != Verdict.EQUAL:
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
        tell = None if self._trace is None else lambda what: self.say(f"{process.name} does {what}")
        for _ in range(burst):
            try:
                process.act(tell)
            except Exception as error:
                self.fail(f"{process.name} acting: {error!r}")

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
        injected = self.stores.injected
        if any(injected in process.slices for process in self.processes):
            for process in self.processes:
                if injected not in process.slices:
                    process.inject(injected)
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
            self.processes, self.must(), held=self.rotten or self.losses > 0
        )
        self.result.checks += 1
        self.result.reloads += len(self.processes)
        if wrong:
            self.fail(wrong)
            return
        self.spoilt = False
        for process in self.processes:
            assert process.store is not None
            timeline.note(process.store.digest().encode())
        self.say("all is well")


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


KINDS: dict[str, Callable[[Random], Stores]] = {"real": RealStores, "light": LightStores}
"""What a world's stores can be."""


def simulate(
    seed: int,
    steps: int = 12_000,
    *,
    stores: str = "real",
    trace: Callable[[str], None] | None = None,
    make_disk: type[Disk] = Disk,
) -> Result:
    """Run one seed; the result says what was found. Collects garbage between, not meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return World(seed, steps, KINDS[stores], trace=trace, make_disk=make_disk).run()
    finally:
        if enabled:
            gc.enable()
        gc.collect()

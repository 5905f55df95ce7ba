"""The simulation for as long as one likes, on as many cores: ``python -m properties.soak``.

    python -m properties.soak --minutes 30 --seed 1 --workers 2
    python -m properties.soak --stores light     without documents: the sync layer, searched faster
    python -m properties.soak --one 12345        one seed again, with everything that happens in it

Every worker is a process of its own that takes the next seed, simulates its world and reports. The
table is printed now and then, and at the end; Ctrl-C ends early and prints it too. The exit code is
1 if any world failed. Speed is steps by the processor time of the workers: what one core does. See
``properties.simulation.timeline`` for what a step is.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import queue
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple

from properties.simulation import KINDS, Result, simulate
from properties.simulation.plan import FAULTS, HARMLESS, SPOILT

__all__ = ["Table", "main"]

STEPS = 12_000
SHOW_SECONDS = 10.0


class Report(NamedTuple):
    """What a worker says of one seed."""

    result: Result
    megabytes: int
    """The most memory that the worker has ever had."""


@dataclass
class Table:
    """Everything so far."""

    workers: int
    steps: int = STEPS
    stores: str = "real"
    began: float = field(default_factory=time.monotonic)
    seeds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    cpu_seconds: float = 0.0
    virtual_seconds: float = 0.0
    megabytes: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, report: Report) -> None:
        """Take in one seed."""
        result = report.result
        self.seeds += 1
        for name in COUNTS:
            self.counts[name] += getattr(result, name)
        self.faults.update(result.faults)
        self.effects.update(result.effects)
        self.cpu_seconds += result.cpu_seconds
        self.virtual_seconds += result.virtual_seconds
        self.megabytes = max(self.megabytes, report.megabytes)
        self.failures += [(result.seed, failure) for failure in result.failures]

    def line(self) -> str:
        """The table in one line."""
        return (
            f"{time.monotonic() - self.began:6.0f} s  {self.seeds} seeds  "
            f"{self.counts['steps']:,} steps  {self.speed:,.0f} steps/s/core  "
            f"{self.harm:,} faults  {self.counts['actions']:,} actions  "
            f"{self.counts['syncs']:,} syncs  {self.counts['reloads']:,} reloads  "
            f"{len(self.failures)} failures  {self.megabytes} MB"
        )

    @property
    def harm(self) -> int:
        """How many faults were injected."""
        return sum(count for name, count in self.faults.items() if name not in HARMLESS)

    @property
    def speed(self) -> float:
        """Steps a second of processor time."""
        return self.counts["steps"] / self.cpu_seconds if self.cpu_seconds else 0.0

    def __str__(self) -> str:
        seconds = time.monotonic() - self.began
        kinds = FAULTS.keys() | ({SPOILT} if self.stores == "light" else set())
        rows = [
            ("stores", self.stores),
            ("seeds", f"{self.seeds:,}"),
            ("steps", f"{self.counts['steps']:,}"),
            ("steps a second a core", f"{self.speed:,.0f} (of processor time)"),
            ("steps a second in all", f"{self.counts['steps'] / max(seconds, 1e-9):,.0f}"),
            ("seconds", f"{seconds:,.0f} on {self.workers} workers"),
            ("seconds simulated", f"{self.virtual_seconds:,.0f}"),
            *((COUNTS[name], f"{self.counts[name]:,}") for name in COUNTS if name != "steps"),
            ("most memory of a worker", f"{self.megabytes:,} MB"),
            ("faults injected", f"{self.harm:,}"),
            *((f"  {name}", f"{self.faults[name]:,}") for name in sorted(kinds - HARMLESS)),
            ("what came of them", ""),
            *((f"  {name}", f"{self.effects[name]:,}") for name in sorted(self.effects)),
            ("injected besides", ""),
            *((f"  {name}", f"{self.faults[name]:,}") for name in sorted(HARMLESS - {"promise"})),
            ("divergences and other failures", f"{len(self.failures):,}"),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:{width}}  {value:>14}" for name, value in rows]
        how = "" if self.stores == "real" else f" --stores {self.stores}"
        how += "" if self.steps == STEPS else f" --steps {self.steps}"
        for seed, failure in self.failures[:20]:
            lines += [
                f"  {failure}",
                f"    replay with: python -m properties.soak --one {seed}{how}",
            ]
        return "\n".join(lines)


COUNTS = {
    "steps": "steps",
    "actions": "actions dispatched",
    "frames": "frames delivered",
    "syncs": "syncs (a STATE answered)",
    "reloads": "reloads from storage",
    "checks": "quiet worlds checked",
    "promises": "promises kept",
}


def _work(next_seed: Any, results: Any, stop: Event, steps: int, stores: str) -> None:
    """One worker: a seed after the other, until it is told to stop or its parent is gone."""
    parent = multiprocessing.parent_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    gc.freeze()  # what was imported need not be looked at after each world
    while not stop.is_set() and parent is not None and parent.is_alive():
        with next_seed.get_lock():
            seed = next_seed.value
            next_seed.value += 1
        result = attempt(seed, steps, stores)
        results.put(Report(result, _megabytes()))
    if parent is None or not parent.is_alive():
        results.cancel_join_thread()  # nobody reads them any more


def attempt(seed: int, steps: int, stores: str = "real") -> Result:
    """Simulate a seed; an exception out of it is a failure like any other."""
    try:
        return simulate(seed, steps, stores=stores)
    except Exception:
        result = Result(seed)
        result.failures.append(f"raised:\n{traceback.format_exc()}")
        return result


def _megabytes() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most >> (20 if sys.platform == "darwin" else 10)


def soak(minutes: float, seed: int, workers: int, steps: int, stores: str = "real") -> Table:
    """Run for some time and return what came of it."""
    context = multiprocessing.get_context("spawn")
    next_seed = context.Value("q", seed)
    results: Any = context.Queue()
    stop = context.Event()
    table = Table(workers, steps, stores)
    started = [
        context.Process(target=_work, args=(next_seed, results, stop, steps, stores), daemon=True)
        for _ in range(workers)
    ]
    for worker in started:
        worker.start()
    until = table.began + minutes * 60
    show = table.began + SHOW_SECONDS
    try:
        while time.monotonic() < until and any(worker.is_alive() for worker in started):
            with suppress(queue.Empty):
                report = results.get(timeout=0.5)
                table.add(report)
                for failure in report.result.failures:
                    print(f"seed {report.result.seed} FAILED: {failure}", flush=True)
            if time.monotonic() >= show:
                show += SHOW_SECONDS
                print(table.line(), flush=True)
    except KeyboardInterrupt:
        print("interrupted: the worlds under way are ended", flush=True)
    stop.set()
    died = sum(worker.exitcode not in (None, 0) for worker in started)
    if died:
        table.failures.append((next_seed.value - 1, f"{died} workers died"))
    patience = time.monotonic() + 60
    while any(worker.is_alive() for worker in started) and time.monotonic() < patience:
        with suppress(queue.Empty, KeyboardInterrupt):
            table.add(results.get(timeout=0.5))
    while not results.empty():
        table.add(results.get())
    for worker in started:
        worker.terminate()
        worker.join()
    return table


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m properties.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=1.0, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the first seed")
    parser.add_argument("--workers", type=int, default=2, metavar="W")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help="of each seed")
    parser.add_argument(
        "--stores", choices=sorted(KINDS), default="real", help="what the worlds are made of"
    )
    parser.add_argument("--one", type=int, metavar="SEED", help="replay one seed, told in full")
    given = parser.parse_args(arguments)
    if given.one is not None:
        result = simulate(given.one, given.steps, stores=given.stores, trace=print)
        print(f"seed {given.one}: {result.steps} steps, hash {result.hash}")
        for failure in result.failures:
            print(f"FAILED: {failure}")
        return 1 if result.failures else 0
    table = soak(given.minutes, given.seed, given.workers, given.steps, given.stores)
    print(table)
    return 1 if table.failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""The command: run mutants, print the table and the score."""

from __future__ import annotations

import argparse
import concurrent.futures
import queue
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from properties.mutants.catalogue import GROUPS
from properties.mutants.mutant import ROOT, Group, Mutant, StaleMutantError
from properties.mutants.workbench import Outcome, Workbench

__all__ = ["chosen", "main"]

WANTED = 0.95
"""The share of mutants that must be killed"""

Job = tuple[Group, Mutant]


def chosen(names: Sequence[str]) -> list[Job]:
    """Return the mutants that go by these names or are in groups of these names; all for none.

    Raises ``KeyError`` for a name that is neither.
    """
    found: list[Job] = []
    left = set(names)
    for group in GROUPS:
        for mutant in group.mutants:
            if not names or group.name in names or mutant.name in names:
                found.append((group, mutant))
                left -= {group.name, mutant.name}
    for name in left:
        raise KeyError(name)
    return found


def sound(jobs: Iterable[Job], bench: Workbench) -> Outcome:
    """Run every test that the jobs need on the code as it is, each file once."""
    seconds = 0.0
    done: set[str] = set()
    for group in dict.fromkeys(group for group, _ in jobs):
        tests = [test for test in group.tests if test not in done]
        if tests:
            outcome = bench.run(tests)
            seconds += outcome.seconds
            if outcome.killed:
                return outcome
            done.update(tests)
    return Outcome("", seconds)


def outcomes(jobs: Sequence[Job], benches: Sequence[Workbench]) -> Iterator[tuple[Job, Outcome]]:
    """Run every mutant, on as many benches as there are; yield in the order of ``jobs``."""
    free: queue.SimpleQueue[Workbench] = queue.SimpleQueue()
    for bench in benches:
        free.put(bench)

    def run(job: Job) -> Outcome:
        group, mutant = job
        bench = free.get()
        try:
            return bench.run(group.tests, mutant)
        finally:
            free.put(bench)

    with concurrent.futures.ThreadPoolExecutor(len(benches)) as pool:
        try:
            yield from zip(jobs, pool.map(run, jobs), strict=True)
        except BaseException:  # interrupted, or a mutant that does not fit: leave at once
            pool.shutdown(wait=False, cancel_futures=True)
            for bench in benches:
                bench.stop()
            raise


def row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a line of the table."""
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def report(jobs: Sequence[Job], benches: Sequence[Workbench]) -> bool:
    """Run the mutants and print the table, a row as soon as it is known; tell if it is enough."""
    began = time.monotonic()
    widths = [max(len(m.name) for _, m in jobs), max(len(m.module) for _, m in jobs)]
    widths += [max(len(m.broken) for _, m in jobs), 7, 0]
    print(row(("mutant", "module", "what is broken", "seconds", "killed by"), widths))
    print(row(("-" * widths[0], "-" * widths[1], "-" * widths[2], "-" * 7, "-" * 9), widths))
    killed = 0
    survivors: list[Mutant] = []
    for (_, mutant), outcome in outcomes(jobs, benches):
        killed += outcome.killed
        if not outcome.killed:
            survivors.append(mutant)
        verdict = outcome.killer or "SURVIVED"
        seconds = f"{outcome.seconds:7.1f}"
        cells = (mutant.name, mutant.module, mutant.broken, seconds, verdict)
        print(row(cells, widths), flush=True)
    for mutant in survivors:
        print(f"survived: {mutant.name}: {mutant.survives or 'a test is missing'}")
    share = killed / len(jobs)
    took = time.monotonic() - began
    print(f"score: {killed} of {len(jobs)} killed, {share:.1%}, in {took:.0f} s")
    return share >= WANTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run.

    The exit code is 0 if enough mutants were killed, 1 if not, and 2 if that cannot be said: the
    tests fail on sound code, or a mutant does not fit the sources.
    """
    parser = argparse.ArgumentParser(
        prog="python -m properties.mutants",
        description="Run the tests against deliberately broken variants of the code.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants or groups; default: all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be 1 or more")
    try:
        jobs = chosen(options.names)
    except KeyError as error:
        parser.error(f"no mutant and no group is called {error}; --list shows what there is")
    if options.list:
        for group, mutant in jobs:
            print(f"{group.name:10}{mutant.name:42}{mutant.module:30}{mutant.broken}")
        return 0
    try:
        for _, mutant in jobs:
            mutant.applied((ROOT / mutant.path).read_text(encoding="utf-8"))
    except StaleMutantError as error:
        print(error)
        return 2
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    benches: list[Workbench] = []
    try:
        for _ in range(min(options.jobs, len(jobs))):
            benches.append(Workbench())
        first = sound(jobs, benches[0])
        if first.killed:
            print(first.output)
            print(f"the tests must pass on sound code first, and do not: {first.killer}")
            return 2
        print(f"sound code: all tests pass, in {first.seconds:.0f} s\n", flush=True)
        return 0 if report(jobs, benches) else 1
    finally:
        for bench in benches:
            bench.close()
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())

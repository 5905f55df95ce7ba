"""Whole worlds of stores, peers, disks and networks converge; worlds with a planted bug do not.

``properties.soak`` runs many more of them for as long as one likes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

import pytest
from hypothesis import settings

from crdtstore import Store
from crdtstore.storage import Record, Storage
from crdtstore.storage.acceptance import StorageAcceptance
from properties import soak
from properties.simulation import Result, simulate
from properties.simulation.disk import Disk, File
from properties.simulation.timeline import Timeline, new_loop
from sync.frames import Delta
from sync.incoming import Incoming

QUICK = settings.default is not None and settings.default.max_examples <= 100
SEEDS = range(1, 5 if QUICK else 41)
STEPS = 3_000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_in_trouble_converges_and_keeps_its_promises(seed: int) -> None:
    """After a storm of faults all replicas are equal, and nothing that was durable is lost."""
    result = simulate(seed, STEPS)
    replay = f"python -m properties.soak --one {seed} --steps {STEPS}"
    assert result.failures == [], f"replay with: {replay}"
    assert result.checks == 2
    assert result.actions


def test_all_kinds_of_faults_happen() -> None:
    """A few worlds together see crashes, torn connections, lost frames and clocks that jump."""
    found: set[str] = set()
    for seed in range(60, 65):
        result = simulate(seed, STEPS)
        found |= result.faults.keys() | result.effects.keys()
    assert {"crash", "broken link", "clock jump", "late chunk", "writes into nothing"} <= found


def test_a_seed_is_a_whole_history() -> None:
    """One seed gives one trace, twice in a process and in processes with other hash seeds."""
    expected = simulate(7, STEPS)
    assert simulate(7, STEPS).hash == expected.hash != simulate(8, STEPS).hash
    program = f"from properties.simulation import simulate; print(simulate(7, {STEPS}).hash)"
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == expected.hash


def first_failure(seeds: range, make_disk: type[Disk] = Disk) -> str:
    """What the first of these worlds that fails has to say."""
    for seed in seeds:
        failures = simulate(seed, STEPS, make_disk=make_disk).failures
        if failures:
            return failures[0]
    return "nothing was found"


def test_a_link_that_swallows_deltas_is_found() -> None:
    """A receiver that counts every fifth frame without merging it breaks a promise."""
    merge = Incoming.delta

    def swallow(self: Incoming, delta: Delta) -> None:
        if delta.number == self.received + 1 and delta.number % 5 == 0:
            self._seen = max(self._seen, delta.number)
            self._count(delta.number)
        else:
            merge(self, delta)

    with mock.patch.object(Incoming, "delta", swallow):
        assert "acknowledged" in first_failure(range(1, 4))


class EagerDisk(Disk):
    """A disk that calls durable what it has only been given."""

    @property
    def durable_seq(self) -> int:
        return self._seq

    def append(self, records: object) -> int:
        seq = super().append(records)  # type: ignore[arg-type]
        self._listeners.tell(lambda: self._seq)
        return seq


def test_a_disk_that_lies_about_durability_is_found() -> None:
    """What was acknowledged is looked for on the acknowledger's disk."""
    assert "acknowledged" in first_failure(range(1, 12), make_disk=EagerDisk)


class LeakyDisk(Disk):
    """A disk that forgets a record of every compaction."""

    def compact(self, upto: int, *rest: object) -> object:  # type: ignore[override]
        done = super().compact(upto, *rest)  # type: ignore[arg-type]
        for name, snapshot in self.file.snapshots.items():
            if name == "ledger":
                self.file.snapshots[name] = type(snapshot)(upto, 0, b"\x00\x00")
        return done


def test_a_compaction_that_loses_work_is_found() -> None:
    """What a file should hold is compared with what it opens with."""
    assert first_failure(range(1, 12), make_disk=LeakyDisk) != "nothing was found"


def test_a_digest_that_differs_without_a_cause_is_found() -> None:
    """A false alarm is a failure like a missed one."""
    digests = Store.digests

    def odd(self: Store) -> dict[str, bytes]:
        found = digests(self)
        return {**found, "notes": found["notes"][:15] + self.session[-1].encode()}

    with mock.patch.object(Store, "digests", odd):
        assert "a digest alarm" in first_failure(range(1, 3))


class TestDisk(StorageAcceptance):
    """The simulated disk is a storage like any other."""

    files: dict[Path, File]

    @pytest.fixture(autouse=True)
    def _no_files(self) -> None:
        self.files = {}

    def storage(self, place: Path) -> Storage:
        """A disk that syncs at once."""
        names = iter(range(len(self.files), 1000))
        file = self.files.setdefault(place, File())
        return Disk(file, lambda work: work(), lambda: f"replica {next(names)}")


def test_a_crash_keeps_a_prefix_of_what_was_appended() -> None:
    """What was synced is there, what was not may be, and a torn record is quarantined."""
    torn = 0
    for seed in range(200):
        timeline, rng = Timeline(), Random(seed)
        file = File()
        later = partial(timeline.at, 1.0, None)
        disk = Disk(file, later, lambda: "r")
        disk.open()
        batches = [[Record("a", b"%d" % n, b""), Record("b", b"%d" % n, b"")] for n in range(8)]
        for batch in batches[:3]:
            disk.append(batch)
        timeline.run(2.0)
        assert disk.durable_seq == 6
        for batch in batches[3:]:
            disk.append(batch)
        disk.crash(rng)
        opened = Disk(file, lambda work: None, lambda: "").open()
        found = [record for _, record in opened.records]
        assert found == [r for batch in batches for r in batch][: len(found)]
        assert len(found) >= 6
        assert len(found) % 2 == 0
        assert len(opened.quarantined) in (0, 2)
        torn += bool(opened.quarantined)
    assert 0 < torn < 100


def test_a_killed_process_does_nothing_more() -> None:
    """Neither timers nor callbacks nor coroutines of a dead process run."""
    timeline = Timeline()
    loop = new_loop(timeline)
    heard: list[str] = []
    loop.call_later(1.0, heard.append, "late")
    loop.call_soon(heard.append, "soon")
    loop.kill()
    loop.call_soon(heard.append, "after")
    timeline.run(10.0)
    assert heard == []
    assert timeline.steps == 0


def test_a_paused_process_catches_up() -> None:
    """What should have happened meanwhile happens when it goes on, in order."""
    timeline = Timeline()
    loop = new_loop(timeline)
    heard: list[int] = []
    loop.call_later(1.0, heard.append, 1)
    loop.call_later(2.0, heard.append, 2)
    loop.pause()
    timeline.run(5.0)
    assert heard == []
    loop.resume()
    timeline.run(5.0)
    assert heard == [1, 2]


def test_the_table_names_the_seed_of_a_failure() -> None:
    """Whoever reads the table can replay what failed, with one line."""
    table = soak.Table(1)
    result = Result(17, steps=100, cpu_seconds=0.01, failures=["step 5: it broke"])
    table.add(soak.Report(result, 50))
    assert "python -m properties.soak --one 17" in str(table)
    assert "10,000" in str(table)
    assert soak.main(["--one", "3", "--steps", "200"]) == 0

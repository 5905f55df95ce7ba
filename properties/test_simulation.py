"""Whole worlds of stores, peers, disks and networks converge; worlds with a planted bug do not.

``properties.soak`` runs many more of them for as long as one likes.
"""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from types import CodeType, FunctionType
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings

from crdtstore import Store
from crdtstore.replication import Merged
from crdtstore.storage import Record, Storage
from crdtstore.storage.acceptance import StorageAcceptance
from properties import soak
from properties.mutants.mutant import ROOT, Mutant
from properties.mutants.of_sync import GROUP
from properties.simulation import Result, simulate
from properties.simulation.disk import Disk, File
from properties.simulation.light_store import LightSlot, LightStore
from properties.simulation.operations import operation, read, write
from properties.simulation.plan import FAULTS, SPOILT
from properties.simulation.timeline import Timeline, new_loop
from sync.frames import Delta
from sync.incoming import Incoming

QUICK = settings.default is not None and settings.default.max_examples <= 100
SEEDS = range(1, 5 if QUICK else 41)
STEPS = 3_000
NOTHING = "nothing was found"


KINDS = pytest.mark.parametrize("stores", ["real", "light"])


@KINDS
@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_in_trouble_converges_and_keeps_its_promises(seed: int, stores: str) -> None:
    """After a storm of faults all replicas are equal, and nothing that was durable is lost."""
    result = simulate(seed, STEPS, stores=stores)
    replay = f"python -m properties.soak --one {seed} --stores {stores} --steps {STEPS}"
    assert result.failures == [], f"replay with: {replay}"
    assert result.checks == 2
    assert result.actions


def test_many_faults_happen() -> None:
    """A few worlds together see crashes, torn connections, lost frames and clocks that jump."""
    found: set[str] = set()
    for seed in range(60, 65):
        result = simulate(seed, STEPS)
        found |= result.faults.keys() | result.effects.keys()
    assert {"crash", "broken link", "clock jump", "late chunk", "writes into nothing"} <= found


def test_all_kinds_of_faults_happen_to_light_worlds() -> None:
    """Some light worlds together see every kind of fault, and come to no harm."""
    wanted = {
        *FAULTS,
        SPOILT,
        "digests unequal",
        "frames dropped",
        "frames repeated",
        "unsynced tails lost",
    } - {"promise"}
    found: set[str] = set()
    for seed in range(101, 141):
        result = simulate(seed, STEPS, stores="light")
        assert result.failures == []
        found |= result.faults.keys() | result.effects.keys()
        if wanted <= found:
            break
    assert wanted <= found


@KINDS
def test_a_seed_is_a_whole_history(stores: str) -> None:
    """One seed gives one trace, twice in a process and in processes with other hash seeds."""
    expected = simulate(7, STEPS, stores=stores)
    assert simulate(7, STEPS, stores=stores).hash == expected.hash
    assert simulate(8, STEPS, stores=stores).hash != expected.hash
    program = f"simulate(7, {STEPS}, stores={stores!r}).hash"
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", f"from properties.simulation import simulate; print({program})"],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == expected.hash


def first_failure(seeds: range, make_disk: type[Disk] = Disk, stores: str = "real") -> str:
    """What the first of these worlds that fails has to say."""
    for seed in seeds:
        failures = simulate(seed, STEPS, stores=stores, make_disk=make_disk).failures
        if failures:
            return failures[0]
    return NOTHING


@KINDS
def test_a_link_that_swallows_deltas_is_found(stores: str) -> None:
    """A receiver that counts every fifth frame without merging it breaks a promise."""
    merge = Incoming.delta

    def swallow(self: Incoming, delta: Delta) -> None:
        if delta.number == self.received + 1 and delta.number % 5 == 0:
            self._seen = max(self._seen, delta.number)
            self._count(delta.number)
        else:
            merge(self, delta)

    with mock.patch.object(Incoming, "delta", swallow):
        assert "acknowledged" in first_failure(range(1, 8), stores=stores)


class EagerDisk(Disk):
    """A disk that calls durable what it has only been given."""

    @property
    def durable_seq(self) -> int:
        return self._seq

    def append(self, records: object) -> int:
        seq = super().append(records)  # type: ignore[arg-type]
        self._listeners.tell(lambda: self._seq)
        return seq


@KINDS
def test_a_disk_that_lies_about_durability_is_found(stores: str) -> None:
    """What was acknowledged is looked for on the acknowledger's disk."""
    assert "acknowledged" in first_failure(range(1, 12), EagerDisk, stores)


class LeakyDisk(Disk):
    """A disk that forgets a record of every compaction."""

    def compact(self, upto: int, *rest: object) -> object:  # type: ignore[override]
        done = super().compact(upto, *rest)  # type: ignore[arg-type]
        for name, snapshot in self.file.snapshots.items():
            if name == "ledger":
                self.file.snapshots[name] = type(snapshot)(upto, 0, b"\x00\x00")
            elif name == "a":  # of a light store
                self.file.snapshots[name] = type(snapshot)(upto, 0, b"")
        return done


@KINDS
def test_a_compaction_that_loses_work_is_found(stores: str) -> None:
    """What a file should hold is compared with what it opens with."""
    assert first_failure(range(1, 12), LeakyDisk, stores) != NOTHING


def test_a_digest_that_differs_without_a_cause_is_found() -> None:
    """A false alarm is a failure like a missed one."""
    digests = Store.digests

    def odd(self: Store) -> dict[str, bytes]:
        found = digests(self)
        return {**found, "notes": found["notes"][:15] + self.session[-1].encode()}

    with mock.patch.object(Store, "digests", odd):
        assert "a digest alarm" in first_failure(range(1, 3))


def test_a_light_store_that_answers_incompletely_is_found() -> None:
    """Who always keeps something back is never in sync."""
    since = LightSlot.since

    def less(self: LightSlot, theirs: Any) -> bytes:
        found = since(self, theirs)
        return found[: -len(read(found)[-1].data)] if found and theirs else found

    with mock.patch.object(LightSlot, "since", less):
        assert first_failure(range(1, 4), stores="light") != NOTHING


def test_a_light_store_that_spoils_what_it_merges_is_found() -> None:
    """The digests of replicas that hold other bytes for the same place differ."""
    take = LightSlot._take

    def spoil(self: LightSlot, delta: bytes, ops: Any, **how: Any) -> Any:
        if len(ops) == 1 and ops[0].clock % 50 == 49:
            client, clock, needs, _, _ = ops[0]
            ops = [operation(write(client, clock, needs, b"spoilt"))]
        return take(self, delta, ops, **how)

    with mock.patch.object(LightSlot, "_take", spoil):
        assert "a digest alarm" in first_failure(range(1, 4), stores="light")


def test_light_stores_hold_what_lacks_something() -> None:
    """A delta with a gap before it, or without what it needs, waits, and is not lost."""
    first, second, third = (write(7, clock, (0, 0), b"x") for clock in range(3))
    other = write(9, 0, (7, 2), b"y")
    disk = Disk(File(), lambda work: work(), lambda: "r")
    store = LightStore(["a"], storage=disk, clock=lambda: 1.0)
    told: list[Any] = []
    store.on_commit(told.append)
    for early in (other, third):
        merged = store.merge({"a": early, "b": early})
        assert merged == Merged(frozenset(), frozenset("a"), frozenset("b"))
    assert store.merge({"a": first}).changed == {"a"}
    assert [commit.deltas for commit in told] == [{"a": first}]
    assert store.merge({"a": first}) == Merged()
    assert store.merge({"a": first + second}).changed == {"a"}
    assert [commit.deltas["a"] for commit in told[1:]] == [first + second, third, other]
    assert store.deltas_since({}) == {"a": first + second + third + other}
    assert store.deltas_since(store.state_vectors()) == {}
    again = LightStore(["a"], storage=Disk(disk.file.copy(), disk._later, str), clock=lambda: 1.0)
    assert (again.state, again.digest()) == (store.state, store.digest())
    assert again.session != store.session


def codes(code: CodeType) -> Iterator[CodeType]:
    """Every function's code inside this one."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes(constant)


@contextmanager
def mistaken(mutant: Mutant) -> Iterator[None]:
    """Let the functions of a loaded module do what the mutant says."""
    module = importlib.import_module(mutant.module)
    source = mutant.applied((ROOT / mutant.path).read_text(encoding="utf-8"))
    before: list[tuple[FunctionType, CodeType]] = []
    try:
        for code in codes(compile(source, mutant.path, "exec", dont_inherit=True)):
            found: Any = module
            for name in code.co_qualname.split("."):
                found = inspect.getattr_static(found, name, None)
            found = found.fget if isinstance(found, property) else found
            if isinstance(found, FunctionType):
                before.append((found, found.__code__))
                found.__code__ = code
        yield
    finally:
        for function, code in before:
            function.__code__ = code


MUTANTS = {mutant.name: mutant for mutant in GROUP.mutants}


@pytest.mark.parametrize(
    "name",
    [
        "acked_before_durable",
        "damage_taken",
        "duplicates_are_new",
        "durable_told_after_links",
        "equal_vectors_are_equal",
        "every_link_is_the_origin",
        "one_commit_skipped",
        "repairs_are_old",
        "replicated_too_early",
    ],
)
def test_a_mistake_in_sync_is_found(name: str) -> None:
    """A few light worlds notice it, in a second or two."""
    with mistaken(MUTANTS[name]):
        assert first_failure(range(1, 31), stores="light") != NOTHING


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
    assert "python -m properties.soak --one 17\n" in f"{table}\n"
    assert "10,000" in str(table)
    table.stores = "light"
    assert "python -m properties.soak --one 17 --stores light" in str(table)
    for stores in ("real", "light"):
        assert soak.main(["--one", "3", "--steps", "200", "--stores", stores]) == 0

"""A disk: records become durable when it has got round to them, and a crash loses the rest.

``File`` is what lies on the platter, ``Disk`` one opening of it, which fits the storage port. A
crash keeps any prefix of what was appended and not yet synced, and may leave the batch after that
torn: its records are there with checksums that do not match, and are quarantined by the next
opening, as the SQLite adapter does with rows that were damaged.

When a sync begins, everything appended so far is what it will make durable. The file keeps what the
store had seen at that moment (``seen``), which is how the world knows what must never be lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

from crdtstore.errors import ClosedError, StorageCorruptError, StorageError, StorageLockedError
from crdtstore.storage import LogSize, Opened, Quarantined, Record
from crdtstore.storage.listeners import DurableListeners
from crdtstore.storage.port import further_already

__all__ = ["Died", "Disk", "File", "Seen"]

Seen: TypeAlias = dict[str, dict[int, int]]
"""For each slice, the next clock of each client."""

Later: TypeAlias = Callable[[Callable[[], None]], Any]
"""Has something called a while later: once the disk has done it."""


class Died(BaseException):
    """The process died in the middle of something; nobody in it may catch this."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk


class _Row(NamedTuple):
    seq: int
    record: Record
    check: int

    @property
    def sound(self) -> bool:
        return self.check == crc32(self.record.delta, self.seq & 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    upto: int
    generation: int
    data: bytes


def _row(seq: int, record: Record) -> _Row:
    return _Row(seq, record, crc32(record.delta, seq & 0xFFFFFFFF))


@dataclass(eq=False)
class File:
    """What is stored, in order; ``seen`` is what the store had seen that wrote the last of it."""

    replica: str | None = None
    seq: int = 0
    log: list[_Row] = field(default_factory=list)
    snapshots: dict[str, _Snapshot] = field(default_factory=dict)
    quarantine: list[Quarantined] = field(default_factory=list)
    opener: Disk | None = None
    seen: Seen = field(default_factory=dict)
    spoiled: str = ""
    """The slice of a record that was damaged since it was last opened: it holds less than that."""

    def copy(self) -> File:
        """A copy of the file, as of a backup; nobody has it open."""
        return replace(
            self,
            log=list(self.log),
            snapshots=dict(self.snapshots),
            quarantine=list(self.quarantine),
            opener=None,
            seen={name: dict(clocks) for name, clocks in self.seen.items()},
        )

    def write(self, seq: int, batch: Sequence[Record]) -> None:
        """Store a batch whose last record has number ``seq``."""
        first = seq - len(batch) + 1
        self.log += [_row(first + place, record) for place, record in enumerate(batch)]
        self.seq = seq

    def spoil(self, seq: int, batch: Sequence[Record]) -> None:
        """Store a batch torn."""
        at = len(self.log)
        self.write(seq, batch)
        self.log[at:] = [row._replace(check=row.check ^ 1) for row in self.log[at:]]

    def rot(self, rng: Random) -> Record:
        """Damage one record, and say which."""
        at = rng.randrange(len(self.log))
        self.log[at] = self.log[at]._replace(check=self.log[at].check ^ 1)
        self.spoiled = self.log[at].record.slice
        return self.log[at].record

    def settle(self) -> None:
        """What opening does: quarantine what is damaged, delete what a snapshot replaces."""
        kept: list[_Row] = []
        for row in self.log:
            snapshot = self.snapshots.get(row.record.slice)
            if not row.sound:
                reason = "the checksum does not match"
                self.quarantine.append(Quarantined(row.seq, row.record.slice, reason))
            elif snapshot is None or row.seq > snapshot.upto:
                kept.append(row)
        self.log = kept

    def records(self) -> list[tuple[int, Record]]:
        """Snapshots and log, as the port wants them."""
        return [
            *((s.upto, Record(name, s.data, b"")) for name, s in sorted(self.snapshots.items())),
            *((row.seq, row.record) for row in self.log),
        ]


class Disk:
    """One opening of a file. ``later`` is how long a sync takes; ``seen`` asks the store."""

    def __init__(self, file: File, later: Later, name: Callable[[], str]) -> None:
        self.file = file
        self.seen: Callable[[], Seen] = dict
        self.dies_while_compacting: int | None = None
        """After which of its two steps the next compaction kills the process; None lets it live."""
        self._later = later
        self._name = name
        self._lock = threading.RLock()
        self._pending: list[tuple[int, tuple[Record, ...]]] = []
        self._flushes: list[tuple[int, Future[None]]] = []
        self._seq = 0
        self._under_way: tuple[int, Seen] | None = None
        self._sizes: dict[str, list[int]] = {}
        self._listeners = DurableListeners(0)
        self._state = "new"

    # ---- the port ----

    @property
    def durable_seq(self) -> int:
        """The number of the last durable record."""
        return self.file.seq

    def open(self) -> Opened:
        """Take the file into possession and read it."""
        file = self.file
        with self._lock:
            if file.opener is not None:
                raise StorageLockedError("this file is open already, in another process")
            file.opener = self
            created = file.replica is None
            if file.replica is None:
                file.replica = self._name()
            file.settle()
            self._seq = file.seq
            self._under_way = None
            self._listeners = DurableListeners(file.seq)
            self._state = "open"
            self._measure()
            return Opened(
                replica=file.replica,
                generations={name: s.generation for name, s in sorted(file.snapshots.items())},
                records=file.records(),
                quarantined=tuple(file.quarantine),
                created=created,
            )

    def append(self, records: Iterable[Record]) -> int:
        """Queue a batch; a sync begins unless one is under way, which it then follows."""
        batch = tuple(records)
        with self._lock:
            self._check()
            if not batch:
                return self._seq
            self._seq = seq = self._seq + len(batch)
            self._pending.append((seq, batch))
            if self._under_way is None:
                self._begin()
            return seq

    def on_durable(self, callback: Callable[[int], None]) -> None:
        """Have ``callback`` told after each sync."""
        with self._lock:
            self._check()
            self._listeners.add(callback)

    def flush(self) -> Future[None]:
        """Done when what was appended so far is synced."""
        future: Future[None] = Future()
        with self._lock:
            self._check()
            if self.file.seq < self._seq:
                self._flushes.append((self._seq, future))
                return future
        future.set_result(None)
        return future

    def compact(
        self,
        upto: int,
        snapshots: Mapping[str, bytes],
        generations: Mapping[str, int] | None = None,
    ) -> Future[None]:
        """Sync, write the snapshots, delete what they replace; may die between any two of these."""
        future: Future[None] = Future()
        file = self.file
        with self._lock:
            self._check()
            if not 0 <= upto <= self._seq:
                raise ValueError(f"upto={upto}: the last record has number {self._seq}")
        self.sync()
        with self._lock:
            for name in snapshots:
                old = file.snapshots.get(name)
                if old is not None and old.upto > upto:
                    future.set_exception(StorageError(further_already(name, old.upto, upto)))
                    return future
            if self.dies_while_compacting == 0:
                raise Died(self)
            for name, data in snapshots.items():
                old = file.snapshots.get(name)
                generation = (generations or {}).get(name, old.generation if old else 0)
                file.snapshots[name] = _Snapshot(upto, generation, bytes(data))
            if self.dies_while_compacting == 1:
                raise Died(self)
            file.settle()
            self._measure()
        future.set_result(None)
        return future

    def read(self, slice: str) -> Sequence[tuple[int, Record]]:
        """One slice, with what is not yet durable."""
        with self._lock:
            self._check()
            for row in self.file.log:
                if row.record.slice == slice and not row.sound:
                    raise StorageCorruptError(f"record {row.seq} of slice {slice!r} is damaged")
            waiting = [
                (seq - len(batch) + 1 + place, record)
                for seq, batch in self._pending
                for place, record in enumerate(batch)
            ]
            return [pair for pair in (*self.file.records(), *waiting) if pair[1].slice == slice]

    def log_size(self) -> Mapping[str, LogSize]:
        """What lies in the log of what is durable."""
        with self._lock:
            self._check()
            return {name: LogSize(*size) for name, size in self._sizes.items()}

    def close(self) -> None:
        """Sync and give the file up."""
        if self._state == "open":
            self.sync()
            with self._lock:
                self._state = "closed"
                self.file.opener = None

    # ---- time ----

    def sync(self) -> None:
        """Make everything durable now."""
        while self._pending:
            if self._under_way is None:
                with self._lock:
                    self._under_way = (self._seq, self.seen())
            self._end(self._under_way)

    def _begin(self) -> None:
        self._under_way = begun = (self._seq, self.seen())
        self._later(lambda: self._end(begun))

    def _end(self, begun: tuple[int, Seen]) -> None:
        with self._lock:
            if self._under_way is not begun or self._state != "open":
                return  # somebody could not wait for it
            upto, seen = begun
            pending, sizes = self._pending, self._sizes
            done = 0
            for seq, batch in pending:
                if seq > upto:
                    break
                done += 1
                self.file.write(seq, batch)
                for name, delta, meta in batch:
                    size = sizes.setdefault(name, [0, 0])
                    size[0] += 1
                    size[1] += len(delta) + len(meta)
            del pending[:done]
            # Slices that this opening knows nothing of are in the file all the same.
            self.file.seen = {**self.file.seen, **seen}
            self._under_way = None
            if pending:
                self._begin()
        if self._listeners:
            self._listeners.tell(lambda: self.file.seq)
        while self._flushes and self._flushes[0][0] <= self.file.seq:
            self._flushes.pop(0)[1].set_result(None)

    def crash(self, rng: Random) -> tuple[int, bool]:
        """The process is gone. Returns how many batches it lost, and if one of them was torn."""
        file = self.file
        self._state = "closed"
        pending, self._pending = self._pending, []
        if file.opener is self:
            file.opener = None
        kept = rng.randint(0, len(pending))
        for seq, batch in pending[:kept]:
            file.write(seq, batch)
        torn = kept < len(pending) and rng.random() < 0.1
        if torn:
            file.spoil(*pending[kept])
        return len(pending) - kept, torn

    # ---- inside ----

    def _measure(self) -> None:
        self._sizes = {}
        for row in self.file.log:
            size = self._sizes.setdefault(row.record.slice, [0, 0])
            size[0] += 1
            size[1] += len(row.record.delta) + len(row.record.meta)

    def _check(self) -> None:
        if self._state != "open":
            if self._state == "new":
                raise StorageError("this storage was not opened yet: call open() first")
            raise ClosedError("this storage was closed: open() it again to go on")

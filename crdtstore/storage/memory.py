"""A storage in RAM: what a store without a file uses, and what tests restart stores from.

It keeps every invariant of the port except that its content dies with the object. Everything is
durable at once. After ``close`` the same object may be opened again and holds what it held, which
is how a restart is played without a file.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from crdtstore.errors import ClosedError, StorageError, StorageLockedError
from crdtstore.storage.listeners import DurableListeners
from crdtstore.storage.port import LogSize, Opened, Record, further_already

__all__ = ["MemoryStorage"]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    upto: int
    generation: int
    data: bytes


class MemoryStorage:
    """Batches in a list, nothing more, so that an append costs next to nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seq = 0
        self._batches: list[tuple[int, tuple[Record, ...]]] = []  # the number of the last, and all
        self._snapshots: dict[str, _Snapshot] = {}
        self._sizes: dict[str, list[int]] = {}  # records and bytes of each slice
        self._measured = 0  # how many batches are counted in _sizes
        self._replica: str | None = None
        self._listeners = DurableListeners(self._seq)
        self._open = False

    @property
    def durable_seq(self) -> int:
        """The number of the last record."""
        return self._seq

    def open(self) -> Opened:
        """Hand out what is held; ``StorageLockedError`` while somebody has it open."""
        with self._lock:
            if self._open:
                raise StorageLockedError(
                    "this MemoryStorage is open already: a store of its own needs a new one"
                )
            created = self._replica is None
            if self._replica is None:
                self._replica = uuid.uuid4().hex
            # Callbacks belong to one opening.
            self._listeners = DurableListeners(self._seq)
            self._open = True
            return Opened(
                replica=self._replica,
                generations={name: s.generation for name, s in sorted(self._snapshots.items())},
                records=[*self._snapshot_records(), *self._log()],
                quarantined=(),
                created=created,
            )

    def append(self, records: Iterable[Record]) -> int:
        """Keep a batch, which is durable at once, and tell the callbacks."""
        batch = tuple(records)
        with self._lock:
            if not self._open:
                raise self._refusal()
            if not batch:
                return self._seq
            self._seq = seq = self._seq + len(batch)
            self._batches.append((seq, batch))
        if self._listeners:
            self._listeners.tell(lambda: self._seq)
        return seq

    def on_durable(self, callback: Callable[[int], None]) -> None:
        """Have ``callback`` told from within ``append``."""
        with self._lock:
            if not self._open:
                raise self._refusal()
            self._listeners.add(callback)

    def flush(self) -> Future[None]:
        """Done at once."""
        with self._lock:
            if not self._open:
                raise self._refusal()
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def compact(
        self,
        upto: int,
        snapshots: Mapping[str, bytes],
        generations: Mapping[str, int] | None = None,
    ) -> Future[None]:
        """Put snapshots in place of records; done at once."""
        generations = generations or {}
        future: Future[None] = Future()
        with self._lock:
            if not self._open:
                raise self._refusal()
            if not 0 <= upto <= self._seq:
                raise ValueError(f"upto={upto}: the last record has number {self._seq}")
            for name in snapshots:
                old = self._snapshots.get(name)
                if old is not None and old.upto > upto:
                    future.set_exception(StorageError(further_already(name, old.upto, upto)))
                    return future
            for name, data in snapshots.items():
                old = self._snapshots.get(name)
                generation = generations.get(name, old.generation if old else 0)
                self._snapshots[name] = _Snapshot(upto, generation, bytes(data))
            kept = [(seq, r) for seq, r in self._log() if r.slice not in snapshots or seq > upto]
            self._batches = [(seq, (record,)) for seq, record in kept]
            self._sizes.clear()
            self._measured = 0
        future.set_result(None)
        return future

    def read(self, slice: str) -> Sequence[tuple[int, Record]]:
        """The snapshot of one slice and the records after it."""
        with self._lock:
            if not self._open:
                raise self._refusal()
            pairs = [*self._snapshot_records(), *self._log()]
            return [pair for pair in pairs if pair[1].slice == slice]

    def log_size(self) -> Mapping[str, LogSize]:
        """What lies in the log; counts only what is new since the last call."""
        with self._lock:
            if not self._open:
                raise self._refusal()
            for _, batch in self._batches[self._measured :]:
                for name, delta, meta in batch:
                    size = self._sizes.setdefault(name, [0, 0])
                    size[0] += 1
                    size[1] += len(delta) + len(meta)
            self._measured = len(self._batches)
            return {name: LogSize(*size) for name, size in self._sizes.items()}

    def close(self) -> None:
        """Let go; the content stays for another ``open``."""
        with self._lock:
            self._open = False

    def _refusal(self) -> ClosedError | StorageError:
        if self._replica is None:
            return StorageError("this storage was not opened yet: call open() first")
        return ClosedError("this storage was closed: open() it again to go on")

    def _snapshot_records(self) -> list[tuple[int, Record]]:
        return [(s.upto, Record(name, s.data, b"")) for name, s in sorted(self._snapshots.items())]

    def _log(self) -> list[tuple[int, Record]]:
        return [
            (last - len(batch) + 1 + place, record)
            for last, batch in self._batches
            for place, record in enumerate(batch)
        ]

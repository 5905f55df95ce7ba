"""What a store needs of the place that keeps it: a log of deltas, and snapshots that shorten it.

Every adapter keeps these invariants; ``acceptance`` tests them.

1. A batch given to ``append`` is stored whole or not at all, whatever dies and when.
2. Sequence numbers rise strictly, by one a record, for ever: none is given twice, not even after
   compaction, a crash and another opening. Durability follows their order: where record *n* is
   stored, so is everything before it.
3. Nothing is deleted before what replaces it is durable and was read back and verified.
4. A record that cannot be read is quarantined: kept where it can be looked at, reported by every
   opening, never dropped in silence, and never in the way of the others.
5. Opening never writes over data that it could not read, and never takes for empty or new what it
   does not understand.
6. One opener at a time; the second is refused and told who is the first.
7. A failure to write loses nothing: what was appended waits in memory, bounded, until writing
   works again, and ``flush`` says meanwhile that it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple, Protocol

__all__ = ["LogSize", "Opened", "Quarantined", "Record", "Storage"]


class Record(NamedTuple):
    """One delta of one slice; ``meta`` is whatever the store wants kept beside it."""

    slice: str
    delta: bytes
    meta: bytes


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that could not be read; its bytes are kept as far as there are any.

    ``seq`` is that of the record, of the first where there are several, and 0 where what was lost
    is no record. ``slice`` is what the damaged record says, and empty where it says nothing.
    """

    seq: int
    slice: str
    reason: str


@dataclass(frozen=True, slots=True)
class LogSize:
    """How much of one slice lies in the log after its snapshot; ``bytes`` of delta and meta."""

    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Opened:
    """What a storage held when it was opened.

    ``replica`` is its lasting name. ``records`` has for each slice the snapshot, as a record with
    empty ``meta`` under the number up to which it replaces the log, and then the rest of the log;
    all snapshots first, the log in the order of its numbers. ``generations`` has a number for each
    slice that has a snapshot. ``quarantined`` is everything in quarantine, from earlier openings
    too; ``created`` says that this opening made the storage.
    """

    replica: str
    generations: Mapping[str, int]
    records: Sequence[tuple[int, Record]]
    quarantined: tuple[Quarantined, ...]
    created: bool


class Storage(Protocol):
    """A place that keeps a store; every method may be called from any thread.

    Before ``open`` all other methods but ``close`` raise ``StorageError``, and after ``close``
    ``ClosedError``. An adapter that keeps something outside the process raises ``ForkedStoreError``
    in a process that was forked after ``open``, and touches nothing there.
    """

    @property
    def durable_seq(self) -> int:
        """The number of the last durable record; 0 where there never was one."""
        ...

    def open(self) -> Opened:
        """Take the storage into possession and read it; allowed again after ``close``.

        Raises ``StorageLockedError`` where somebody else has it, ``StorageCorruptError`` where it
        is damaged as a whole or is something else, and ``StorageError`` where it cannot be used.
        """
        ...

    def append(self, records: Iterable[Record]) -> int:
        """Queue records as one batch and return the number of the last.

        Returns at once, while they are written elsewhere. Blocks only where more is waiting to be
        written than may be, and then raises ``StorageError`` if writing does not work.
        """
        ...

    def on_durable(self, callback: Callable[[int], None]) -> None:
        """Have the number of the last durable record reported whenever it has risen.

        The callback runs on any thread, also before the ``append`` in question has returned, and
        never twice at the same time; numbers never fall. It must be quick and wait for nothing.
        What it raises is logged and hurts nobody else.
        """
        ...

    def flush(self) -> Future[None]:
        """Done when everything appended so far is durable; fails with ``StorageError``."""
        ...

    def compact(
        self,
        upto: int,
        snapshots: Mapping[str, bytes],
        generations: Mapping[str, int] | None = None,
    ) -> Future[None]:
        """Replace the records of each slice in ``snapshots`` up to number ``upto`` by its snapshot.

        ``snapshots`` must hold all of those records. ``generations`` gives a slice a new number;
        without it a slice keeps the one it has, 0 at first. Fails with ``StorageError``, also where
        a slice is compacted further already, and then the log is what it was. Raises ``ValueError``
        at once where ``upto`` was never appended.
        """
        ...

    def read(self, slice: str) -> Sequence[tuple[int, Record]]:
        """One slice as ``Opened.records`` would have it now, with what is not yet durable.

        A document that was spoilt is rebuilt from this. Raises ``StorageCorruptError`` where a
        record cannot be read: opening anew puts it into quarantine.
        """
        ...

    def log_size(self) -> Mapping[str, LogSize]:
        """How much lies in the log, per slice that has anything there; cheap, read from memory."""
        ...

    def close(self) -> None:
        """Flush and give the storage up; a second call does nothing.

        Raises ``StorageError`` where something could not be stored. The storage is then still
        open, nothing is lost yet, and ``close`` may be called again.
        """
        ...


def further_already(slice: str, upto: int, asked: int) -> str:
    """The message for a compaction that came too late."""
    return (
        f"slice {slice!r} is compacted up to record {upto} already: "
        f"a snapshot up to {asked} would lose the records between"
    )

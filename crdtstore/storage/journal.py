"""The SQL of an open file: append batches, compact, read one slice; for one thread.

A batch is one transaction together with others that wait at the same time. Compaction goes

1. insert the new snapshots and make them durable,
2. read them back through a connection of its own and compare checksums,
3. delete what they replace, and give the room back,

each in its own transaction: a crash after 1 leaves a snapshot that the next opening verifies, and a
crash before 3 leaves log that it skips and deletes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from crdtstore.errors import StorageCorruptError, StorageError
from crdtstore.storage.format import UNREADABLE, checksum, connect
from crdtstore.storage.loading import (
    Loaded,
    as_snapshot,
    delete_replaced,
    read_rows,
    restore_floor,
    snapshot_checksum,
)
from crdtstore.storage.lock import FileLock
from crdtstore.storage.port import LogSize, Record, further_already
from crdtstore.storage.writer import Batch

__all__ = ["Durability", "FileJournal", "checkpoint", "open_connection", "synchronous"]

Durability = Literal["full", "normal"]

# Rows of one INSERT. Every step of a statement lets go of the GIL, and with a busy program getting
# it back takes up to 5 ms; so a group of rows takes as few statements as it can.
_ROWS = (256, 16, 1)
_INSERT = {n: f"INSERT INTO log VALUES {', '.join(['(?, ?, ?, ?, ?)'] * n)}" for n in _ROWS}

_WAL_BYTES = 16 << 20  # the write-ahead log is cut back to this after a large transaction


class FileJournal:
    """An open, verified file, for one thread; ``sizes`` may be read from any."""

    def __init__(
        self, path: str, durability: Durability, lock: FileLock, connection: sqlite3.Connection
    ) -> None:
        self.path = path
        self.sizes: dict[str, LogSize] = {}
        self._durability = durability
        self._lock = lock
        self._connection: sqlite3.Connection | None = connection
        self._identity = os.stat(path)
        self.seq = 0
        self._upto: dict[str, int] = {}
        self._generations: dict[str, int] = {}
        self._found: dict[int, bytes] = {}  # after a failure: checksums of records above `seq`

    def begin(self, loaded: Loaded) -> None:
        """Take over what was loaded, and from now on sync as the durability asks."""
        self.seq = loaded.seq
        self._upto = {name: s.upto for name, s in loaded.snapshots.items()}
        self._generations = {name: s.generation for name, s in loaded.snapshots.items()}
        self.sizes = loaded.sizes
        synchronous(self._connected(), self._durability)

    def write(self, batches: Iterable[Batch]) -> None:
        """Store batches in one transaction; durable on return (in "normal": with the system)."""
        connection = self._connected()
        self._check_still_there()
        added: dict[str, list[int]] = {}
        names: dict[str, bytes] = {}
        values: list[object] = []
        seq = self.seq
        for last, batch, _ in batches:
            seq = last - len(batch)
            for record in batch:
                seq += 1
                slice, delta, meta = record.slice, record.delta, record.meta
                name = names.get(slice)
                if name is None:
                    name = names[slice] = slice.encode()
                    added[slice] = [0, 0]
                size = added[slice]
                size[0] += 1
                size[1] += len(delta) + len(meta)
                check = checksum(seq, name, delta, meta)
                if not self._found or not self._is_stored(seq, check):
                    values += (seq, slice, check, delta, meta)
        done, end = 0, len(values)
        with _transaction(connection):
            for rows in _ROWS:
                while end - done >= rows * 5:
                    connection.execute(_INSERT[rows], values[done : done + rows * 5])
                    done += rows * 5
        self.seq = seq
        self._found = {}
        for slice, (records, bytes) in added.items():
            old = self.sizes.get(slice, LogSize(0, 0))
            self.sizes[slice] = LogSize(old.records + records, old.bytes + bytes)

    def compact(
        self, upto: int, snapshots: Mapping[str, bytes], generations: Mapping[str, int]
    ) -> None:
        """Replace log by snapshots; see the head of this module."""
        for slice in snapshots:
            if self._upto.get(slice, 0) > upto:
                raise StorageError(further_already(slice, self._upto[slice], upto))
        connection = self._connected()
        self._check_still_there()
        chosen = {
            slice: generations.get(slice, self._generations.get(slice, 0)) for slice in snapshots
        }
        # Whatever the durability: what is about to replace the log must not be lost with the power.
        synchronous(connection, "full")
        ids: dict[str, int] = {}
        try:
            with _transaction(connection):
                for slice, data in snapshots.items():
                    check = snapshot_checksum(upto, slice.encode(), chosen[slice], data)
                    cursor = connection.execute(
                        "INSERT INTO snapshot(slice, generation, upto, checksum, data) "
                        "VALUES (?, ?, ?, ?, ?)",
                        (slice, chosen[slice], upto, check, data),
                    )
                    assert cursor.lastrowid is not None
                    ids[slice] = cursor.lastrowid
            checkpoint(connection)
            self._verify(ids, snapshots)
            with _transaction(connection):
                for slice, id in ids.items():
                    delete_replaced(connection, slice, id, upto)
                restore_floor(connection, self.seq)
        except BaseException:
            with contextlib.suppress(sqlite3.Error), _transaction(connection):
                for id in ids.values():
                    connection.execute("DELETE FROM snapshot WHERE id = ?", (id,))
            raise
        for slice in ids:
            self._upto[slice] = upto
            self._generations[slice] = chosen[slice]
        self.sizes = _measure(connection)
        with contextlib.suppress(sqlite3.Error):  # the compaction is done, this is housekeeping
            # `execute` of Python 3.11 stops after the first page.
            connection.executescript("PRAGMA incremental_vacuum")
            checkpoint(connection)
        synchronous(connection, self._durability)

    def read(self, slice: str) -> list[tuple[int, Record]]:
        """The snapshot of a slice and the records after it."""
        try:
            snapshot, records = read_rows(self._connected(), slice)
        except (*UNREADABLE, ValueError, TypeError) as error:
            raise StorageCorruptError(
                f"{self.path}: {error}. Close the store and open it again: what cannot be read "
                "is then put into quarantine"
            ) from error
        head = [(snapshot.upto, Record(slice, snapshot.data, b""))] if snapshot else []
        return head + records

    def recover(self) -> None:
        """Start anew after a failure, with a connection that knows nothing of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def close(self) -> None:
        """Close the file and let others open it."""
        try:
            self.recover()
        finally:
            self._lock.release()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._check_still_there()
            connection = open_connection(self.path, "rw")
            synchronous(connection, self._durability)
            rows = connection.execute("SELECT seq, checksum FROM log WHERE seq > ?", (self.seq,))
            self._found = dict(rows.fetchall())
            self._connection = connection
        return self._connection

    def _is_stored(self, seq: int, check: bytes) -> bool:
        """Whether a group that failed is in the file after all, as a failed sync may leave it."""
        found = self._found.get(seq)
        if found is not None and found != check:
            raise StorageError(
                f"{self.path} was written to by another process while it was open here, although "
                f"{self.path}.lock forbids it: close the store and open it again"
            )
        return found is not None

    def _check_still_there(self) -> None:
        """Writing to a deleted file succeeds, and nobody would ever see it again."""
        try:
            there = os.path.samestat(self._identity, os.stat(self.path))
        except FileNotFoundError:
            there = False
        if not there:
            raise StorageError(
                f"{self.path} was deleted, moved or replaced while it was open: "
                "put it back where it was"
            )

    def _verify(self, ids: Mapping[str, int], snapshots: Mapping[str, bytes]) -> None:
        fresh = connect(self.path, "ro")
        try:
            for slice, id in ids.items():
                row = fresh.execute(
                    "SELECT id, slice, generation, upto, checksum, data FROM snapshot WHERE id = ?",
                    (id,),
                ).fetchone()
                found = None if row is None else as_snapshot(row)
                if found is None or found.data != snapshots[slice]:
                    raise StorageError(
                        f"{self.path}: the snapshot of slice {slice!r} reads back differently than "
                        "it was written, so the log stays. Check the disk"
                    )
        finally:
            fresh.close()


def open_connection(path: str, mode: str) -> sqlite3.Connection:
    """Connect for writing; ``mode`` as in ``connect``."""
    connection = connect(path, mode)
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    return connection


def synchronous(connection: sqlite3.Connection, durability: Durability) -> None:
    """Have commits synced, or not."""
    connection.execute(f"PRAGMA synchronous = {durability.upper()}")
    # Only macOS knows it: there fsync alone leaves the data in the drive's cache.
    connection.execute(f"PRAGMA fullfsync = {'ON' if durability == 'full' else 'OFF'}")


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring everything into the file itself, synced, and empty the write-ahead log."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _measure(connection: sqlite3.Connection) -> dict[str, LogSize]:
    rows: Sequence[tuple[bytes, int, int]] = connection.execute(
        "SELECT slice, count(*), sum(length(delta) + length(meta)) FROM log GROUP BY slice"
    ).fetchall()
    return {name.decode(): LogSize(records, bytes) for name, records, bytes in rows}


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

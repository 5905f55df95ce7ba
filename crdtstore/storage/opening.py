"""Opening a file: lock it, recognise it, read it whole, put it right, and only then use it.

Nothing is written to a file before it is known to be a store. What SQLite finds damaged is rebuilt
by ``salvage``, what a checksum finds damaged is quarantined by ``loading``; what neither can read
stays as it is, and opening fails.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid

from crdtstore.errors import StorageCorruptError, StorageError
from crdtstore.storage.format import UNREADABLE, create, is_empty, probe, tables_intact
from crdtstore.storage.journal import (
    Durability,
    FileJournal,
    checkpoint,
    open_connection,
    synchronous,
)
from crdtstore.storage.loading import Loaded, load, quarantine, settle
from crdtstore.storage.lock import FileLock
from crdtstore.storage.port import Opened, Record
from crdtstore.storage.salvage import copy_aside, count_wal, rebuild, report

__all__ = ["open_journal"]


def open_journal(path: str, durability: Durability) -> tuple[FileJournal, Opened]:
    """Lock, open or create, verify and put right a file; its folder must exist.

    Raises ``StorageLockedError``, ``StorageCorruptError`` or ``StorageError``.
    """
    lock = FileLock(path)
    try:
        return _open(path, durability, lock)
    except BaseException as error:
        lock.release()
        if isinstance(error, (*UNREADABLE, OSError)) and not isinstance(error, StorageError):
            raise StorageError(f"cannot open {path}: {error}") from error
        raise


def _open(path: str, durability: Durability, lock: FileLock) -> tuple[FileJournal, Opened]:
    new = not _is_store(path)
    wal = count_wal(path)
    connection = open_connection(path, "rwc" if new else "rw")
    try:
        synchronous(connection, "full")
        # Opening may have undone a creation that was cut off.
        if created := new or is_empty(connection):
            create(connection, uuid.uuid4().hex)
        else:
            _check_tables(connection, path)
            # SQLite opens what it may not write to as well, and says so no earlier than this.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != b"wal":
            raise StorageError(f"{path} is on a file system where SQLite cannot use a WAL")
        if wal.commits:
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if unread := wal.unread(frames):
                connection = _keep_unread_wal(connection, path, unread)
        connection, loaded = _load_sound(connection, path)
        replica = loaded.replica or uuid.uuid4().hex
        settle(connection, loaded, replica)
        if loaded.needs_settling:
            checkpoint(connection)
        snapshots = sorted(loaded.snapshots.items())
        opened = Opened(
            replica=replica,
            generations={name: s.generation for name, s in snapshots},
            records=[*((s.upto, Record(name, s.data, b"")) for name, s in snapshots), *loaded.log],
            quarantined=quarantine(connection),
            created=created,
        )
        journal = FileJournal(path, durability, lock, connection)
        journal.begin(loaded)
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        raise
    return journal, opened


def _is_store(path: str) -> bool:
    """Whether there is a store already; False where one is to be made."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        status = None
    if status is None or status.st_size == 0:
        if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"):
            raise StorageCorruptError(
                f"{path} is missing or empty, but its write-ahead log {path}-wal is there, and "
                "making a new store would destroy it: put the two together again, or move the log "
                "away"
            )
        return False
    if status.st_nlink > 1:
        raise StorageError(
            f"{path} is one of {status.st_nlink} hard links to one file, and each name would have "
            "a write-ahead log of its own: make it a copy"
        )
    return probe(path)


def _check_tables(connection: sqlite3.Connection, path: str) -> None:
    try:
        trouble = "" if tables_intact(connection) else "its tables are not those of a store"
    except UNREADABLE as error:
        trouble = str(error)
    if trouble:
        raise StorageCorruptError(
            f"{path} is damaged where it says what is in it ({trouble}); it was left as it is. "
            "Restore it from a copy, or move it away to start afresh: peers send again what they "
            "have"
        )


def _load_sound(connection: sqlite3.Connection, path: str) -> tuple[sqlite3.Connection, Loaded]:
    """Load the file, after rebuilding it where SQLite finds it damaged."""
    trouble = _trouble(connection)
    if trouble is None:
        try:
            return connection, load(connection)
        except UNREADABLE as error:
            trouble = str(error)
    rebuild(connection, path, trouble)
    connection.close()
    connection = open_connection(path, "rw")
    synchronous(connection, "full")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    return connection, load(connection)


def _trouble(connection: sqlite3.Connection) -> str | None:
    """What SQLite finds wrong with the structure of the file, if anything."""
    try:
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except UNREADABLE as error:
        return str(error)
    text: str = answer.decode("utf-8", "replace")
    return None if text == "ok" else " ".join(text.split())


def _keep_unread_wal(connection: sqlite3.Connection, path: str, unread: int) -> sqlite3.Connection:
    """Keep a write-ahead log that SQLite could not read to its end, before it is written over."""
    copy = copy_aside(path)
    connection.close()
    connection = open_connection(path, "rw")
    synchronous(connection, "full")
    report(
        connection,
        f"{unread} transactions at the end of the write-ahead log could not be read: it is damaged,"
        f" or the power failed before they were durable; it is kept as {copy}-wal",
    )
    return connection

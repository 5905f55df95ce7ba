"""The SQLite file: its tables, its checksums, and how to tell it from any other file.

``log`` is only ever appended to, and shortened by compaction; ``snapshot`` has one row a slice, two
while a compaction is under way (the one with the larger ``id`` is newer); ``quarantine`` keeps what
could not be read; ``meta`` has the lasting name of the replica and the *floor*. The floor
``(seq, count)`` says that ``count`` records were left up to number ``seq`` when records were last
deleted; every number above it must be there up to the one that AUTOINCREMENT keeps in
``sqlite_sequence``, which also sees to it that no number is ever given twice. So a record that
vanished without a trace is noticed too.

Checksums are 64 bits of BLAKE2b. SQLite has none of its own, and 32 bits of CRC are too few for
damage that is not random: a torn page often holds an older, whole record.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from crdtstore.errors import StorageCorruptError, StorageError

__all__ = [
    "ALL",
    "APPLICATION_ID",
    "FORMAT",
    "IN_ORDER",
    "UNREADABLE",
    "checksum",
    "connect",
    "create",
    "is_empty",
    "last_seq",
    "probe",
    "read_floor",
    "read_meta",
    "tables_intact",
    "write_floor",
    "write_meta",
]

APPLICATION_ID = int.from_bytes(b"crdS")
FORMAT = 1

# No NOT NULL: a row that damage gave a NULL must stay readable, so that it can be quarantined.
_TABLES = {
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB, checksum BLOB) WITHOUT ROWID",
    "log": (
        "CREATE TABLE log(seq INTEGER PRIMARY KEY AUTOINCREMENT, "
        "slice TEXT, checksum BLOB, delta BLOB, meta BLOB)"
    ),
    "snapshot": (
        "CREATE TABLE snapshot(id INTEGER PRIMARY KEY, "
        "slice TEXT, generation INTEGER, upto INTEGER, checksum BLOB, data BLOB)"
    ),
    "quarantine": (
        "CREATE TABLE quarantine(id INTEGER PRIMARY KEY, "
        "seq INTEGER, slice TEXT, reason TEXT, checksum BLOB, delta BLOB, meta BLOB)"
    ),
}

# Every column of the tables with a numeric key, the key first, and every number there can be.
IN_ORDER = {
    "log": (
        "SELECT seq, slice, checksum, delta, meta FROM log WHERE seq BETWEEN ? AND ? ORDER BY seq"
    ),
    "snapshot": (
        "SELECT id, slice, generation, upto, checksum, data FROM snapshot "
        "WHERE id BETWEEN ? AND ? ORDER BY id"
    ),
    "quarantine": (
        "SELECT id, seq, slice, reason, checksum, delta, meta FROM quarantine "
        "WHERE id BETWEEN ? AND ? ORDER BY id"
    ),
}
# What reading a damaged file raises. Messages quote it, and so may be no UTF-8 themselves.
UNREADABLE = (sqlite3.Error, MemoryError, UnicodeDecodeError)

ALL = (-(1 << 63), (1 << 63) - 1)

_BLAKE2B = blake2b(digest_size=8)


def checksum(seq: int, name: bytes, first: bytes, second: bytes) -> bytes:
    """8 bytes over everything that a row says; the lengths keep its parts apart."""
    hashed = _BLAKE2B.copy()  # in half the time that making a new one takes
    hashed.update(b"%d %d %d %b%b%b" % (seq, len(name), len(first), name, first, second))
    return hashed.digest()


def connect(path: str, mode: str) -> sqlite3.Connection:
    """Open a file without changing it; ``mode`` as in SQLite's URIs: ro, rw or rwc."""
    connection = sqlite3.connect(f"{Path(path).as_uri()}?mode={mode}", uri=True)
    connection.isolation_level = None  # transactions are begun where they are needed
    connection.text_factory = bytes  # damaged text is no UTF-8
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def create(connection: sqlite3.Connection, replica: str) -> None:
    """Make an empty store of an empty database, in one transaction."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN EXCLUSIVE")
    for sql in _TABLES.values():
        connection.execute(sql)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    write_meta(connection, "replica", replica.encode())
    write_floor(connection, 0, 0)
    connection.execute("COMMIT")


def probe(path: str) -> bool:
    """Whether a file that exists is a store, by its first page alone; False where it is empty.

    Raises ``StorageCorruptError`` where it is something else and ``StorageError`` where a newer
    version wrote it. Nothing is written, locked or created, so nobody else's file is disturbed.
    """
    try:
        application, version, tables = _first_page(path, "ro&immutable=1")
    except UNREADABLE as error:
        refusal = StorageCorruptError(
            f"{path} is not a store, or its first page is damaged ({error}); it was left as it is. "
            "Choose another path, or restore the file from a copy"
        )
        if not os.path.exists(path + "-wal"):
            raise refusal from error
        try:
            # The power may have failed while the page was written: then the WAL still has it.
            application, version, tables = _first_page(path, "ro")
        except UNREADABLE:
            raise refusal from error
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != APPLICATION_ID:
        raise StorageCorruptError(
            f"{path} is some other program's SQLite database (application_id {application}, not "
            f"{APPLICATION_ID}); it was left as it is. Choose another path"
        )
    if version > FORMAT:
        raise StorageError(
            f"{path} has format {version}, and this version of crdtstore reads formats up to "
            f"{FORMAT}; it was left as it is. Upgrade crdtstore"
        )
    return True


def _first_page(path: str, mode: str) -> tuple[int, int, int]:
    connection = connect(path, mode)
    try:
        application, version, tables = (
            connection.execute(f"SELECT * FROM {source}").fetchone()[0]
            for source in (
                "pragma_application_id",
                "pragma_user_version",
                "(SELECT count(*) FROM sqlite_master)",
            )
        )
    finally:
        connection.close()
    return application, version, tables


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether a database has nothing in it at all."""
    try:
        (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(count == 0)
    except UNREADABLE:
        return False


def tables_intact(connection: sqlite3.Connection) -> bool:
    """Whether the tables are declared exactly as ``create`` does it."""
    found = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    return sorted(sql for (sql,) in found) == sorted(sql.encode() for sql in _TABLES.values())


def write_meta(connection: sqlite3.Connection, key: str, value: bytes) -> None:
    """Set one entry of ``meta``."""
    row = (key, value, checksum(0, key.encode(), value, b""))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", row)


def read_meta(connection: sqlite3.Connection, key: str) -> bytes | None:
    """One entry of ``meta``, or None where it is missing or damaged."""
    row = connection.execute("SELECT value, checksum FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None or not isinstance(row[0], bytes):
        return None
    return row[0] if row[1] == checksum(0, key.encode(), row[0], b"") else None


def write_floor(connection: sqlite3.Connection, seq: int, count: int) -> None:
    """Say that ``count`` records are left of all up to ``seq``."""
    write_meta(connection, "floor", b"%d %d" % (seq, count))


def read_floor(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """``(seq, count)``, or None where it is missing or damaged."""
    value = read_meta(connection, "floor")
    if value is None:
        return None
    seq, count = value.split()
    return int(seq), int(count)


def last_seq(connection: sqlite3.Connection) -> int:
    """The highest number that any record ever had, as far as the file still knows."""
    found = _integers(connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'"))
    found += _integers(connection.execute("SELECT max(seq) FROM log"))
    found += _integers(connection.execute("SELECT max(upto) FROM snapshot"))
    found += _integers(connection.execute("SELECT max(seq) FROM quarantine"))
    return max(found, default=0)


def _integers(rows: Iterable[tuple[object, ...]]) -> list[int]:
    # A damaged number may be of any type, or so large that nothing could come after it.
    return [n for (n,) in rows if isinstance(n, int) and 0 <= n < 1 << 62]

"""What is done where SQLite itself cannot read a file on: keep it, and rebuild what is readable.

The damaged file is first copied aside, byte for byte, and the copy is never touched again. Then
every row that SQLite can still reach is copied into a sound database in memory, which replaces the
content of the file through SQLite's backup: one transaction, so a crash leaves either the damaged
content or the sound one. Verifying rows, and noticing those that are gone, is left to ``loading``.

The write-ahead log needs care of its own. After a crash SQLite reads it up to the first frame whose
checksum is wrong and takes the rest for a transaction that was never finished; where the frame is
damaged and not unfinished, finished transactions lie behind it and would vanish in silence. So the
log is counted before SQLite reads it, by the marks of its own (https://sqlite.org/walformat.html).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import struct
from dataclasses import dataclass

from crdtstore.errors import StorageCorruptError
from crdtstore.storage.format import ALL, IN_ORDER, UNREADABLE, create

__all__ = ["WalCount", "copy_aside", "count_wal", "rebuild", "report"]

_WAL_HEADER = 32
_FRAME_HEADER = 24
_MOST_FAILURES = 100_000  # of reading one range; then what is left counts as unreadable


@dataclass(frozen=True, slots=True)
class WalCount:
    """The frames of a write-ahead log that end a transaction, by their numbers from 1."""

    commits: tuple[int, ...]

    def unread(self, frames: int) -> int:
        """How many transactions lie behind the frames that SQLite could read."""
        return sum(commit > frames for commit in self.commits)


def count_wal(path: str) -> WalCount:
    """Count the transactions in the write-ahead log beside ``path``, damaged ones included."""
    try:
        with open(path + "-wal", "rb") as wal:
            header = wal.read(_WAL_HEADER)
            if len(header) < _WAL_HEADER:
                return WalCount(())
            size = struct.unpack(">8xI20x", header)[0]
            # A damaged header says nothing about the page size or the salt that frames must carry.
            sound = _header_is_sound(header)
            if not sound:
                size = _page_size(path)
            if size < 512:
                return WalCount(())
            salt = header[16:24] if sound else None
            commits = []
            end = os.fstat(wal.fileno()).st_size
            frames = (end - _WAL_HEADER) // (_FRAME_HEADER + size)
            for number in range(1, frames + 1):
                wal.seek(_WAL_HEADER + (number - 1) * (_FRAME_HEADER + size))
                _, pages, frame_salt = struct.unpack(">II8s8x", wal.read(_FRAME_HEADER))
                salt = salt or frame_salt
                if pages and frame_salt == salt:
                    commits.append(number)
            return WalCount(tuple(commits))
    except FileNotFoundError:
        return WalCount(())


def copy_aside(path: str) -> str:
    """Copy a file and its write-ahead log to a new name, durably, and return the name.

    Closing the copied file drops the locks that SQLite holds on it in this process; the lock of
    ``FileLock`` keeps others away until the connection is opened anew.
    """
    number = 1
    while True:
        name = f"{path}.damaged-{number}"
        try:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            break
        except FileExistsError:
            number += 1
    shutil.copyfile(path, name)
    _sync(name)
    if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"):
        shutil.copyfile(path + "-wal", name + "-wal")
        _sync(name + "-wal")
    return name


def report(connection: sqlite3.Connection, reason: str) -> None:
    """Have every opening report damage that is not that of one record."""
    text = reason.encode("utf-8", "backslashreplace").decode()  # paths need not be UTF-8
    connection.execute("INSERT INTO quarantine(seq, slice, reason) VALUES (0, '', ?)", (text,))


def rebuild(connection: sqlite3.Connection, path: str, reason: str) -> str:
    """Replace the content of a damaged file by what is readable of it; return the copy's name.

    Raises ``StorageCorruptError``, and leaves the file alone, where no record can be read: an empty
    state must not take the place of one that is merely unreadable.
    """
    sound = sqlite3.connect(":memory:", isolation_level=None)
    connection.text_factory = _text_or_bytes  # what is text there is to be text here
    try:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        sound.execute(f"PRAGMA page_size = {page_size}")
        create(sound, "")
        sound.execute("BEGIN")
        sound.execute("DELETE FROM meta")
        for key, value, check in _rows(connection, "SELECT key, value, checksum FROM meta"):
            sound.execute("INSERT OR IGNORE INTO meta VALUES (?, ?, ?)", (key, value, check))
        sequence = _rows(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'log'")
        highest = _rows(connection, "SELECT max(seq) FROM log")
        last = max((n for (n,) in sequence + highest if isinstance(n, int)), default=0)
        found = 0
        for table in IN_ORDER:
            rows = _readable(connection, table, last if table == "log" else None)
            if table != "quarantine":
                found += len(rows)
            for row in rows.values():
                marks = ", ".join("?" * len(row))
                sound.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)
        if not found:
            raise StorageCorruptError(
                f"{path} is damaged and nothing in it can be read ({reason}); it was left as it "
                "is. Restore it from a copy, or move it away to start afresh: peers send again "
                "what they have"
            )
        sound.execute("DELETE FROM sqlite_sequence")
        sound.execute("INSERT INTO sqlite_sequence VALUES ('log', ?)", (last,))
        copy = copy_aside(path)
        report(
            sound, f"the file was damaged ({reason}) and rebuilt; as it was it is kept as {copy}"
        )
        sound.execute("COMMIT")
        sound.backup(connection)
    finally:
        connection.text_factory = bytes
        sound.close()
    return copy


def _readable(
    connection: sqlite3.Connection, table: str, last: int | None
) -> dict[int, tuple[object, ...]]:
    """Every row that can be reached, by its key: ranges that fail are read half by half."""
    if last is None:
        (highest,) = [*_rows(connection, f"SELECT max(id) FROM {table}"), (None,)][0]
        last = highest if isinstance(highest, int) else 1000
    rows: dict[int, tuple[object, ...]] = {}
    ranges = [(ALL[0], 0), (last + 1, ALL[1]), (1, last)]
    failures = 0
    while ranges and failures < _MOST_FAILURES:
        low, high = ranges.pop()
        try:
            for row in connection.execute(IN_ORDER[table], (low, high)):
                rows[row[0]] = row
        except UNREADABLE:
            failures += 1
            # What lies outside the numbers ever given out is not worth a search.
            if 1 <= low < high <= last:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]
    return rows


def _rows(connection: sqlite3.Connection, sql: str) -> list[tuple[object, ...]]:
    """As many rows as can be read."""
    rows: list[tuple[object, ...]] = []
    with contextlib.suppress(*UNREADABLE):
        rows.extend(connection.execute(sql))
    return rows


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _header_is_sound(header: bytes) -> bool:
    (magic,) = struct.unpack(">I28x", header)
    if magic & ~1 != 0x377F0682:
        return False
    order = ">" if magic & 1 else "<"
    words = struct.unpack(f"{order}6I", header[:24])
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return struct.pack(">2I", first, second) == header[24:]


def _page_size(path: str) -> int:
    with open(path, "rb") as file:
        head = file.read(18)
    size = int.from_bytes(head[16:18])
    return 65536 if size == 1 else size


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

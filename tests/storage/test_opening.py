"""Opening a file: ours or not, whole or not, and never written to before that is known."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from crdtstore.errors import StorageCorruptError, StorageError
from crdtstore.storage import SqliteStorage
from crdtstore.storage.acceptance import SECONDS, numbers, opened, records
from crdtstore.storage.format import APPLICATION_ID


def refused(path: Path, error: type[StorageError], message: str) -> None:
    """Opening fails with the message, and every file in the folder is what it was."""
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    with pytest.raises(error, match=message):
        SqliteStorage(path).open()
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


def make(path: Path, *statements: str) -> None:
    """An SQLite file by the given statements."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def a_store(path: Path) -> None:
    """A store with one record and one snapshot."""
    with opened(SqliteStorage(path)) as (storage, _):
        storage.append([*records("a", 1), *records("b", 1)])
        storage.compact(2, {"b": b"B"}).result(SECONDS)


@pytest.mark.parametrize(
    "content", [b"hello", b"\x00" * 5000, b"SQLite format 3\x00", b"SQLite format 3\x00" * 500]
)
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file of any other kind is left alone."""
    path = tmp_path / "store.db"
    path.write_bytes(content)
    refused(path, StorageCorruptError, "is not a store.*Choose another path")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_somebody_elses_database_is_refused(tmp_path: Path, mode: str) -> None:
    """An SQLite file of another program is left alone, whatever its tables are called."""
    path = tmp_path / "other.db"
    make(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE log(seq INTEGER PRIMARY KEY)")
    refused(path, StorageCorruptError, "some other program's SQLite database")


def test_somebody_elses_database_may_be_in_use(tmp_path: Path) -> None:
    """Looking at it disturbs neither its write-ahead log nor its locks."""
    path = tmp_path / "other.db"
    make(path, "PRAGMA journal_mode = wal", "CREATE TABLE t(x)")
    user = sqlite3.connect(path, isolation_level=None)
    user.execute("INSERT INTO t VALUES (1)")
    user.execute("BEGIN IMMEDIATE")
    user.execute("INSERT INTO t VALUES (2)")
    refused(path, StorageCorruptError, "some other program's SQLite database")
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    user.execute("COMMIT")
    assert user.execute("SELECT count(*) FROM t").fetchone() == (2,)
    user.close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A file of a later version is left to that version."""
    path = tmp_path / "store.db"
    a_store(path)
    make(path, "PRAGMA user_version = 2", "PRAGMA journal_mode = delete")
    refused(path, StorageError, "has format 2.*formats up to 1.*Upgrade crdtstore")


@pytest.mark.parametrize(
    "change", ["ALTER TABLE log ADD COLUMN more", "DROP TABLE snapshot", "CREATE TABLE more(x)"]
)
def test_other_tables_are_refused(tmp_path: Path, change: str) -> None:
    """A store whose tables are not those of its format is not touched."""
    path = tmp_path / "store.db"
    a_store(path)
    make(path, change, "PRAGMA journal_mode = delete")
    refused(path, StorageCorruptError, "its tables are not those of a store.*left as it is")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("PRAGMA application_id").fetchone()
    assert found == (APPLICATION_ID,)


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """What a temporary file or a cut-off creation leaves is as good as nothing."""
    path = tmp_path / "store.db"
    path.touch()
    with opened(SqliteStorage(path)) as (storage, content):
        assert content.created
        storage.append(records("a", 1))
    make(tmp_path / "other.db", "PRAGMA journal_mode = wal")
    with opened(SqliteStorage(tmp_path / "other.db")) as (_, content):
        assert content.created


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_write_ahead_log_without_its_file_is_refused(tmp_path: Path, left: str) -> None:
    """SQLite would delete it, and with it all that was not yet in the file."""
    path = tmp_path / "store.db"
    storage = SqliteStorage(path)
    storage.open()
    storage.append(records("a", 1))
    storage.flush().result(SECONDS)
    log = Path(f"{path}-wal").read_bytes()
    storage.close()
    path.unlink()
    if left == "an empty file":
        path.touch()
    Path(f"{path}-wal").write_bytes(log)
    refused(path, StorageCorruptError, "its write-ahead log .*-wal is there")


@pytest.mark.skipif(not hasattr(os, "link"), reason="this system has no hard links")
def test_hard_links_are_refused(tmp_path: Path) -> None:
    """Two names of one file would have two write-ahead logs and destroy it."""
    path = tmp_path / "store.db"
    a_store(path)
    os.link(path, tmp_path / "link.db")
    refused(path, StorageError, "2 hard links to one file.*make it a copy")
    (tmp_path / "link.db").unlink()
    with opened(SqliteStorage(path)) as (_, content):
        assert numbers(content.records) == [(2, "b"), (1, "a")]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    """Opening says so, and not the first write."""
    path = tmp_path / "store.db"
    a_store(path)
    path.chmod(0o444)
    refused(path, StorageError, "readonly")


def test_a_refused_file_is_not_locked(tmp_path: Path) -> None:
    """Who puts the file right can open it at once."""
    path = tmp_path / "store.db"
    path.write_bytes(b"hello")
    storage = SqliteStorage(path)
    with pytest.raises(StorageCorruptError):
        storage.open()
    path.unlink()
    with opened(storage):
        pass

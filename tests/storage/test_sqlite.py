"""The storage in one SQLite file."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from crdtstore.errors import StorageError, StorageLockedError
from crdtstore.storage import Record, SqliteStorage, Storage, journal
from crdtstore.storage.acceptance import SECONDS, StorageAcceptance, numbers, opened, records
from crdtstore.storage.format import connect
from crdtstore.storage.opening import open_journal
from tests.storage.programs import run


class TestFull(StorageAcceptance):
    """The shared suite, synced to the disk."""

    def storage(self, place: Path) -> Storage:
        return SqliteStorage(place / "store.db", durability="full")


class TestNormal(StorageAcceptance):
    """The shared suite, handed to the system."""

    def storage(self, place: Path) -> Storage:
        return SqliteStorage(place / "store.db", durability="normal")


@pytest.mark.parametrize("path", [":memory:", "", "file:store.db?mode=ro"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """SQLite's other names for databases are refused with the way to a store in memory."""
    with pytest.raises(ValueError, match="leave out storage"):
        SqliteStorage(path)


def test_bytes_are_refused_as_a_path() -> None:
    """A path is a str or an `os.PathLike` of str."""
    with pytest.raises(TypeError, match="expected a str"):
        SqliteStorage(b"store.db")  # type: ignore[arg-type]


def test_options_are_checked() -> None:
    """A wrong durability or queue size is refused before anything is touched."""
    with pytest.raises(ValueError, match='expected "full" or "normal"'):
        SqliteStorage("store.db", durability="safe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="queue_bytes=0"):
        SqliteStorage("store.db", queue_bytes=0)


def test_making_the_object_touches_nothing(tmp_path: Path) -> None:
    """Only `open` makes the file, and closing leaves nothing but the file."""
    storage = SqliteStorage(tmp_path / "store.db")
    assert list(tmp_path.iterdir()) == []
    with opened(storage):
        storage.append(records("a", 1))
    assert os.listdir(tmp_path) == ["store.db"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message names the folder, and nothing is created."""
    with pytest.raises(StorageError, match=r"folder .*missing does not exist: create it"):
        SqliteStorage(tmp_path / "missing" / "store.db").open()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A path that names a folder is refused."""
    with pytest.raises(StorageError, match="is a folder"):
        SqliteStorage(tmp_path).open()


def test_paths_with_odd_characters_work(tmp_path: Path) -> None:
    """Characters that mean something in a URI are characters of the name."""
    path = tmp_path / "a?b=c&d#e%41 é☃.db"
    with opened(SqliteStorage(path)) as (storage, _):
        storage.append(records("a", 1))
    assert os.listdir(tmp_path) == [path.name]
    with opened(SqliteStorage(str(path))) as (_, content):
        assert numbers(content.records) == [(1, "a")]


def test_every_spelling_of_a_path_is_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths, dots and symbolic links lead to the same lock."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "folder" / "store.db")
    monkeypatch.chdir(tmp_path)
    with opened(SqliteStorage("link.db")):
        for spelling in ("folder/store.db", "./folder/../folder/store.db", "link.db"):
            with pytest.raises(StorageLockedError, match="in this process already"):
                SqliteStorage(spelling).open()
    assert (tmp_path / "folder" / "store.db").is_file()


def test_the_path_does_not_change_with_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path means what it meant when the storage was made."""
    monkeypatch.chdir(tmp_path)
    storage = SqliteStorage("store.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with opened(storage):
        pass
    assert storage.path == str(tmp_path / "store.db")
    assert (tmp_path / "store.db").is_file()


def test_a_copied_file_is_a_store_of_the_same_name(tmp_path: Path) -> None:
    """A copy made while the file is closed opens beside it, with everything up to then."""
    with opened(SqliteStorage(tmp_path / "store.db")) as (storage, first):
        storage.append(records("a", 2))
    shutil.copy(tmp_path / "store.db", tmp_path / "copy.db")
    with (
        opened(SqliteStorage(tmp_path / "store.db")) as (storage, original),
        opened(SqliteStorage(tmp_path / "copy.db")) as (other, copy),
    ):
        assert original.replica == copy.replica == first.replica
        assert original.records == copy.records
        storage.append(records("original", 1))
        other.append(records("copy", 1))


def test_the_file_shrinks_with_its_content(tmp_path: Path) -> None:
    """Compaction gives the room back, and the write-ahead log does not stay large either."""
    path = tmp_path / "store.db"
    with opened(SqliteStorage(path, durability="normal")) as (storage, _):
        for _ in range(50):
            storage.append([Record("a", os.urandom(100_000), b"")])
        storage.flush().result(SECONDS)
        whole = path.stat().st_size + Path(f"{path}-wal").stat().st_size
        assert whole > 5_000_000
        storage.compact(50, {"a": b"small"}).result(SECONDS)
        assert path.stat().st_size + Path(f"{path}-wal").stat().st_size < 100_000


def test_the_write_ahead_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    """However much is written in one opening, the log of SQLite stays of one size."""
    path = tmp_path / "store.db"
    with opened(SqliteStorage(path, durability="normal")) as (storage, _):
        for _ in range(60):
            storage.append([Record("a", os.urandom(1_000_000), b"")])
            storage.flush().result(SECONDS)
        assert Path(f"{path}-wal").stat().st_size <= 20 << 20


def test_others_may_read_the_file_meanwhile(tmp_path: Path) -> None:
    """The sqlite3 shell and backup tools can look at a store that is in use."""
    with opened(SqliteStorage(tmp_path / "store.db")) as (storage, _):
        storage.append(records("a", 2))
        storage.flush().result(SECONDS)
        reader = sqlite3.connect(tmp_path / "store.db")
        assert reader.execute("SELECT seq, slice FROM log").fetchall() == [(1, "a"), (2, "a")]
        storage.append(records("a", 1))
        storage.flush().result(SECONDS)
        assert reader.execute("SELECT max(seq) FROM log").fetchone() == (3,)
        reader.close()


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    """Writing to a file that nobody can find any more is a failure, until it is back."""
    path = tmp_path / "store.db"
    storage = SqliteStorage(path)
    storage.open()
    storage.append(records("a", 1))
    storage.flush().result(SECONDS)
    path.rename(tmp_path / "away.db")
    storage.append(records("a", 1))
    with pytest.raises(StorageError, match="was deleted, moved or replaced"):
        storage.flush().result(SECONDS)
    with pytest.raises(StorageError, match="was deleted, moved or replaced"):
        storage.close()
    (tmp_path / "away.db").rename(path)
    storage.close()
    with opened(SqliteStorage(path)) as (_, content):
        assert numbers(content.records) == [(1, "a"), (2, "a")]


def test_a_writer_that_ignores_the_lock_is_noticed(tmp_path: Path) -> None:
    """Numbers that somebody else has used meanwhile are never taken for ours."""
    path = tmp_path / "store.db"
    storage = SqliteStorage(path)
    storage.open()
    intruder = sqlite3.connect(path)
    with intruder:
        intruder.execute("INSERT INTO log VALUES (1, 'theirs', x'00', x'00', x'00')")
    storage.append(records("a", 1))
    with pytest.raises(StorageError, match="UNIQUE"):
        storage.flush().result(SECONDS)
    with pytest.raises(StorageError, match="written to by another process"):
        storage.close()
    with intruder:
        intruder.execute("DELETE FROM log")
    intruder.close()
    storage.close()
    with opened(SqliteStorage(path)) as (_, content):
        assert numbers(content.records) == [(1, "a")]


def test_a_snapshot_that_reads_back_differently_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk returns is compared before anything is deleted; the log stays as it was."""
    path = tmp_path / "store.db"

    def connect_to_a_bad_disk(path: str, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        if mode == "ro":
            with contextlib.closing(connect(path, "rw")) as disk:
                disk.execute("UPDATE snapshot SET data = x'BAD0' WHERE slice = 'b'")
        return connection

    monkeypatch.setattr(journal, "connect", connect_to_a_bad_disk)
    with opened(SqliteStorage(path)) as (storage, _):
        storage.append([*records("a", 2), *records("b", 2)])
        with pytest.raises(StorageError, match="slice 'b' reads back differently"):
            storage.compact(4, {"a": b"A", "b": b"B"}).result(SECONDS)
        assert storage.log_size()["a"].records == storage.log_size()["b"].records == 2
        storage.append(records("a", 1))
        storage.compact(4, {"a": b"A"}).result(SECONDS)
    with opened(SqliteStorage(path)) as (_, content):
        assert content.quarantined == ()
        assert numbers(content.records) == [(4, "a"), (3, "b"), (4, "b"), (5, "a")]


def test_a_forgotten_storage_is_stored_and_unlocked(tmp_path: Path) -> None:
    """Dropping the last reference ends the thread, after everything is written."""
    storage = SqliteStorage(tmp_path / "store.db")
    storage.open()
    [thread] = [t for t in threading.enumerate() if t.name == "crdtstore-storage"]
    storage.append(records("a", 1))
    del storage
    gc.collect()
    thread.join(SECONDS)
    with opened(SqliteStorage(tmp_path / "store.db")) as (_, content):
        assert numbers(content.records) == [(1, "a")]


def test_a_program_may_end_without_closing(tmp_path: Path) -> None:
    """What was appended is stored when the interpreter ends, and nothing is printed about it."""
    code = """
import sys
from crdtstore.storage import Record, SqliteStorage
storage = SqliteStorage(sys.argv[1])
storage.open()
for n in range(1000):
    storage.append([Record("a", b"%d" % n, b"")])
"""
    ended = run("-c", code, str(tmp_path / "store.db"))
    assert (ended.stdout, ended.stderr) == ("", "")
    assert os.listdir(tmp_path) == ["store.db"]
    with opened(SqliteStorage(tmp_path / "store.db")) as (_, content):
        assert [r.delta for _, r in content.records] == [b"%d" % n for n in range(1000)]


def test_closing_from_a_callback_works(tmp_path: Path) -> None:
    """The writer's thread cannot wait for itself; it ends after the callback."""
    storage = SqliteStorage(tmp_path / "store.db")
    storage.open()
    storage.on_durable(lambda seq: storage.close())
    storage.append(records("a", 1))
    storage.close()
    with opened(SqliteStorage(tmp_path / "store.db")) as (_, content):
        assert numbers(content.records) == [(1, "a")]


def test_reading_from_a_callback_is_refused(tmp_path: Path) -> None:
    """It would wait for the thread that it runs on."""
    heard: list[BaseException] = []
    with opened(SqliteStorage(tmp_path / "store.db")) as (storage, _):

        def callback(seq: int) -> None:
            with pytest.raises(StorageError, match="must not wait") as caught:
                storage.read("a")
            heard.append(caught.value)

        storage.on_durable(callback)
        storage.append(records("a", 1))
        storage.flush().result(SECONDS)
    assert len(heard) == 1


def test_a_forked_child_cannot_use_the_storage(tmp_path: Path) -> None:
    """The child is refused, its end disturbs nobody, and the parent goes on."""
    code = """
import os, sys
from crdtstore.errors import ForkedStoreError
from crdtstore.storage import Record, SqliteStorage
path = sys.argv[1]
storage = SqliteStorage(path)
storage.open()
storage.append([Record("a", b"before", b"")])
child = os.fork()
if child == 0:
    calls = [
        lambda: storage.append([Record("a", b"child", b"")]),
        lambda: storage.flush(),
        lambda: storage.compact(0, {}),
        lambda: storage.read("a"),
        lambda: storage.log_size(),
        lambda: SqliteStorage(path).open(),
    ]
    for call in calls:
        try:
            call()
        except ForkedStoreError:
            continue
        sys.exit(3)
    storage.close()
    del storage
    sys.exit(7)  # a whole shutdown, with everything that the interpreter destroys in it
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert os.path.exists(path + ".lock")
storage.append([Record("a", b"after", b"")])
storage.close()
print([record.delta for _, record in storage.open().records])
"""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    code = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + code
    ended = run("-c", code, str(tmp_path / "store.db"))
    assert ended.stdout == "[b'before', b'after']\n"
    assert ended.stderr == ""


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_commits_are_synced_as_was_asked(
    tmp_path: Path, durability: journal.Durability, level: int
) -> None:
    """From the opening on, after a compaction, which always syncs, and after a failure."""
    file, _ = open_journal(str(tmp_path / "store.db"), durability)

    def synchronous() -> int:
        (found,) = file._connected().execute("PRAGMA synchronous").fetchone()
        return int(found)

    try:
        assert synchronous() == level
        file.write([(1, (Record("a", b"x", b""),), 1)])
        file.compact(1, {"a": b"x"}, {})
        assert synchronous() == level
        file.recover()
        assert synchronous() == level
    finally:
        file.close()

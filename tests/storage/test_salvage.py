"""Damaged files: what is readable is read, the rest is reported, and nothing is thrown away."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from crdtstore.errors import StorageCorruptError
from crdtstore.storage import Opened, Record, SqliteStorage
from crdtstore.storage.acceptance import SECONDS, numbers, opened

PAGE = 4096
COUNT = 200


def content(number: int) -> Record:
    """Record ``number`` of the store that is damaged here; some 12 of them fill a page."""
    return Record("ab"[number % 2], b"delta %d " % number * 30, b"meta")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store with 200 records, every one in the log."""
    path = tmp_path / "store.db"
    with opened(SqliteStorage(path)) as (storage, _):
        for number in range(1, COUNT + 1):
            storage.append([content(number)])
    return path


def sql(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def log_pages(path: Path) -> list[int]:
    """Where the leaves of the log begin in the file, in its order."""
    data = path.read_bytes()
    leaves = [at for at in range(PAGE, len(data), PAGE) if data[at] == 0x0D]
    return [at for at in leaves if b"delta " in data[at : at + PAGE]]


def overwrite(path: Path, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def reopened(path: Path) -> Opened:
    with opened(SqliteStorage(path)) as (_, found):
        return found


def test_a_damaged_record_is_quarantined_with_its_bytes(path: Path) -> None:
    """The others come back whole, and every opening reports the damaged one."""
    sql(path, "UPDATE log SET delta = x'BAD0' WHERE seq = 7")
    for found in (reopened(path), reopened(path)):
        expected = [(n, content(n)) for n in range(1, COUNT + 1) if n != 7]
        assert list(found.records) == expected
        [damaged] = found.quarantined
        assert (damaged.seq, damaged.slice) == (7, "b")
        assert damaged.reason == "the checksum does not match"
    kept = query(path, "SELECT seq, delta, meta FROM quarantine")
    assert kept == [(7, b"\xba\xd0", b"meta")]
    assert [p.name for p in path.parent.iterdir()] == ["store.db"]


@pytest.mark.parametrize(
    "change",
    [
        "seq = 1000 WHERE seq = 7",
        "slice = 'other' WHERE seq = 7",
        "slice = NULL WHERE seq = 7",
        "slice = 7 WHERE seq = 7",
        "slice = x'FF' WHERE seq = 7",
        "meta = x'' WHERE seq = 7",
        "delta = NULL WHERE seq = 7",
        "delta = 1.5 WHERE seq = 7",
        "checksum = NULL WHERE seq = 7",
        "delta = substr(delta, 1, 10), meta = substr(delta, 11) || meta WHERE seq = 7",
    ],
)
def test_the_checksum_covers_the_whole_row(path: Path, change: str) -> None:
    """No column, and no border between two, can change unnoticed."""
    sql(path, f"UPDATE log SET {change}")
    found = reopened(path)
    assert [seq for seq, _ in found.records] == [n for n in range(1, COUNT + 1) if n != 7]
    assert found.quarantined


def test_a_record_that_vanished_is_reported(path: Path) -> None:
    """Rows that are simply gone are noticed by their numbers, at the end of the log as well."""
    sql(path, "DELETE FROM log WHERE seq IN (7, 8, 200)")
    found = reopened(path)
    assert [q.reason for q in found.quarantined] == [
        "records 7 to 8 are missing from the file",
        "records 200 to 200 are missing from the file",
    ]
    assert [q.seq for q in found.quarantined] == [7, 200]
    assert reopened(path).quarantined == found.quarantined
    with opened(SqliteStorage(path)) as (storage, _):
        assert storage.append([content(1)]) == COUNT + 1


def test_a_record_that_vanished_below_a_compaction_is_reported(path: Path) -> None:
    """Where compaction has left gaps, the number of records says that some are missing."""
    with opened(SqliteStorage(path)) as (storage, _):
        storage.compact(100, {"a": b"A"}).result(SECONDS)
    assert reopened(path).quarantined == ()
    sql(path, "DELETE FROM log WHERE seq IN (7, 9)")
    [report] = reopened(path).quarantined
    assert report.reason == f"2 of the records up to number {COUNT} are missing from the file"


def test_a_damaged_snapshot_is_quarantined(path: Path) -> None:
    """The log after it is still there, and so are its own bytes."""
    with opened(SqliteStorage(path)) as (storage, _):
        storage.compact(COUNT - 2, {"a": b"A" * 10_000}).result(SECONDS)
    data = path.read_bytes()
    overwrite(path, data.index(b"A" * 2000) + 1000, b"B")
    found = reopened(path)
    assert (COUNT, content(COUNT)) in found.records
    assert "a" not in found.generations
    [damaged] = found.quarantined
    assert (damaged.seq, damaged.slice) == (COUNT - 2, "a")
    assert damaged.reason == "the checksum of the snapshot does not match"
    [(kept,)] = query(path, "SELECT delta FROM quarantine")
    assert isinstance(kept, bytes)
    assert (len(kept), kept.count(b"A")) == (10_000, 9_999)


def test_an_unverified_snapshot_never_replaces_the_log(path: Path) -> None:
    """A compaction cut off before its snapshot was verified leaves the older one and the log."""
    with opened(SqliteStorage(path)) as (storage, _):
        storage.compact(100, {"a": b"A"}).result(SECONDS)
    sql(path, "INSERT INTO snapshot SELECT NULL, slice, 0, 200, x'00', x'BAD0' FROM snapshot")
    found = reopened(path)
    assert found.records[0] == (100, Record("a", b"A", b""))
    assert [seq for seq, r in found.records[1:] if r.slice == "a"] == list(range(102, 201, 2))
    assert [q.seq for q in found.quarantined] == [200]


def test_the_name_of_the_replica_is_replaced_when_it_is_damaged(path: Path) -> None:
    """A new name is made and reported; the old bytes stay in the file."""
    old = reopened(path).replica
    sql(path, "UPDATE meta SET value = x'BAD0' WHERE key = 'replica'")
    found = reopened(path)
    assert found.replica != old
    assert reopened(path).replica == found.replica
    assert [q.reason for q in found.quarantined] == [
        "the replica's name could not be read; it has a new one"
    ]
    kept = query(path, "SELECT value FROM meta WHERE key LIKE '%damaged'")
    assert kept == [(b"\xba\xd0",)]


@pytest.mark.parametrize("which", [0, 5, -1])
@pytest.mark.parametrize("damage", [b"\xff" * PAGE, bytes(PAGE), b"\x0d\x00\x00\xff\xff"])
def test_a_damaged_page_costs_only_its_own_records(path: Path, which: int, damage: bytes) -> None:
    """The file is rebuilt from all other pages, and as it was it is kept beside."""
    overwrite(path, log_pages(path)[which], damage)
    before = path.read_bytes()
    found = reopened(path)
    got = [seq for seq, _ in found.records]
    assert all(record == content(seq) for seq, record in found.records)
    lost = sorted(set(range(1, COUNT + 1)) - set(got))
    assert 5 < len(lost) < 20
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert "the file was damaged" in found.quarantined[0].reason
    assert found.quarantined[1].reason == (
        f"records {lost[0]} to {lost[-1]} are missing from the file"
    )
    kept = path.parent / "store.db.damaged-1"
    assert str(kept) in found.quarantined[0].reason
    assert kept.read_bytes() == before
    with opened(SqliteStorage(path)) as (storage, again):
        assert (again.records, again.quarantined) == (found.records, found.quarantined)
        assert again.replica == found.replica
        assert storage.append([content(1)]) == COUNT + 1


def test_a_second_damage_is_kept_under_another_name(path: Path) -> None:
    """No copy of a damaged file is ever written over."""
    pages = log_pages(path)
    overwrite(path, pages[3], b"\xff" * PAGE)
    reopened(path)
    overwrite(path, log_pages(path)[5], b"\xff" * PAGE)
    found = reopened(path)
    copies = sorted(p.name for p in path.parent.iterdir())
    assert copies == ["store.db", "store.db.damaged-1", "store.db.damaged-2"]
    assert sum("the file was damaged" in q.reason for q in found.quarantined) == 2


def test_what_cannot_be_read_at_all_is_refused(path: Path) -> None:
    """An empty state never takes the place of data: the file is left, with what to do."""
    data = path.read_bytes()
    for at in range(PAGE, len(data), PAGE):
        overwrite(path, at, b"\xff" * PAGE)
    before = path.read_bytes()
    with pytest.raises(StorageCorruptError, match=r"damaged.*Restore it from a copy"):
        SqliteStorage(path).open()
    assert path.read_bytes() == before


@pytest.mark.parametrize("at", [0, 20, 100])
def test_a_damaged_first_page_is_refused(path: Path, at: int) -> None:
    """Without it nobody can tell what the file is; it is left as it is."""
    overwrite(path, at, b"\xff" * 20)
    before = path.read_bytes()
    with pytest.raises(StorageCorruptError, match=r"left as it is|left as it was|it was left"):
        SqliteStorage(path).open()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["store.db"]


def killed(path: Path, count: int) -> Path:
    """What a process that was killed after ``count`` flushes leaves: the file and its WAL."""
    left = path.with_name("killed.db")
    with opened(SqliteStorage(path.with_name("running.db"))) as (storage, _):
        for number in range(1, count + 1):
            storage.append([content(number)])
            storage.flush().result(SECONDS)
        shutil.copy(path.with_name("running.db"), left)
        shutil.copy(path.with_name("running.db-wal"), f"{left}-wal")
    return left


def flip(at: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at] ^= 1

    return change


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("the header", flip(8)),
        ("the salt", flip(16)),
        ("a frame's header", flip(32 + 10 * (24 + PAGE) + 1)),
        ("a page", flip(32 + 10 * (24 + PAGE) + 1000)),
        ("the last page", flip(-1)),
    ],
)
def test_a_damaged_write_ahead_log_is_noticed_and_kept(
    path: Path, what: str, change: Callable[[bytearray], None]
) -> None:
    """SQLite takes what follows for never finished; here it is reported, and kept aside."""
    left = killed(path, 50)
    data = bytearray(Path(f"{left}-wal").read_bytes())
    change(data)
    Path(f"{left}-wal").write_bytes(data)
    found = reopened(left)
    got = [seq for seq, _ in found.records]
    assert got == list(range(1, len(got) + 1))
    assert len(got) < 50, what
    [report] = found.quarantined
    assert f"{50 - len(got)} transactions" in report.reason
    assert f"{left}.damaged-1-wal" in report.reason
    assert Path(f"{left}.damaged-1-wal").read_bytes() == data
    assert reopened(left).quarantined == found.quarantined


@pytest.mark.parametrize("cut", [0, 10, 32, 1000, 32 + 10 * (24 + PAGE), -1, -PAGE])
def test_a_torn_end_of_the_write_ahead_log_is_no_damage(path: Path, cut: int) -> None:
    """What a process was just writing when it died was never acknowledged, and is no loss."""
    left = killed(path, 50)
    data = Path(f"{left}-wal").read_bytes()
    Path(f"{left}-wal").write_bytes(data[:cut])
    found = reopened(left)
    got = [seq for seq, _ in found.records]
    assert got == list(range(1, len(got) + 1))
    assert found.quarantined == ()


def test_a_whole_write_ahead_log_is_read(path: Path) -> None:
    """After `kill -9` everything that was flushed is there, and nothing is reported."""
    found = reopened(killed(path, 50))
    assert numbers(found.records) == [(n, content(n).slice) for n in range(1, 51)]
    assert found.quarantined == ()


def test_reading_a_damaged_record_of_an_open_store_says_what_to_do(path: Path) -> None:
    """`read` gives a whole slice or none; the next opening quarantines."""
    storage = SqliteStorage(path)
    storage.open()
    sql(path, "UPDATE log SET delta = NULL WHERE seq = 7")
    with pytest.raises(StorageCorruptError, match="open it again"):
        storage.read("b")
    assert len(storage.read("a")) == COUNT // 2
    storage.close()
    assert [q.seq for q in reopened(path).quarantined] == [7]

"""Reading a whole file: verify every row, quarantine what is damaged, notice what is missing.

Nothing is changed while reading. What has to be done afterwards is done in one transaction: damaged
rows move to ``quarantine`` with all their bytes, missing records get a line there, and what a
verified snapshot replaces is deleted, which also ends a compaction that was cut off.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from crdtstore.storage.format import (
    ALL,
    IN_ORDER,
    checksum,
    last_seq,
    read_floor,
    read_meta,
    write_floor,
    write_meta,
)
from crdtstore.storage.port import LogSize, Quarantined, Record

__all__ = [
    "Loaded",
    "Snapshot",
    "as_snapshot",
    "delete_replaced",
    "load",
    "quarantine",
    "read_rows",
    "restore_floor",
    "settle",
    "snapshot_checksum",
]

# One flipped bit makes a text a blob of the same bytes, which SQLite then finds different.
_SLICE = "CAST(slice AS BLOB) = ?"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A verified row of ``snapshot``."""

    id: int
    slice: str
    generation: int
    upto: int
    data: bytes


@dataclass(slots=True)
class Loaded:
    """What a file holds, and what has to be put right in it."""

    replica: str | None
    seq: int
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    log: list[tuple[int, Record]] = field(default_factory=list)
    sizes: dict[str, LogSize] = field(default_factory=dict)  # of the log, per slice
    damaged: dict[str, list[int]] = field(default_factory=dict)  # table: keys
    reports: list[Quarantined] = field(default_factory=list)
    superseded: bool = False

    @property
    def needs_settling(self) -> bool:
        """Whether something is to be quarantined, reported or deleted."""
        return bool(self.damaged or self.reports or self.superseded or self.replica is None)


def load(connection: sqlite3.Connection) -> Loaded:
    """Read and verify everything; raises ``sqlite3.Error`` where SQLite cannot read on."""
    replica = read_meta(connection, "replica")
    loaded = Loaded(None if replica is None else replica.decode(), last_seq(connection))
    if replica is None:
        loaded.reports.append(
            Quarantined(0, "", "the replica's name could not be read; it has a new one")
        )
    for row in connection.execute(IN_ORDER["snapshot"], ALL):
        snapshot = as_snapshot(row)
        if snapshot is None:
            loaded.damaged.setdefault("snapshot", []).append(row[0])
        else:
            loaded.superseded |= snapshot.slice in loaded.snapshots
            loaded.snapshots[snapshot.slice] = snapshot
    floor = read_floor(connection)
    if floor is not None:
        loaded.seq = max(loaded.seq, floor[0])
    seqs = _load_log(connection, loaded)
    _notice_missing(floor, loaded, seqs)
    return loaded


def read_rows(
    connection: sqlite3.Connection, slice: str
) -> tuple[Snapshot | None, list[tuple[int, Record]]]:
    """One slice, verified; raises ``ValueError`` or ``TypeError`` where a row of it is damaged."""
    name = slice.encode()
    newest: Snapshot | None = None
    for row in connection.execute(
        "SELECT id, slice, generation, upto, checksum, data FROM snapshot "
        f"WHERE {_SLICE} ORDER BY id",
        (name,),
    ):
        newest = as_snapshot(row)
        if newest is None:
            raise ValueError(f"the snapshot of slice {slice!r} is damaged")
    upto = newest.upto if newest else 0
    records = []
    for seq, check, delta, meta in connection.execute(
        f"SELECT seq, checksum, delta, meta FROM log WHERE {_SLICE} AND seq > ? ORDER BY seq",
        (name, upto),
    ):
        if check != checksum(seq, name, delta, meta):
            raise ValueError(f"record {seq} of slice {slice!r} is damaged")
        records.append((seq, Record(slice, delta, meta)))
    return newest, records


def settle(connection: sqlite3.Connection, loaded: Loaded, replica: str) -> None:
    """Put the file right, in one transaction; a no-op where nothing is wrong."""
    if not loaded.needs_settling:
        return
    connection.execute("BEGIN IMMEDIATE")
    if loaded.replica is None:
        # What was there is kept as it is under another key.
        connection.execute(
            "INSERT OR REPLACE INTO meta SELECT 'replica, damaged', value, checksum FROM meta "
            "WHERE key = 'replica'"
        )
        write_meta(connection, "replica", replica.encode())
    for key in loaded.damaged.get("log", ()):
        connection.execute(
            "INSERT INTO quarantine(seq, slice, reason, checksum, delta, meta) "
            "SELECT seq, slice, 'the checksum does not match', checksum, delta, meta "
            "FROM log WHERE seq = ?",
            (key,),
        )
        connection.execute("DELETE FROM log WHERE seq = ?", (key,))
    for key in loaded.damaged.get("snapshot", ()):
        connection.execute(
            "INSERT INTO quarantine(seq, slice, reason, checksum, delta, meta) "
            "SELECT upto, slice, 'the checksum of the snapshot does not match', checksum, data, "
            "CAST(generation AS BLOB) FROM snapshot WHERE id = ?",
            (key,),
        )
        connection.execute("DELETE FROM snapshot WHERE id = ?", (key,))
    connection.executemany(
        "INSERT INTO quarantine(seq, slice, reason) VALUES (?, ?, ?)",
        [(report.seq, report.slice, report.reason) for report in loaded.reports],
    )
    for snapshot in loaded.snapshots.values():
        delete_replaced(connection, snapshot.slice, snapshot.id, snapshot.upto)
    restore_floor(connection, loaded.seq)
    connection.execute("COMMIT")


def delete_replaced(connection: sqlite3.Connection, slice: str, id: int, upto: int) -> None:
    """Delete what a verified snapshot replaces: older ones and the log up to its number."""
    name = slice.encode()
    connection.execute(f"DELETE FROM snapshot WHERE {_SLICE} AND id < ?", (name, id))
    connection.execute(f"DELETE FROM log WHERE {_SLICE} AND seq <= ?", (name, upto))


def restore_floor(connection: sqlite3.Connection, seq: int) -> None:
    """Record how many of all records up to the last one, ``seq``, are left after a deletion."""
    (count,) = connection.execute("SELECT count(*) FROM log").fetchone()
    write_floor(connection, seq, count)


def quarantine(connection: sqlite3.Connection) -> tuple[Quarantined, ...]:
    """Everything in quarantine, oldest first."""
    rows = connection.execute("SELECT seq, slice, reason FROM quarantine ORDER BY id")
    return tuple(
        Quarantined(seq if isinstance(seq, int) else 0, _text(name), _text(reason))
        for seq, name, reason in rows
    )


def snapshot_checksum(upto: int, slice: bytes, generation: int, data: bytes) -> bytes:
    """The checksum of a row of ``snapshot``, which no row of ``log`` can have by accident."""
    return checksum(upto, slice, b"snapshot %d" % generation, data)


def as_snapshot(row: tuple[object, ...]) -> Snapshot | None:
    """A row of ``snapshot``, or None where it is damaged."""
    id, name, generation, upto, check, data = row
    match id, name, generation, upto, data:
        case int(), bytes(), int(), int(), bytes():
            if check == snapshot_checksum(upto, name, generation, data):
                return Snapshot(id, name.decode(), generation, upto, data)
    return None


def _load_log(connection: sqlite3.Connection, loaded: Loaded) -> list[int]:
    """Fill in the log and its sizes; return the number of every row there is, good or not."""
    known: dict[bytes, tuple[str, int, list[int]]] = {}  # its str, what is replaced, and its size
    seqs: list[int] = []
    damaged: list[int] = []
    log = loaded.log
    for seq, name, check, delta, meta in connection.execute(IN_ORDER["log"], ALL):
        seqs.append(seq)
        try:
            sound = check == checksum(seq, name, delta, meta)
        except TypeError:  # damage has made a number or nothing of what was bytes
            sound = False
        if not sound:
            damaged.append(seq)
            continue
        if name not in known:
            slice = name.decode()
            snapshot = loaded.snapshots.get(slice)
            known[name] = (slice, snapshot.upto if snapshot else 0, [0, 0])
        slice, upto, size = known[name]
        if seq > upto:
            log.append((seq, Record(slice, delta, meta)))
            size[0] += 1
            size[1] += len(delta) + len(meta)
        else:
            loaded.superseded = True
    loaded.sizes = {slice: LogSize(*size) for slice, _, size in known.values() if size[0]}
    if damaged:
        loaded.damaged["log"] = damaged
    return seqs


def _notice_missing(floor: tuple[int, int] | None, loaded: Loaded, seqs: list[int]) -> None:
    if floor is None:
        reason = "the number of records could not be read, so missing ones cannot be noticed"
        loaded.reports.append(Quarantined(0, "", reason))
        return
    above = [seq for seq in seqs if seq > floor[0]]
    lost = floor[1] - (len(seqs) - len(above))
    if lost > 0:
        reason = f"{lost} of the records up to number {floor[0]} are missing from the file"
        loaded.reports.append(Quarantined(floor[0], "", reason))
    before = floor[0]
    for seq in [*above, loaded.seq + 1]:
        if seq > before + 1:
            reason = f"records {before + 1} to {seq - 1} are missing from the file"
            loaded.reports.append(Quarantined(before + 1, "", reason))
        before = seq


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""

"""What replication and durability ask of a store: digests, vectors, diffs, memory, flushes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import sqlite3
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from benchmarks.app import TaskStore, bench, increment
from benchmarks.bare import BareMap
from benchmarks.rows import Row, skipped, spaced
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, Figure, interleave, summary
from crdtstore import Store, configure_store

__all__ = ["durability", "memory", "questions"]


def questions(scale: Scale) -> list[Row]:
    """What a peer is told on connecting and from time to time, with very many rows."""
    size = scale.tables[2]
    tasks = TaskStore(size)
    store = tasks.store
    store.digest()
    vectors: dict[str, bytes] = {}

    def change(numbers: range) -> None:
        tasks.turn_over(numbers)

    def remember_and_change(numbers: range) -> None:
        vectors.update(store.state_vectors())
        tasks.turn_over(numbers)

    taken = interleave(
        {
            "digest after one change": Contestant(lambda _: store.digest(), change),
            "state_vectors()": Contestant(lambda _: store.state_vectors()),
            "deltas_since, one change": Contestant(
                lambda _: store.deltas_since(vectors), remember_and_change
            ),
        },
        rounds=scale.rounds,
        batch=1,
    )
    store.close()
    return [Row(f"{name}, {spaced(size)} rows", each.figure) for name, each in taken.items()]


def _resident() -> int:
    """Return the bytes this process has in memory now; Linux only."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _settled() -> int:
    """Return what is resident after garbage and free memory were given back."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # where the C library has no such function
        ctypes.CDLL(None).malloc_trim(0)
    return _resident()


def _measure_memory(kind: Literal["store", "bare"], rows: int, answer: Connection) -> None:
    held: object = TaskStore(1) if kind == "store" else BareMap(1)
    before = _settled()
    held = TaskStore(rows) if kind == "store" else BareMap(rows)
    answer.send(_settled() - before)
    del held


def memory(scale: Scale) -> list[Row]:
    """How much a process grows for each row, snapshot, mirror, document and all."""
    what = f"memory of a row, of {spaced(scale.tables[2])}"
    if not os.path.exists("/proc/self/statm"):
        return [skipped(what, "needs /proc, to ask how large a process is")]
    context = multiprocessing.get_context("spawn")
    sizes: dict[str, Figure] = {}
    for kind in ("store", "bare"):
        ours, theirs = context.Pipe()
        process = context.Process(target=_measure_memory, args=(kind, scale.tables[2], theirs))
        process.start()
        theirs.close()
        grown = max(ours.recv(), 1)
        process.join()
        sizes[kind] = summary([grown / scale.tables[2]], "B")
    ratio = sizes["store"].value / sizes["bare"].value
    return [
        Row(
            what,
            sizes["store"],
            sizes["bare"],
            "a bare map with one key for each row; processes of their own, resident sizes",
            summary([ratio], "x"),
            note="a row has three fields; right after compaction",
        )
    ]


class _BareFile:
    """A table in a SQLite file that gets one row a transaction, as durable as asked."""

    def __init__(self, file: Path, synchronous: str) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL").fetchone()
        self.connection.execute(f"PRAGMA synchronous = {synchronous}")
        self.connection.execute("CREATE TABLE log(seq INTEGER PRIMARY KEY, delta BLOB)")

    def run(self, numbers: range) -> None:
        """Insert one row for each number."""
        for _ in numbers:
            self.connection.execute("INSERT INTO log(delta) VALUES (?)", (bytes(60),))


def _flushing(store: Store, commits: int) -> Contestant:
    """Some commits and one flush for each number."""

    def run(numbers: range) -> None:
        for _ in numbers:
            for _ in range(commits):
                store.dispatch(increment())
            store.flush().wait()

    return Contestant(run)


def durability(scale: Scale) -> list[Row]:
    """Commits that are each waited for, and groups of a hundred of which the last is."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for level in ("full", "normal"):
            store = configure_store([bench], storage=Path(folder, f"{level}.db"), durability=level)
            bare = _BareFile(Path(folder, f"{level}-bare.db"), level)

            taken = interleave(
                {
                    "bare": Contestant(bare.run),
                    "each": _flushing(store, 1),
                    "grouped": _flushing(store, 100),
                },
                rounds=scale.flushes // 2,
                batch=2,
            )
            store.close()
            bare.connection.close()
            floor = taken["bare"].per_second
            rows.append(
                Row(
                    f"durable commits, {level}: one flush each",
                    taken["each"].per_second,
                    floor,
                    "one INSERT a transaction, sqlite3, WAL, the same synchronous level",
                    taken["each"].ratio(taken["bare"]),
                )
            )
            rate = taken["grouped"].per_second
            rows.append(
                Row(
                    f"durable commits, {level}: 100 a flush",
                    Figure(rate.value * 100, rate.low * 100, rate.high * 100, "/s"),
                )
            )
    return rows

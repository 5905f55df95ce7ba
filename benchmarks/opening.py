"""Opening a store: a long log of deltas, and a compacted file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter_ns

from benchmarks.app import bench, deltas
from benchmarks.bare import apply_all, apply_snapshot
from benchmarks.rows import Row, spaced
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, interleave
from crdtstore import configure_store
from crdtstore.storage import Record, SqliteStorage

__all__ = ["opening"]


def opening(scale: Scale) -> list[Row]:
    """Open a file of many deltas, a tenth of which inserted the rows that the others edit."""
    made = deltas(scale.deltas // 10, scale.deltas - scale.deltas // 10)
    with tempfile.TemporaryDirectory() as folder:
        log, compacted = Path(folder, "log.db"), Path(folder, "compacted.db")
        for file in (log, compacted):
            _write(file, made)
        with configure_store([bench], storage=compacted) as store:
            store.compact().wait()
            snapshot = store.deltas_since({})["bench"]

        def open_file(file: Path) -> int:
            start = perf_counter_ns()
            store = configure_store([bench], storage=file)
            taken = perf_counter_ns() - start
            assert len(store[bench].tasks) == scale.deltas // 10
            store.close()
            return taken

        def apply_deltas() -> int:
            start = perf_counter_ns()
            apply_all(made)
            return perf_counter_ns() - start

        def load_snapshot() -> int:
            start = perf_counter_ns()
            apply_snapshot(snapshot)
            return perf_counter_ns() - start

        taken = interleave(
            {
                "log": Contestant(lambda _: open_file(log)),
                "bare log": Contestant(lambda _: apply_deltas()),
                "compacted": Contestant(lambda _: open_file(compacted)),
                "bare snapshot": Contestant(lambda _: load_snapshot()),
            },
            rounds=scale.openings,
            batch=1,
            warmup=1,
        )
    rows: list[Row] = []
    for name, what, floor_is, limit in (
        (
            "log",
            f"opening a file of {spaced(scale.deltas)} deltas",
            "apply_update of each, in one transaction, to a bare document; from memory",
            2.0,
        ),
        ("compacted", "opening it compacted", "apply_update of the snapshot; from memory", 1.5),
    ):
        floor = taken["bare log" if name == "log" else "bare snapshot"]
        ratio = taken[name].ratio(floor)
        rows.append(
            Row(
                what,
                taken[name].figure,
                floor.figure,
                floor_is,
                ratio,
                f"≤ {limit:g}×",
                ratio.value <= limit,
                f"{spaced(scale.deltas // 10)} rows in the state" if name == "log" else "",
            )
        )
    return rows


def _write(file: Path, made: list[bytes]) -> None:
    """Write a log as it is before the store thinks of compacting it."""
    storage = SqliteStorage(file)
    storage.open()
    for start in range(0, len(made), 1000):
        storage.append([Record("bench", delta, b"") for delta in made[start : start + 1000]])
    storage.close()

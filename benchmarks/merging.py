"""Remote work: one cell of a peer, merged to a patched snapshot."""

from __future__ import annotations

from benchmarks.app import bench, rename
from benchmarks.bare import apply_all
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, interleave
from crdtstore import configure_store
from crdtstore.document import Document, new_client_id
from crdtstore.updates import Update

__all__ = ["merging"]


class _Source:
    """A store that makes deltas, and what the strict reader reads in them, before it is timed."""

    def __init__(self) -> None:
        self.store = configure_store([bench])
        self.made: list[bytes] = []
        self.read: list[Update] = []
        self.reader = Document(bench.shape, new_client_id(), "reader")
        self.store.on_commit(lambda commit: self.made.append(commit.deltas["bench"]))

    def prepare(self, numbers: range) -> None:
        """Make the deltas of a batch; they stay until the next one."""
        self.made.clear()
        self.read.clear()
        for number in numbers:
            self.store.dispatch(rename(f"name {number}"))
        for delta in self.made:
            update = self.reader.inspect(delta)
            self.reader.merge(delta, update)
            self.read.append(update)


def merging(scale: Scale) -> list[Row]:
    """Merge one cell: the document alone, and the whole way in from a stranger's bytes."""
    source = _Source()
    bare = apply_all([])
    store = configure_store([bench])
    store.subscribe(lambda: None)
    document = Document(bench.shape, new_client_id(), "benchmark")

    def apply_bare(numbers: range) -> None:
        for delta in source.made:
            bare.apply_update(delta)

    def merge_read(numbers: range) -> None:
        for delta, update in zip(source.made, source.read, strict=True):
            document.merge(delta, update)

    def merge(numbers: range) -> None:
        for delta in source.made:
            store.merge({"bench": delta})

    taken = interleave(
        {
            "bare": Contestant(apply_bare, source.prepare),
            "document": Contestant(merge_read),
            "store": Contestant(merge),
        },
        rounds=scale.rounds,
        batch=scale.batch,
    )
    assert store[bench].name == document.state.name == source.store[bench].name
    for each in (store, source.store, document, source.reader):
        each.close()
    rows: list[Row] = []
    for name, what, limit in (
        ("document", "merge: one remote cell, to a patched snapshot", 5),
        ("store", "merge: the same with validator, gate, log and subscriber", 9),
    ):
        ratio = taken[name].ratio(taken["bare"])
        rows.append(
            Row(
                what,
                taken[name].figure,
                taken["bare"].figure,
                "apply_update of the same delta (public pycrdt)" if limit == 5 else "",
                ratio,
                f"≤ {limit}×",
                ratio.value <= limit,
            )
        )
    return rows

"""Typing: recorded edits of real texts, patch by patch, through a reducer and through bare pycrdt.

The traces are those of github.com/josephg/editing-traces (CC BY 4.0); positions are code points.
They are not part of this project: give their folder with ``--traces`` or ``CRDTSTORE_TRACES``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.app import bench, edit
from benchmarks.bare import BareText
from benchmarks.rows import Row, skipped
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, interleave
from crdtstore import configure_store

__all__ = ["TRACES", "Patch", "patching", "read_trace"]

TRACES = ("rustcode", "sveltecomponent")


class Patch(NamedTuple):
    """One edit, at a code point."""

    at: int
    deleted: int
    inserted: str


class Trace(NamedTuple):
    """A recorded text and its patches, one after the other."""

    start: str
    patches: list[Patch]


def read_trace(file: Path, most: int) -> Trace:
    """Read the first ``most`` patches of a trace (``.json.gz``)."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        recorded = json.load(stream)
    return Trace(recorded["startContent"], list(islice(_patches(recorded), most)))


def _patches(recorded: dict[str, list[dict[str, list[list[object]]]]]) -> Iterator[Patch]:
    for transaction in recorded["txns"]:
        for patch in transaction["patches"]:
            yield Patch(*patch)  # type: ignore[arg-type]


def patching(scale: Scale) -> list[Row]:
    """Patch a text, for each trace that is there."""
    return [_replay(name, scale) for name in TRACES]


def _replay(name: str, scale: Scale) -> Row:
    what = f"text: one patch of {name}"
    if scale.traces is None:
        return skipped(what, "no traces: give --traces DIR or CRDTSTORE_TRACES (see README)")
    file = scale.traces / f"{name}.json.gz"
    if not file.exists():
        return skipped(what, f"{file.name} is not in {scale.traces}")
    start, patches = read_trace(file, scale.patches)
    bare = BareText(start)
    store = configure_store([bench])
    store.subscribe(lambda: None)
    if start:
        store.dispatch(edit(0, 0, start))

    def patch_bare(numbers: range) -> None:
        for number in numbers:
            bare.patch(*patches[number])

    def patch_store(numbers: range) -> None:
        for number in numbers:
            store.dispatch(edit(*patches[number]))

    batch = max(1, min(scale.batch, len(patches) // 4))
    taken = interleave(
        {"bare": Contestant(patch_bare), "store": Contestant(patch_store)},
        rounds=len(patches) // batch - 2,
        batch=batch,
    )
    assert store[bench].body == bare.mirror
    assert str(bare.text) == bare.mirror
    length = len(bare.mirror)
    store.close()
    ratio = taken["store"].ratio(taken["bare"])
    return Row(
        what,
        taken["store"].figure,
        taken["bare"].figure,
        "a bare Text, one patch a transaction, update read, code points turned into bytes",
        ratio,
        "≤ 1.5×",
        ratio.value <= 1.5,
        f"{len(patches)} patches, {length} characters at the end; the snapshot, a str, is new "
        "after each",
    )

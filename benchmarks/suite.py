"""All benchmarks by name, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.dispatch import dispatch, fields, reading
from benchmarks.entities import entities
from benchmarks.merging import merging
from benchmarks.network import latency, throughput
from benchmarks.opening import opening
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.selectors import selectors
from benchmarks.texts import patching
from benchmarks.tools import tools
from benchmarks.upkeep import durability, memory, questions

__all__ = ["BENCHMARKS", "measure"]

BENCHMARKS: dict[str, Callable[[Scale], list[Row]]] = {
    "dispatch": dispatch,
    "field": fields,
    "entities": entities,
    "merge": merging,
    "latency": latency,
    "throughput": throughput,
    "opening": opening,
    "reading": reading,
    "selectors": selectors,
    "text": patching,
    "tools": tools,
    "questions": questions,
    "memory": memory,
    "durability": durability,
}


def measure(names: Iterable[str], scale: Scale, say: Callable[[str], None]) -> list[Row]:
    """Run benchmarks one after the other; ``say`` is told which."""
    rows: list[Row] = []
    for name in names:
        say(name)
        rows += BENCHMARKS[name](scale)
    return rows

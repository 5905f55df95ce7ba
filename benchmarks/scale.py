"""How much is measured: the full table, a quick look, or just enough to see that it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FULL", "QUICK", "TINY", "Scale"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes and counts; ``traces`` is the folder with recorded edits, if there is one."""

    rounds: int
    """How many turns everybody takes."""
    batch: int
    """Operations in one turn: few, so that a busy machine rarely interrupts one."""
    tables: tuple[int, int, int]
    """Rows of a small, a middling and a large table."""
    deltas: int
    """Stored deltas to open."""
    openings: int
    """How often they are opened."""
    latencies: int
    """Edits followed to a remote subscriber, one by one."""
    stream: int
    """Edits sent to it in one go."""
    patches: int
    """Patches of each recorded trace."""
    flushes: int
    """Commits that are each waited for until they are durable."""
    traces: Path | None = None


FULL = Scale(
    rounds=1_000,
    batch=20,
    tables=(100, 10_000, 100_000),
    deltas=100_000,
    openings=7,
    latencies=2_000,
    stream=60_000,
    patches=100_000,
    flushes=400,
)
QUICK = Scale(
    rounds=150,
    batch=10,
    tables=(100, 1_000, 10_000),
    deltas=10_000,
    openings=3,
    latencies=200,
    stream=5_000,
    patches=3_000,
    flushes=40,
)
TINY = Scale(
    rounds=2,
    batch=3,
    tables=(5, 10, 20),
    deltas=40,
    openings=2,
    latencies=3,
    stream=20,
    patches=20,
    flushes=3,
)

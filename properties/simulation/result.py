"""What came of a seed: how much happened, how fast, and what was wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Result"]


@dataclass(slots=True)
class Result:
    """What came of a seed."""

    seed: int
    hash: str = ""
    steps: int = 0
    cpu_seconds: float = 0.0
    virtual_seconds: float = 0.0
    actions: int = 0
    chunks: int = 0
    frames: int = 0
    syncs: int = 0
    """How many STATEs were answered."""
    reloads: int = 0
    """How often a store was opened from a file that was not new."""
    checks: int = 0
    """How often a quiet world was checked."""
    promises: int = 0
    """How many promises were given, and checked."""
    faults: Counter[str] = field(default_factory=Counter)
    """What was done to the world, by kind."""
    effects: Counter[str] = field(default_factory=Counter)
    """What came of it, by kind: one lossy link drops many frames."""
    failures: list[str] = field(default_factory=list)

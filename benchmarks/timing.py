"""Timing things against each other: small batches, taken in turns, compared pair by pair.

A machine is faster in one second than in the next. So the contestants take turns (A B C, A B C …)
in batches of a few milliseconds; a ratio is the median of the ratios of neighbouring batches, and a
time the median over all of them, with its quartiles. The garbage collector stays on, as in real
use: a full collection lands in one batch of many, so medians do not show it, but means do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter_ns

__all__ = ["Batch", "Contestant", "Figure", "Timing", "interleave", "summary"]

Batch = Callable[[range], object]
"""Does one operation for each number; numbers never come again. May return the ns it took."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A median between its quartiles; ``unit`` is ns, B, "/s" or x."""

    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class Contestant:
    """What is timed, and what is done before each batch without being timed."""

    run: Batch
    prepare: Batch | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Nanoseconds an operation took, in each round."""

    rounds: tuple[float, ...]

    @property
    def figure(self) -> Figure:
        """The median operation."""
        return summary(self.rounds, "ns")

    @property
    def per_second(self) -> Figure:
        """How many in a second: quartiles by round, and as value what all the rounds came to."""
        rates = summary([1e9 / ns for ns in self.rounds], "/s")
        overall = 1e9 * len(self.rounds) / sum(self.rounds)
        return Figure(overall, rates.low, rates.high, "/s")

    def ratio(self, floor: Timing) -> Figure:
        """How many times as long as ``floor``, which took turns with this."""
        return summary([a / b for a, b in zip(self.rounds, floor.rounds, strict=True)], "x")


def summary(values: list[float] | tuple[float, ...], unit: str) -> Figure:
    """Return the median and the quartiles of some values."""
    if len(values) < 2:
        return Figure(values[0], values[0], values[0], unit)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Figure(median(values), low, high, unit)


def interleave(
    contestants: Mapping[str, Contestant], *, rounds: int, batch: int, warmup: int = 2
) -> dict[str, Timing]:
    """Let all contestants do a batch in turn, again and again; the first rounds do not count."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(warmup + rounds):
        numbers = range(number * batch, (number + 1) * batch)
        for name, contestant in contestants.items():
            if contestant.prepare is not None:
                contestant.prepare(numbers)
            start = perf_counter_ns()
            own = contestant.run(numbers)
            elapsed = perf_counter_ns() - start
            if number >= warmup:
                taken[name].append((own if isinstance(own, int) else elapsed) / batch)
    return {name: Timing(tuple(found)) for name, found in taken.items()}

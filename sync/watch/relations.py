"""What happened before what: an event comes after its causes and all that came before them.

Two events of which neither is in the other's past are concurrent: nobody who made one could have
known of the other. A cause that came to light late may have a higher number than its effect, so
nothing here relies on numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.watch.model import Event, Model

__all__ = ["Past", "concurrent_with", "past_of"]


@dataclass(frozen=True, slots=True)
class Past:
    """All that happened before event ``n``, and all that happened after it."""

    n: int
    before: frozenset[int]
    after: frozenset[int]

    def concurrent(self, n: int) -> bool:
        """Tell whether event ``n`` and this one did not know of each other."""
        return n != self.n and n not in self.before and n not in self.after


def past_of(model: Model, n: int) -> Past:
    """Return the past and the future of an event, among the events that are known."""
    causes = {event.n: event.causes for event in model}
    effects: dict[int, list[int]] = {}
    for event in model:
        for cause in event.causes:
            effects.setdefault(cause, []).append(event.n)
    return Past(n, _reached(n, causes), _reached(n, effects))


def _reached(n: int, arrows: Mapping[int, Sequence[int]]) -> frozenset[int]:
    found: set[int] = set()
    ahead = [n]
    while ahead:
        new = [each for each in arrows.get(ahead.pop(), ()) if each not in found]
        found.update(new)
        ahead += new
    return frozenset(found)


def concurrent_with(event: Event, pasts: Mapping[int, Past]) -> bool:
    """Tell whether any work of ``event`` is concurrent with any of the acts that ``pasts`` has."""
    return any(past.concurrent(n) for past in pasts.values() for n in event.work)

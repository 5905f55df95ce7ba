"""Happened-before among events, exact and cheap to ask.

Events are split into chains, each a line of events of which each happened before the next; mostly
there is one for each replica. Of every event we keep how far it reaches along each chain (a vector
clock: C. Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering", 1988,
and F. Mattern, "Virtual Time and Global States of Distributed Systems", 1989), so one comparison
answers whether one event happened before another.

Vectors are computed when somebody asks, and again from the start if causes changed meanwhile. An
event may get a cause with a higher number than its own, when a process tells late of what others
have told already; what would then be a circle, which no honest processes tell, is cut somewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Protocol

__all__ = ["Caused", "Order"]


class Caused(Protocol):
    """An event as this module sees it; a leaf happened after others, but before none."""

    @property
    def n(self) -> int: ...
    @property
    def replica(self) -> str: ...
    @property
    def causes(self) -> Sequence[int]: ...
    @property
    def leaf(self) -> bool: ...


class Order:
    """The causal order of ``events``, whose first has the number ``first``.

    Who changes the list says so: ``changed(n)`` if the causes of an event that was there did,
    ``trimmed(first)`` if events were let go.
    """

    def __init__(self, events: Sequence[Caused]) -> None:
        self._events = events
        self._first = 0
        self._late = False
        self._forget()

    def _forget(self) -> None:
        self._vectors: list[tuple[int, ...]] = []
        self._places: list[tuple[int, int]] = []  # chain, and place in it from 1 on
        self._lengths: list[int] = []  # of the chains
        self._chains: dict[str, list[int]] = {}

    def changed(self, n: int) -> None:
        """Take into account that the causes of event ``n`` have changed."""
        if n - self._first < len(self._vectors):
            self._forget()
        if any(cause > n for cause in self._events[n - self._first].causes):
            self._late = True

    def trimmed(self, first: int) -> None:
        """Take into account that events before ``first`` are gone."""
        self._first = first
        self._forget()

    def before(self, n: int, m: int) -> bool:
        """Whether event ``n`` happened before event ``m``."""
        self._compute()
        chain, place = self._places[n - self._first]
        if n == m or chain < 0:
            return False
        vector = self._vectors[m - self._first]
        return chain < len(vector) and vector[chain] >= place

    def vector(self, n: int) -> tuple[int, ...]:
        """Return how far event ``n`` reaches along each chain."""
        self._compute()
        return self._vectors[n - self._first]

    def concurrent(self, n: int) -> list[int]:
        """Return the events that happened neither before nor after ``n``, without leaves."""
        self._compute()
        at = n - self._first
        chain, place = self._places[at]
        vector = self._vectors[at]
        reach = len(vector)
        return [
            m + self._first
            for m, (other, there) in enumerate(self._places)
            if other >= 0
            and m != at
            and not (other < reach and vector[other] >= there)
            and not (0 <= chain < len(self._vectors[m]) and self._vectors[m][chain] >= place)
        ]

    def sequence(self) -> list[int]:
        """Return the numbers of all events, each after its causes."""
        if not self._late:
            return [event.n for event in self._events]
        waits: list[int] = []
        followers: dict[int, list[int]] = {}
        ready: list[int] = []
        for at, event in enumerate(self._events):
            causes = {c for c in event.causes if c >= self._first and c != event.n}
            waits.append(len(causes))
            for cause in causes:
                followers.setdefault(cause - self._first, []).append(at)
            if not causes:
                heappush(ready, at)
        done = [False] * len(waits)
        found: list[int] = []
        stuck = 0
        while len(found) < len(waits):
            if not ready:  # a circle: go on with the lowest number
                while done[stuck]:
                    stuck += 1
                heappush(ready, stuck)
            at = heappop(ready)
            if done[at]:
                continue
            done[at] = True
            found.append(at + self._first)
            for follower in followers.get(at, ()):
                waits[follower] -= 1
                if waits[follower] == 0 and not done[follower]:
                    heappush(ready, follower)
        return found

    def _compute(self) -> None:
        events, first = self._events, self._first
        if len(self._vectors) == len(events):
            return
        if self._late:
            self._forget()
            self._vectors = [()] * len(events)
            self._places = [(-1, 0)] * len(events)
            for n in self.sequence():
                self._vectors[n - first], self._places[n - first] = self._place(events[n - first])
        else:
            for event in events[len(self._vectors) :]:
                vector, place = self._place(event)
                self._vectors.append(vector)
                self._places.append(place)

    def _place(self, event: Caused) -> tuple[tuple[int, ...], tuple[int, int]]:
        reach: list[int] = []
        for cause in event.causes:
            if cause >= self._first:
                vector = self._vectors[cause - self._first]
                if len(vector) > len(reach):
                    reach += [0] * (len(vector) - len(reach))
                for chain, place in enumerate(vector):
                    if place > reach[chain]:
                        reach[chain] = place
        if event.leaf:
            return tuple(reach), (-1, 0)
        chains = self._chains.setdefault(event.replica, [])
        for chain in chains:
            if (reach[chain] if chain < len(reach) else 0) == self._lengths[chain]:
                break
        else:
            chain = len(self._lengths)
            self._lengths.append(0)
            chains.append(chain)
        place = self._lengths[chain] = self._lengths[chain] + 1
        reach += [0] * (chain + 1 - len(reach))
        reach[chain] = place
        return tuple(reach), (chain, place)

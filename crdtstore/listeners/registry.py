"""The listeners of one middleware, found by the type of an action.

Reading takes no lock: what is read is a tuple, made anew when it changes. Listeners that are for
one type of actions cost nothing when others are dispatched, however many they are; the rest are
asked about every action.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from typing import Any

from crdtstore.actions import Action
from crdtstore.listeners.executions import is_coroutine_function, taking
from crdtstore.listeners.instances import Instances
from crdtstore.listeners.patterns import Origin, Pattern
from crdtstore.state import RootState

__all__ = ["Entry", "Listener", "Registry", "Taker"]


class Entry:
    """Something that wants to be told of what ``pattern`` is for; ``order`` is its place."""

    __slots__ = ("order", "origin", "pattern")

    def __init__(self, pattern: Pattern, origin: Origin) -> None:
        self.pattern = pattern
        self.origin = origin
        self.order = 0

    def heeds(self, store: object) -> bool:
        """Whether it wants to be told of what happens in this store."""
        return True


class Listener(Entry):
    """A pattern and its effect; ``loop`` is the event loop that ran where it was added.

    ``call`` is the effect as it is called, with an action and the API, however few it takes.
    """

    __slots__ = ("call", "effect", "instances", "is_coroutine", "loop")

    def __init__(
        self,
        pattern: Pattern,
        origin: Origin,
        effect: Callable[..., Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        super().__init__(pattern, origin)
        self.effect = effect
        self.call = taking(effect, ("action", "api"), "effect=")
        self.loop = loop
        self.is_coroutine = is_coroutine_function(effect)
        self.instances = Instances()

    def is_same(self, pattern: Pattern, origin: Origin, effect: Callable[..., Any]) -> bool:
        """Whether it is what adding these would make."""
        return bool(
            self.pattern.key == pattern.key and self.effect == effect and self.origin == origin
        )


class Taker(Entry):
    """A pattern that the effect of one store waits for."""

    __slots__ = ("found", "store")

    def __init__(
        self,
        pattern: Pattern,
        origin: Origin,
        store: object,
        found: Callable[[Action[Any], RootState, RootState], object],
    ) -> None:
        super().__init__(pattern, origin)
        self.store = store
        self.found = found

    def heeds(self, store: object) -> bool:
        """Whether it wants to be told of what happens in this store."""
        return store is self.store


class _Side:
    """The entries for local or for remote work: by type, and those that any type may concern."""

    __slots__ = ("merged", "open", "typed")

    def __init__(self) -> None:
        self.typed: dict[str, tuple[Entry, ...]] = {}
        self.open: tuple[Entry, ...] = ()
        self.merged: dict[str, tuple[Entry, ...]] = {}

    def add(self, entry: Entry) -> None:
        kind = entry.pattern.type
        if kind is None:
            self.open = (*self.open, entry)
            self.merged.clear()
        else:
            self.typed[kind] = (*self.typed.get(kind, ()), entry)
            self.merged.pop(kind, None)

    def remove(self, entry: Entry) -> None:
        kind = entry.pattern.type
        if kind is None:
            self.open = tuple(kept for kept in self.open if kept is not entry)
            self.merged.clear()
        else:
            kept = tuple(kept for kept in self.typed[kind] if kept is not entry)
            if kept:
                self.typed[kind] = kept
            else:
                del self.typed[kind]
            self.merged.pop(kind, None)

    def merge(self, kind: str) -> tuple[Entry, ...]:
        typed = self.typed.get(kind)
        if typed is None:
            return self.open
        found = tuple(sorted((*typed, *self.open), key=lambda entry: entry.order))
        self.merged[kind] = found
        return found


class Registry:
    """The entries of one middleware, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._entries: dict[Entry, None] = {}
        self._local = _Side()
        self._remote = _Side()
        self.hears_of_peers = False
        """Whether an entry for remote work was ever added."""

    def local(self, kind: str) -> tuple[Entry, ...]:
        """Return the entries that a dispatched action of this type may concern."""
        side = self._local
        found = side.merged.get(kind)
        if found is None:
            found = side.open if kind not in side.typed else self._merged(side, kind)
        return found

    def remote(self, kind: str) -> tuple[Entry, ...]:
        """Return the entries that merged work of this type may concern."""
        side = self._remote
        found = side.merged.get(kind)
        return self._merged(side, kind) if found is None else found

    def _merged(self, side: _Side, kind: str) -> tuple[Entry, ...]:
        with self._lock:
            return side.merge(kind)

    def add(self, entry: Entry) -> bool:
        """Add an entry, and tell whether it was not there."""
        with self._lock:
            return self._add(entry)

    def listener(self, new: Listener) -> Listener:
        """Add a listener, unless there is the same already; return the one that is there then."""
        with self._lock:
            same = self._same(new.pattern, new.origin, new.effect)
            if same is None:
                self._add(new)
            return same or new

    def find(self, pattern: Pattern, origin: Origin, effect: Callable[..., Any]) -> Listener | None:
        """Return the listener that was added with these."""
        with self._lock:
            return self._same(pattern, origin, effect)

    def remove(self, entry: Entry) -> bool:
        """Remove an entry, and tell whether it was there."""
        with self._lock:
            if entry not in self._entries:
                return False
            del self._entries[entry]
            for side in self._sides(entry.origin):
                side.remove(entry)
            return True

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._entries.clear()
            self._local = _Side()
            self._remote = _Side()

    def _same(
        self, pattern: Pattern, origin: Origin, effect: Callable[..., Any]
    ) -> Listener | None:
        side = self._sides(origin)[0]
        among = side.open if pattern.type is None else side.typed.get(pattern.type, ())
        for entry in among:
            if isinstance(entry, Listener) and entry.is_same(pattern, origin, effect):
                return entry
        return None

    def _add(self, entry: Entry) -> bool:
        if entry in self._entries:
            return False
        entry.order = next(self._order)
        self._entries[entry] = None
        for side in self._sides(entry.origin):
            side.add(entry)
        if entry.origin != "local":
            self.hears_of_peers = True
        return True

    def _sides(self, origin: Origin) -> tuple[_Side, ...]:
        if origin == "any":
            return (self._local, self._remote)
        return (self._local if origin == "local" else self._remote,)

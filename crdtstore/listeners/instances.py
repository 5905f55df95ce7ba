"""The runs of one listener's effect that are not over yet, and what they do to one another.

Redux Toolkit runs effects one after the other, each up to its first ``await``, so an effect that
starts with ``cancel_active_listeners()`` cancels exactly those that came before, and one that
starts with ``unsubscribe()`` is followed by no other. On an event loop it is the same here: though
several actions may have been dispatched before the first effect begins, each instance looks whether
it is still wanted when it begins. On threads several begin at once. So that they do not cancel each
other, one that has not waited for anything yet cancels only those that came before.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from typing import Any

from crdtstore.listeners.executions import LISTENER_CANCELLED, LISTENER_COMPLETED, Execution

__all__ = ["Instance", "Instances"]

_numbers = itertools.count()
_NONE: tuple[float, float] = (0, 0)  # the numbers between two, both excluded


class Instance(Execution[Any]):
    """One run of a listener's effect. ``failed`` is told what it raises.

    ``groups`` are the instances of its listener, and those of the middleware.
    """

    is_coroutine: bool

    def __init__(
        self,
        name: str,
        *,
        apart: bool,
        is_coroutine: bool,
        failed: Callable[[BaseException], None],
        groups: tuple[Instances, Instances],
    ) -> None:
        super().__init__(name, apart, LISTENER_CANCELLED, LISTENER_COMPLETED)
        self.is_coroutine = is_coroutine
        self.number = next(_numbers)
        self.effect: Callable[[], Any] = _nothing
        self.joined: list[Execution[Any]] = []
        self._failed = failed
        self._own = groups[0]
        self._groups = groups
        for group in groups:
            group.add(self)

    def is_wanted(self) -> bool:
        """Whether no earlier instance unsubscribed the listener, which it began after."""
        return self._own.wants(self.number)

    def call(self) -> Any:
        """Call the effect."""
        return self.effect()

    def children(self) -> list[Execution[Any]]:
        """Return the tasks that were forked to be joined."""
        return self.joined

    def failed(self, error: BaseException) -> None:
        """Report what the effect raised."""
        self._failed(error)

    def ended(self) -> None:
        """Leave the others."""
        self.effect = _nothing  # it holds the API, which holds this
        for group in self._groups:
            group.discard(self)

    def cancels(self, other: Instance) -> bool:
        """Whether ``cancel_active_listeners`` of this one is meant for the other one."""
        if other.number <= self.number:
            return other is not self
        return other.begun and (self.waited or self.is_coroutine or not self.apart)


class Instances:
    """A set of instances, from any thread, and which of them are not to begin."""

    __slots__ = ("_all", "_lock", "_unwanted")

    def __init__(self) -> None:
        self._unwanted = _NONE
        self._lock = threading.Lock()
        self._all: dict[Instance, None] = {}

    def add(self, instance: Instance) -> None:
        """Add one that is about to start."""
        with self._lock:
            self._all[instance] = None

    def discard(self, instance: Instance) -> None:
        """Remove one that is over."""
        with self._lock:
            self._all.pop(instance, None)

    def unsubscribed(self, instance: Instance) -> None:
        """Take note that one unsubscribed: none that came after it began, at once, is wanted."""
        with self._lock:
            number = next(_numbers) if instance.waited else instance.number
            after, before = self._unwanted
            self._unwanted = (min(after, number) if before == math.inf else number, math.inf)

    def subscribed(self, at_once: bool) -> None:
        """Take note that the unsubscribed one subscribed: if ``at_once``, as if it never had been.

        Else those that came meanwhile stay unwanted, whether or not they could have begun.
        """
        with self._lock:
            if at_once:
                self._unwanted = _NONE
            elif self._unwanted[1] == math.inf:
                self._unwanted = (self._unwanted[0], next(_numbers))

    def wants(self, number: int) -> bool:
        """Tell whether an instance is to begin."""
        after, before = self._unwanted
        return not after < number < before

    def cancel(self, which: Callable[[Instance], bool] = lambda _: True) -> None:
        """Cancel those, in the order in which they came."""
        with self._lock:
            chosen = [instance for instance in self._all if which(instance)]
        for instance in chosen:
            instance.cancel()


def _nothing() -> None:
    """Stand for the effect of what has none yet, or no more."""

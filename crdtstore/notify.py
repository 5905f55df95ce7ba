"""Telling others in commit order, without holding a lock while they run.

A queue is drained by one thread at a time: whoever commits puts its news in and, unless somebody
is draining already, drains. So listeners run one at a time and in commit order, a listener may
dispatch (its news come after the current), and no thread ever waits for another's listeners.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["Listeners", "Queue", "logger"]

T = TypeVar("T")

logger = logging.getLogger("crdtstore")


class Queue(Generic[T]):
    """News in order, delivered by one thread at a time."""

    __slots__ = ("_deliver", "_lock", "items")

    def __init__(self, deliver: Callable[[T], None]) -> None:
        self._deliver = deliver
        self._lock = threading.Lock()
        self.items: deque[T] = deque()

    def put(self, item: T) -> None:
        """Add news without delivering them yet."""
        self.items.append(item)

    def drain(self) -> None:
        """Deliver everything, unless another call is at it (which then does)."""
        items = self.items
        while items and self._lock.acquire(blocking=False):
            try:
                while items:
                    self._deliver(items.popleft())
            finally:
                self._lock.release()


class Listeners(Generic[T]):
    """Callbacks that each get every piece of news; one that raises hurts nobody else."""

    __slots__ = ("callbacks",)

    def __init__(self) -> None:
        self.callbacks: dict[object, Callable[[T], Any]] = {}

    def add(self, callback: Callable[[T], Any]) -> Callable[[], None]:
        """Add a callback and return the function that removes it (harmless to call twice).

        Both are single steps of a dict, which threads may do at the same time.
        """
        entry = object()  # one callback may be added twice
        self.callbacks[entry] = callback

        def remove() -> None:
            self.callbacks.pop(entry, None)

        return remove

    def __call__(self, news: T) -> None:
        for callback in list(self.callbacks.values()):  # whatever is added or removed meanwhile
            try:
                callback(news)
            except Exception:
                logger.exception("a listener failed; the state is committed all the same")

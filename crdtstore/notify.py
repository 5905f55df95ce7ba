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

    __slots__ = ("_deliver", "_items", "_lock")

    def __init__(self, deliver: Callable[[T], None]) -> None:
        self._deliver = deliver
        self._items: deque[T] = deque()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._items)

    def put(self, item: T) -> None:
        """Add news without delivering them yet."""
        self._items.append(item)

    def drain(self) -> None:
        """Deliver everything, unless another call is at it (which then does)."""
        items = self._items
        while items and self._lock.acquire(blocking=False):
            try:
                while items:
                    self._deliver(items.popleft())
            finally:
                self._lock.release()


class Listeners(Generic[T]):
    """Callbacks that each get every piece of news; one that raises hurts nobody else."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: tuple[Callable[[T], Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[[T], Any]) -> Callable[[], None]:
        """Add a callback and return the function that removes it (harmless to call twice)."""

        def call(news: T) -> None:
            callback(news)

        self._callbacks = (*self._callbacks, call)

        def remove() -> None:
            self._callbacks = tuple(kept for kept in self._callbacks if kept is not call)

        return remove

    def __call__(self, news: T) -> None:
        for callback in self._callbacks:  # the tuple of this moment, whatever is removed meanwhile
            try:
                callback(news)
            except Exception:
                logger.exception("a listener failed; the state is committed all the same")

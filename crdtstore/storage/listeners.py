"""Telling callbacks that records became durable, in order and one at a time.

Whoever brings news delivers it, unless somebody is at it already: then that one delivers it too.
So nobody waits for anybody, a callback may itself append, and no callback sees a number fall.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ["DurableListeners"]

logger = logging.getLogger("crdtstore.storage")


class DurableListeners:
    """Callbacks for the number that ``current`` returns, which must never fall."""

    __slots__ = ("_callbacks", "_current", "_delivering", "_told")

    def __init__(self, current: Callable[[], int]) -> None:
        self._callbacks: tuple[Callable[[int], None], ...] = ()
        self._current = current
        self._delivering = threading.Lock()
        self._told = current()

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[[int], None]) -> None:
        """Have ``callback`` told of every rise from now on."""
        self._callbacks = (*self._callbacks, callback)

    def tell(self) -> None:
        """Deliver the number, if it has risen since it was delivered last."""
        # Compared anew after letting go: news that came in between found somebody delivering.
        while self._told < self._current() and self._delivering.acquire(blocking=False):
            try:
                self._told = seq = self._current()
                for callback in self._callbacks:
                    try:
                        callback(seq)
                    except Exception:
                        logger.exception("a callback for durable records raised")
            finally:
                self._delivering.release()

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
    """Callbacks, and the number that they were ``told`` last."""

    __slots__ = ("_callbacks", "_delivering", "_told")

    def __init__(self, told: int) -> None:
        self._callbacks: tuple[Callable[[int], None], ...] = ()
        self._delivering = threading.Lock()
        self._told = told

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[[int], None]) -> None:
        """Have ``callback`` told of every rise from now on."""
        self._callbacks = (*self._callbacks, callback)

    def tell(self, current: Callable[[], int]) -> None:
        """Deliver what ``current`` returns, if that has risen; it must never fall."""
        # Compared anew after letting go: news that came in between found somebody delivering.
        while self._told < current() and self._delivering.acquire(blocking=False):
            try:
                self._told = seq = current()
                for callback in self._callbacks:
                    try:
                        callback(seq)
                    except KeyboardInterrupt:
                        raise
                    except BaseException:  # pycrdt's panics are no Exceptions
                        logger.exception("a callback for durable records raised")
            finally:
                self._delivering.release()

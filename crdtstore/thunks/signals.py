"""Abort signals: how those who do some work are told that nobody wants it any more.

Coroutines hear of it by being cancelled; a signal is for the rest: plain functions on threads, and
what wants to be told (``add_callback``) rather than ask. Names are those of the web's
``AbortController`` and ``AbortSignal``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from crdtstore.errors import AbortError

__all__ = ["AbortController", "AbortSignal"]

logger = logging.getLogger("crdtstore")


class AbortSignal:
    """Tells whether something was aborted, and why; may be asked on any thread."""

    __slots__ = ("_callbacks", "_event", "_lock", "_reason")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._callbacks: list[list[Callable[[], Any]]] = []

    @property
    def aborted(self) -> bool:
        """Whether it was aborted."""
        return self._event.is_set()

    @property
    def reason(self) -> str | None:
        """Why, if that was said."""
        return self._reason

    def throw_if_aborted(self) -> None:
        """Raise ``AbortError`` if it was aborted."""
        if self.aborted:
            raise AbortError(self._reason or "Aborted")

    def wait(self, timeout: float | None = None) -> bool:
        """Block this thread until aborted, ``timeout`` seconds at most; return whether it was."""
        return self._event.wait(timeout)

    def add_callback(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call ``callback()`` when aborted, at once if that was before; return what stops that.

        It is called once, on the thread that aborts; what it raises is logged.
        """
        entry = [callback]
        with self._lock:
            if not self.aborted:
                self._callbacks.append(entry)
                return lambda: self._remove(entry)
        _call(callback)
        return lambda: None

    def _remove(self, entry: list[Callable[[], Any]]) -> None:
        with self._lock:
            self._callbacks = [kept for kept in self._callbacks if kept is not entry]

    def _abort(self, reason: str | None) -> None:
        with self._lock:
            if self.aborted:
                return
            self._reason = reason
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for entry in callbacks:
            _call(entry[0])

    def __repr__(self) -> str:
        return f"<AbortSignal: {f'aborted ({self._reason})' if self.aborted else 'not aborted'}>"


class AbortController:
    """Aborts what is given its ``signal``; the first ``abort`` counts."""

    __slots__ = ("signal",)

    def __init__(self) -> None:
        self.signal = AbortSignal()

    def abort(self, reason: str | None = None) -> None:
        """Abort, from any thread; nothing happens the second time."""
        self.signal._abort(reason)


def _call(callback: Callable[[], Any]) -> None:
    try:
        callback()
    except Exception:
        logger.exception("a callback of an abort signal failed; the others are called all the same")

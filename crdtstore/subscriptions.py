"""Telling subscribers of new states: one at a time, in commit order, and batched where asked for.

Commits hand in the new state under the store's lock; listeners run without it, on the thread that
committed or wherever ``notify`` sends them. A batch tells once, at its end; a low-priority change
waits for the next normal one or for the appointment of ``autobatch``, as in Redux Toolkit's
``autoBatchEnhancer``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from crdtstore.autobatch import AutoBatch, should_auto_batch
from crdtstore.notify import Listeners, Queue, logger
from crdtstore.state import RootState

__all__ = ["Subscriptions"]


class Subscriptions:
    """The subscribers of one store, and what they are still to be told.

    ``lock`` is the store's and ``get_state`` returns its state; ``notify`` is called with the
    function that calls the subscribers.
    """

    def __init__(
        self,
        lock: Any,
        get_state: Callable[[], RootState],
        notify: Callable[[Callable[[], None]], Any] | None,
        auto_batch: AutoBatch,
    ) -> None:
        self._lock = lock
        self._get_state = get_state
        self._notify = notify
        self._auto_batch = auto_batch
        self._batches = 0
        self._unbatched: RootState | None = None
        self._deferred = False
        self._told = 0
        self._listeners: Listeners[tuple[int, RootState]] = Listeners()
        self._news: Queue[tuple[int, RootState]] = Queue(self._listeners)

    def changed(self, state: RootState, *, defer: bool = False) -> None:
        """Note a new state, with the lock held; ``tell`` when it is released."""
        if not self._listeners.callbacks or self._batches:
            return
        if defer and self._auto_batch.enabled:
            self._deferred = True
            return
        self._settle()
        self._announce(state)

    def unchanged(self, action: Any) -> None:
        """Tell what was put off, for ``action``, which changed nothing, is no reason to wait on."""
        if self._deferred and not should_auto_batch(action):
            self._auto_batch.settle()
            self._tell_deferred()

    def _settle(self) -> None:
        if self._deferred:
            self._deferred = False
            self._auto_batch.settle()

    def _announce(self, state: RootState) -> None:
        self._told += 1
        self._news.put((self._told, state))

    def _tell_deferred(self) -> None:
        with self._lock:
            if not self._deferred:
                return
            self._deferred = False
            if not self._batches:
                self._announce(self._get_state())
        self.tell()

    def tell(self) -> None:
        """Call the listeners, without the lock, or see to it that it is done in time."""
        if self._deferred:
            self._auto_batch.defer(self._tell_deferred)
        if self._notify is None:
            self._news.drain()
        elif self._news.items:
            try:
                self._notify(self._news.drain)
            except Exception:  # a loop that is closed, say
                logger.exception("notify= failed; the state is committed all the same")

    def close(self) -> None:
        """Tell what was put off, and put off no more."""
        self._auto_batch.close()
        self._tell_deferred()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Tell once, at the end, of everything that changes inside."""
        with self._lock:
            if not self._batches:
                self._unbatched = self._get_state()
            self._batches += 1
        try:
            yield
        finally:
            with self._lock:
                self._batches -= 1
                state = self._get_state()
                if not self._batches and state is not self._unbatched:
                    self._settle()
                    self._announce(state)
            self.tell()

    def add(
        self, selector: Callable[..., Any], listener: Callable[..., Any] | None
    ) -> Callable[[], None]:
        """Add a listener, or a selector and a listener; return the function that removes it."""
        with self._lock:
            since = self._told  # what waits to be told is older than what this listener knows
            last = [None if listener is None else selector(self._get_state())]

        def check(news: tuple[int, RootState]) -> None:
            number, state = news
            if number <= since:
                return
            if listener is None:
                selector()
                return
            value, previous = selector(state), last[0]
            if value is not previous:
                last[0] = value
                if value != previous:
                    listener(value, previous)

        return self._listeners.add(check)

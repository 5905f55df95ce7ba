"""Telling hooks of commits: those that want each at once, and those that want it durable first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from crdtstore.notify import Listeners, Queue
from crdtstore.replication import Commit
from crdtstore.storage import Storage

__all__ = ["CommitHooks"]


class CommitHooks:
    """The commit hooks of one store, both kinds in commit order. ``add`` and ``put`` want its lock.

    A commit is durable when ``storage`` says so, perhaps from a thread of its own.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._listening = False
        self._hooks: Listeners[Commit] = Listeners()
        self._news: Queue[Commit] = Queue(self._hooks)
        self._durable_hooks: Listeners[Commit] = Listeners()
        self._durable: Queue[Commit] = Queue(self._durable_hooks)
        self._undurable: deque[Commit] = deque()
        self._lock = threading.Lock()

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told."""
        return bool(self._hooks.callbacks or self._durable_hooks.callbacks)

    def add(self, callback: Callable[[Commit], Any], *, durable: bool) -> Callable[[], None]:
        """Add a hook and return the function that removes it."""
        if not durable:
            return self._hooks.add(callback)
        if not self._listening:
            self._listening = True
            self._storage.on_durable(self.durable)
        return self._durable_hooks.add(callback)

    def put(self, commit: Commit) -> None:
        """Note a commit without telling of it yet."""
        if self._hooks.callbacks:
            self._news.put(commit)
        if self._durable_hooks.callbacks:
            self._undurable.append(commit)

    def tell(self) -> None:
        """Tell of what was noted, without the store's lock."""
        if self._undurable:
            self.durable(self._storage.durable_seq)
        if self._news.items:
            self._news.drain()

    def durable(self, seq: int) -> None:
        """Tell of the commits up to ``seq``, which storage holds now."""
        waiting = self._undurable
        with self._lock:  # called from the storage's threads and from those that commit
            while waiting and waiting[0].seq <= seq:
                self._durable.put(waiting.popleft())
        self._durable.drain()

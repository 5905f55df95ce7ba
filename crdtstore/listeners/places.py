"""Where effects run: on the event loop of the program's own that concerns them, or else apart.

*Apart* is the store's loop thread, which gives plain functions threads of their own. What this
store dispatches concerns the loop that runs where it is dispatched. What peers did is told on
whatever thread merges it, a network thread of theirs as a rule, whose loop must not be held up: so
that concerns the loop that ran where the listener was added, as long as it runs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from crdtstore.errors import ClosedError
from crdtstore.listeners.executions import Execution
from crdtstore.tasks import Tasks, running_loop

__all__ = ["Place"]

Loop = asyncio.AbstractEventLoop


class Place:
    """Where one store's effects run."""

    __slots__ = ("tasks",)

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks

    def here(self) -> Loop | None:
        """Return the event loop that runs in this thread, unless it is the store's own."""
        loop = running_loop()
        return None if loop is None or self.tasks.is_own(loop) else loop

    def of(self, loop: Loop | None) -> Loop | None:
        """Return ``loop``, unless it does not run (any more), or is the store's own."""
        if loop is None or not loop.is_running() or self.tasks.is_own(loop):
            return None
        return loop

    def start(self, execution: Execution[Any], loop: Loop | None) -> None:
        """Start it on ``loop``, or apart; raises if that cannot be, and it is cancelled then."""
        here = running_loop()
        if here is loop or (loop is None and here is not None and self.tasks.is_own(here)):
            execution.start(self.tasks)
            return
        try:
            elsewhere = self.tasks.own_loop() if loop is None else loop
            elsewhere.call_soon_threadsafe(self._start, execution)
        except BaseException:
            execution.cancel()
            raise

    def _start(self, execution: Execution[Any]) -> None:
        with suppress(ClosedError):  # just now
            execution.start(self.tasks)

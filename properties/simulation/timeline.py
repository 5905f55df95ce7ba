"""Virtual time: one heap of events for all processes, and an asyncio event loop for each of them.

Time jumps to the next event when nothing is ready, so an hour costs what happens in it. Every
process of a simulation has an event loop of its own, as on machines of their own: one can be
paused, or killed in the middle of whatever it waits for, and nothing of the others stops.

A *step* is one event handled: an action dispatched, a frame delivered (or a chunk of bytes that
completes none), a timer fired, a write to a disk done, a fault injected. What an event makes ready
at once (``call_soon``) belongs to it and is not counted, nor is an event that finds nobody there.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context
from hashlib import blake2b
from heapq import heappop, heappush
from struct import Struct
from typing import Any

__all__ = ["Handle", "ProcessLoop", "Timeline", "new_loop"]

_moment = Struct("<dI").pack


class Handle:
    """Something to be called; ``loop`` is that of the process it belongs to, None for the world."""

    __slots__ = ("args", "callback", "context", "gone", "loop", "moment")

    def __init__(
        self,
        loop: ProcessLoop | None,
        moment: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> None:
        self.loop = loop
        self.moment = moment
        self.callback = callback
        self.args = args
        self.context = context
        self.gone = False

    def cancel(self) -> None:
        """Do not call it."""
        self.gone = True

    def cancelled(self) -> bool:
        """Whether it is not to be called."""
        return self.gone

    def when(self) -> float:
        """The time it is due at, by its loop's clock."""
        return self.moment

    def __lt__(self, other: Handle) -> bool:  # only for type checkers: the heap compares numbers
        return self.moment < other.moment


class Timeline:
    """All that is to happen, in order; ``now`` is in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.hash = blake2b(digest_size=16)
        """Of everything that happened: equal for equal runs."""
        self.stopped = False
        self._heap: list[tuple[float, int, Handle]] = []
        self._ready: deque[Handle] = deque()
        self._number = 0

    def at(
        self,
        moment: float,
        loop: ProcessLoop | None,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """Call ``callback`` at ``moment``, or at once if that is over."""
        handle = Handle(loop, moment, callback, args, context)
        self._number = number = self._number + 1
        heappush(self._heap, (moment, number, handle))
        return handle

    def soon(self, handle: Handle) -> None:
        """Call it when everything that is ready before it has been called."""
        self._ready.append(handle)

    @property
    def waiting(self) -> int:
        """How many events are to come."""
        return len(self._heap)

    def run(self, until: float, steps: int = 1 << 62) -> None:
        """Let time pass up to ``until``, for ``steps`` steps at most, or till ``stopped``."""
        ready, heap, update = self._ready, self._heap, self.hash.update
        last = self.steps + steps
        current: ProcessLoop | None = None
        try:
            while True:
                while ready:
                    handle = ready.popleft()
                    loop = handle.loop
                    if handle.gone:
                        continue
                    if loop is not current:
                        current = loop
                        events._set_running_loop(loop)
                    if loop is not None and loop.held is not None:
                        loop.held.append(handle)
                        continue
                    if handle.context is None:
                        handle.callback(*handle.args)
                    else:
                        handle.context.run(handle.callback, *handle.args)
                if self.stopped or self.steps >= last:
                    return
                if not heap or heap[0][0] > until:
                    self.now = max(self.now, until)
                    return
                moment, number, handle = heappop(heap)
                if handle.gone:
                    continue
                loop = handle.loop
                if loop is not None and loop.held is not None:
                    loop.held.append(handle)
                    continue
                if moment > self.now:
                    self.now = moment
                self.steps += 1
                update(_moment(moment, number & 0xFFFFFFFF))
                if loop is not current:
                    current = loop
                    events._set_running_loop(loop)
                if handle.context is None:
                    handle.callback(*handle.args)
                else:
                    handle.context.run(handle.callback, *handle.args)
        finally:
            events._set_running_loop(None)

    def note(self, data: bytes) -> None:
        """Take ``data`` into the hash of what happened."""
        self.hash.update(data)


class _Forgetful(list[Handle]):
    """What a dead process has to do: nothing."""

    def append(self, handle: Handle) -> None:
        handle.gone = True
        handle.args = ()


class ProcessLoop(asyncio.AbstractEventLoop):
    """The event loop of one simulated process; what of asyncio it lacks, ``sync`` does not use."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.held: list[Handle] | None = None
        """Where callbacks go that must wait, while the process is paused or dead."""
        self.handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._closed = False

    # ---- fate ----

    def pause(self) -> None:
        """Do nothing until ``resume``, as a process that was stopped or a machine that slept."""
        if self.held is None:
            self.held = []

    def resume(self) -> None:
        """Go on with everything that should have happened meanwhile."""
        held, self.held = self.held, None
        for handle in held or ():
            self.timeline.soon(handle)

    def kill(self) -> None:
        """End here and now: nothing of this process is ever called again."""
        self.held = _Forgetful()
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            if coroutine is not None and not task.done():
                with suppress(RuntimeError):  # it wants to wait for something even now
                    coroutine.close()
        self._closed = True

    # ---- asyncio ----

    def time(self) -> float:
        return self.timeline.now

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(self, 0.0, callback, args, context)
        self.timeline.soon(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        if self._closed:
            raise RuntimeError("this event loop is closed")
        handle = Handle(self, 0.0, callback, args, context)
        self.timeline.soon(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        timeline = self.timeline
        return timeline.at(timeline.now + delay, self, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        return self.timeline.at(when, self, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, Any] | Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name or "", context=context)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    async def shutdown_default_executor(self) -> None:
        """There is none."""

    def set_exception_handler(self, handler: Any) -> None:
        self.handler = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.handler is not None and not isinstance(self.held, _Forgetful):
            self.handler(self, context)


def new_loop(timeline: Timeline) -> ProcessLoop:
    """The loop of a new process."""
    return ProcessLoop(timeline)  # type: ignore[abstract]

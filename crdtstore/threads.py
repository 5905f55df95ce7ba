"""Plain functions on threads of their own, each free to block.

There is no bound: functions that wait for one another could use up any number of shared threads
and then wait for ever. Threads that have nothing to do any more are kept for some seconds, and used
again.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, TypeVar

__all__ = ["Worker", "in_thread"]

T = TypeVar("T")

_IDLE = 5.0  # seconds that a thread with nothing to do waits for more
_MOST_IDLE = 16  # threads that do so


class Worker:
    """A daemon thread that does one thing, and then others if there are some soon.

    Who gives it something waits until it is at it, so that things begin in the order in which they
    were given to several of them, as they do with new threads.
    """

    __slots__ = ("_queue", "_taken", "_thread")

    idle: ClassVar[deque[Worker]] = deque()

    @classmethod
    def begin(cls, call: Callable[[], None], name: str) -> None:
        """Call this at once, on a thread that does nothing else meanwhile."""
        try:
            worker = cls.idle.pop()  # the one that was busy last
        except IndexError:
            worker = cls()
            worker._thread.start()
        worker._queue.put((call, name))
        worker._taken.acquire()

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Callable[[], None], str]] = queue.SimpleQueue()
        self._taken = threading.Lock()
        self._taken.acquire()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        call, self._thread.name = self._queue.get()
        while True:
            self._taken.release()
            call()
            del call  # and all that it holds
            if len(self.idle) >= _MOST_IDLE:
                return
            self._thread.name = "crdtstore-idle"
            self.idle.append(self)
            try:
                call, self._thread.name = self._queue.get(timeout=_IDLE)
            except queue.Empty:
                try:
                    self.idle.remove(self)
                except ValueError:  # taken just now
                    call, self._thread.name = self._queue.get()
                else:
                    return


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Worker.idle.clear)  # threads do not survive a fork


async def in_thread(function: Callable[[], T], name: str) -> T:
    """Call a function that may block, on a daemon thread of its own, and return its result.

    A thread each, where ``asyncio.to_thread`` shares a few: functions that wait for one another
    could use those up and then wait for ever. Threads that have nothing to do any more are kept for
    some seconds, and used again. Cancelled, this ends at once; the function goes on, and its result
    is dropped.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(value: T | None, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((value, error))

    def call() -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            try:
                value = context.run(function)
            except BaseException as error:
                loop.call_soon_threadsafe(deliver, None, error)
            else:
                loop.call_soon_threadsafe(deliver, value, None)

    Worker.begin(call, name)
    value, error = await done
    if error is not None:
        try:
            raise error
        finally:
            del error, done
    return value  # type: ignore[return-value]

"""Tasks that an effect forks, and what effects and tasks wait with."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from crdtstore.errors import ClosedError
from crdtstore.listeners.executions import TASK_CANCELLED, TASK_COMPLETED, Execution
from crdtstore.listeners.results import TaskResult
from crdtstore.listeners.waits import Wait, deliver, fail, settle
from crdtstore.tasks import Running, Tasks, running_loop
from crdtstore.thunks.signals import AbortSignal
from crdtstore.waitable import Waitable

__all__ = ["Fork", "ForkApi", "ForkedTask"]

T = TypeVar("T")
V = TypeVar("V")


class ForkApi:
    """What a forked task works with. Its waits end when it, or its listener, is cancelled or over.

    ``await`` them in coroutines and ``.wait()`` for them in plain functions. What is cancelled
    gets ``asyncio.CancelledError`` where it awaits, and ``TaskAbortError`` where it waits.
    """

    def __init__(self, execution: Execution[Any], tasks: Tasks) -> None:
        self._execution = execution
        self._tasks = tasks

    @property
    def signal(self) -> AbortSignal:
        """Tells that this was cancelled or is over; ``reason`` is the code of ``TaskAbortError``.

        ``listener-cancelled``, ``listener-completed``, ``task-cancelled`` or ``task-completed``.
        """
        return self._execution.signal

    def throw_if_cancelled(self) -> None:
        """Raise ``TaskAbortError`` if this was cancelled or is over."""
        if self.signal.aborted:
            raise self._execution.abort_error()

    def delay(self, seconds: float) -> Wait[None]:
        """Return what is done after so many seconds (Redux Toolkit counts milliseconds)."""
        future, wait = self._pending(f"delay({seconds})")
        self._settle_after(seconds, future, None)
        return wait

    def pause(self, awaitable: Awaitable[T] | concurrent.futures.Future[T]) -> Wait[T]:
        """Return what ends as ``awaitable`` does, unless this is cancelled or over before.

        A coroutine is run, at once, and cancelled with this; tasks and futures are only looked at.
        """
        future, wait = self._pending("pause()")
        if isinstance(awaitable, Waitable):
            awaitable.on_done(lambda done: deliver(future, done.wait))
        elif isinstance(awaitable, concurrent.futures.Future):
            awaitable.add_done_callback(lambda done: deliver(future, done.result))
        elif isinstance(awaitable, asyncio.Future):
            _watch(awaitable, future)
        elif inspect.isawaitable(awaitable):
            self._follow(awaitable, future)
        else:
            raise TypeError(f"pause takes something to await, got {awaitable!r:.80}")
        return wait

    def _pending(self, name: str) -> tuple[concurrent.futures.Future[Any], Wait[Any]]:
        """Return a future that fails when this is cancelled or over, and how one waits for it."""
        execution = self._execution
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        forget = self.signal.add_callback(lambda: fail(future, execution.abort_error()))
        future.add_done_callback(lambda _: forget())

        def begins() -> None:
            execution.waited = True

        return future, Wait(future, name, begins)

    def _settle_after(self, seconds: float, future: concurrent.futures.Future[T], value: T) -> None:
        async def timer() -> None:
            await asyncio.sleep(seconds)
            settle(future, value)

        self._meanwhile(timer(), future)

    def _follow(self, awaitable: Awaitable[T], future: concurrent.futures.Future[T]) -> None:
        async def follow() -> T:
            return await awaitable

        work = awaitable if inspect.iscoroutine(awaitable) else follow()
        running = self._meanwhile(work, future)
        if running is not None:
            running.on_done(lambda done: deliver(future, done.wait))

    def _meanwhile(
        self, work: Coroutine[Any, Any, V], future: concurrent.futures.Future[Any]
    ) -> Running[V] | None:
        """Run a coroutine until the future is done."""
        if future.done():
            work.close()
            return None
        try:
            running = self._tasks.run(work, f"a wait of {self._execution.name}")
        except ClosedError:
            self._execution.cancel()  # which is what is about to happen anyway
            return None
        future.add_done_callback(lambda _: running.cancel())
        return running


class Fork(Execution[T], Generic[T]):
    """One run of a forked task, which is cancelled with its parent."""

    is_coroutine: bool

    def __init__(
        self,
        executor: Callable[[ForkApi], Any],
        parent: Execution[Any],
        tasks: Tasks,
        *,
        apart: bool,
        is_coroutine: bool,
    ) -> None:
        super().__init__(f"a task of {parent.name}", apart, TASK_CANCELLED, TASK_COMPLETED)
        self._unlink: Callable[[], None] = _nothing
        self.is_coroutine = is_coroutine
        self._executor = executor
        self._api = ForkApi(self, tasks)
        self._unlink = parent.signal.add_callback(lambda: self.cancel(parent.signal.reason))

    def call(self) -> Any:
        """Call the executor."""
        return self._executor(self._api)

    def ended(self) -> None:
        """Be independent of the parent."""
        self._unlink()


class ForkedTask(Generic[T]):
    """A task under way: wait for its ``result``, or ``cancel`` it."""

    __slots__ = ("_fork", "result")

    def __init__(self, fork: Fork[T], result: Wait[TaskResult[T]]) -> None:
        self._fork = fork
        self.result = result
        """How it ends, once it has; a wait of the effect's like others."""

    def cancel(self) -> None:
        """Cancel it, if it is not over; if it has not begun, it never will."""
        self._fork.cancel()

    def __repr__(self) -> str:
        return f"<ForkedTask: {'done' if self._fork.outcome.done() else 'pending'}>"


def _watch(watched: asyncio.Future[T], future: concurrent.futures.Future[T]) -> None:
    def watch() -> None:
        watched.add_done_callback(lambda done: deliver(future, done.result))

    loop = watched.get_loop()
    if running_loop() is loop:
        watch()
    else:
        loop.call_soon_threadsafe(watch)


def _nothing() -> None:
    """Stand for what is not there yet."""

"""One run of an effect, or of a task that it forked: begun, cancelled, over, each at most once.

Redux Toolkit runs an effect inside ``dispatch`` up to its first ``await``. Here a dispatch only
starts it, and it *begins* a little later: on the event loop that it was started on or, where none
ran, on the store's loop thread, which gives plain functions threads of their own. So there is a
time when it can be cancelled without having begun, and then it never begins. The rules:

1. Whoever cancels aborts the signal; everything else follows from that. The coroutine is cancelled
   first of all, so that it sees asyncio's ``CancelledError``, and what it waits for fails after.
2. A coroutine is over when it has ended, its cleaning up included. So is a plain function; but
   since nothing can interrupt a thread, one whose loop thread ends (the store closes) is not waited
   for.
3. When it is over the signal is aborted in any case, so that nothing waits on its behalf any more;
   a loop that ends and a store that closes cancel the coroutine only, and the signal tells then.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from crdtstore.errors import TaskAbortError
from crdtstore.listeners.results import TaskCancelled, TaskRejected, TaskResolved, TaskResult
from crdtstore.listeners.waits import settle
from crdtstore.tasks import Running, Tasks
from crdtstore.threads import in_thread
from crdtstore.thunks.signals import AbortController, AbortSignal
from crdtstore.waitable import Waitable

__all__ = [
    "LISTENER_CANCELLED",
    "LISTENER_COMPLETED",
    "TASK_CANCELLED",
    "TASK_COMPLETED",
    "Execution",
    "is_coroutine_function",
    "taking",
]

T = TypeVar("T")

LISTENER_CANCELLED = "listener-cancelled"
LISTENER_COMPLETED = "listener-completed"
TASK_CANCELLED = "task-cancelled"
TASK_COMPLETED = "task-completed"


class Execution(Generic[T]):
    """A function that runs once, where ``tasks`` runs it; ``apart`` if no user's loop is there.

    ``cancelled`` and ``completed`` are the codes that its signal is aborted with.
    """

    def __init__(self, name: str, apart: bool, cancelled: str, completed: str) -> None:
        self.name = name
        self.apart = apart
        self.begun = False
        self.waited = False
        """Whether it has waited for anything: the end of what runs "at once" elsewhere."""
        self.outcome: concurrent.futures.Future[TaskResult[T]] = concurrent.futures.Future()
        self._codes = (cancelled, completed)
        self._controller = AbortController()
        self._lock = threading.Lock()
        self._running: Running[None] | None = None
        self._interruptible = False
        self._over = False
        self.signal.add_callback(self._aborted)  # before all others: rule 1

    @property
    def signal(self) -> AbortSignal:
        """What tells that it was cancelled, or is over."""
        return self._controller.signal

    def cancel(self, code: str | None = None) -> None:
        """Cancel it, for its own reason or another; nothing happens if it is over."""
        self._controller.abort(code or self._codes[0])

    def abort_error(self) -> TaskAbortError:
        """Return what to raise on its behalf, now that its signal is aborted."""
        return TaskAbortError(self.signal.reason or self._codes[0])

    def start(self, tasks: Tasks) -> None:
        """Start it, in this thread's loop or in that of ``tasks``; raises if that cannot be."""
        work = self._main()
        try:
            self._running = tasks.run(work, self.name)
        except BaseException:
            work.close()
            self.cancel()
            raise
        self._running.on_done(lambda _: self._finish(None))  # also if it never took a step
        if self.signal.aborted:
            self._aborted()  # who cancelled it meanwhile did not know of the coroutine

    # What it does, and what becomes of it: for those who know what it is

    def call(self) -> Any:
        """Call the function."""
        raise NotImplementedError

    is_coroutine = False
    """Whether the function is a coroutine function, which needs no thread."""

    def is_wanted(self) -> bool:
        """Whether it is still to begin, now that it could; else it is cancelled."""
        return True

    def children(self) -> Sequence[Execution[Any]]:
        """Return what must be over before this is."""
        return ()

    def failed(self, error: BaseException) -> None:
        """Take note of what the function raised, if nobody had cancelled it."""

    def ended(self) -> None:
        """Take note that it is over."""

    # Its life

    async def _main(self) -> None:
        if not self.is_wanted():
            self.cancel()
        with self._lock:  # either it begins, or whoever cancelled it knows that it never will
            if self.signal.aborted:
                return
            self.begun = True
        result: TaskResult[T] | None = None
        try:
            result = await self._perform()
            self._interruptible = True
            if not self.signal.aborted:
                for child in self.children():
                    await Waitable(child.outcome, child.name)
        except asyncio.CancelledError:
            raise  # and whether anybody cancelled it, or its loop ended: it was cancelled
        except BaseException as error:  # an interrupt, which concerns the loop as well
            result = TaskRejected(error)
            self.failed(error)
            raise
        finally:
            self._finish(result)

    async def _perform(self) -> TaskResult[T]:
        try:
            value: T = await self._called()
        except TaskAbortError as error:
            return TaskCancelled(error)
        except Exception as error:
            if not self.signal.aborted:
                self.failed(error)
            return TaskRejected(error)
        return TaskCancelled(self.abort_error()) if self.signal.aborted else TaskResolved(value)

    async def _called(self) -> Any:
        if self.apart and not self.is_coroutine:
            value = await in_thread(self.call, self.name)
            self._interruptible = True
        else:
            self._interruptible = True
            value = self.call()
        if not inspect.isawaitable(value):
            return value
        if self.signal.aborted:  # before it could be interrupted
            if inspect.iscoroutine(value):
                value.close()
            raise self.abort_error()
        return await value

    def _aborted(self) -> None:
        with self._lock:
            begun = self.begun
        if self._over:
            return
        if self._running is not None and (self._interruptible or not begun):
            self._running.cancel(self.signal.reason)
        if not begun:
            self._finish(None)

    def _finish(self, result: TaskResult[T] | None) -> None:
        with self._lock:
            if self._over:
                return
            self._over = True
        self._controller.abort(self._codes[0 if result is None else 1])
        if result is None:
            result = TaskCancelled(self.abort_error())
        settle(self.outcome, result)
        self.ended()


def taking(function: Callable[..., Any], names: tuple[str, ...], what: str) -> Callable[..., Any]:
    """Return what is called with all of ``names``, of a function that may take only the first.

    Raises ``TypeError`` if it needs more than these; ``what`` is what it is in that message.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin without one
        return function
    for count in range(len(names), -1, -1):
        try:
            signature.bind(*names[:count])
        except TypeError:
            continue
        break
    else:
        raise TypeError(
            f"{what} is a function of ({', '.join(names)}), or of the first of them; got a "
            f"function of {signature}"
        )
    return function if count == len(names) else lambda *given: function(*given[:count])


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Tell whether calling it makes a coroutine, be it a function or an object."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )

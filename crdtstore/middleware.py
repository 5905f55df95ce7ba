"""Middleware: what sits between ``store.dispatch`` and the reducers, composed as in Redux.

``middleware(api)(next)(action)``: ``api`` offers ``dispatch`` and ``get_state``, ``next`` hands
the action on. The thunk middleware, there by default, runs functions that are dispatched: plain
ones at once, coroutine functions on the running event loop, or on a loop thread of the store's
where none runs, and both kinds can be waited for in the same way.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from crdtstore.actions import ActionCreator
from crdtstore.errors import ClosedError
from crdtstore.waitable import Waitable

__all__ = ["Dispatch", "LoopThread", "Middleware", "MiddlewareAPI", "compose", "thunk_middleware"]

Dispatch = Callable[[Any], Any]


class MiddlewareAPI(Protocol):
    """What a middleware sees of the store."""

    def dispatch(self, action: Any, /) -> Any:
        """Dispatch from the start of the chain."""

    def get_state(self) -> Any:
        """Return the current root state."""


Middleware = Callable[[MiddlewareAPI], Callable[[Dispatch], Dispatch]]


def compose(api: MiddlewareAPI, middleware: Sequence[Middleware], last: Dispatch) -> Dispatch:
    """Chain middleware around ``last``; the first one sees an action first."""
    chain = last
    for each, layer in reversed([(each, each(api)) for each in middleware]):
        chain = layer(chain) if callable(layer) else None
        if not callable(chain):
            raise TypeError(
                f"{getattr(each, '__name__', each)!r} is no middleware: middleware(api) returns "
                "layer(next), which returns handle(action)"
            )
    return chain


class LoopThread:
    """An event loop on a daemon thread of its own, started when first needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None  # not alive in a forked child
        self._stopped = False

    def run(self, work: Coroutine[Any, Any, Any]) -> concurrent.futures.Future[Any]:
        """Run a coroutine on this loop."""
        with self._lock:
            if self._stopped:
                work.close()
                raise ClosedError("the store is closed: it runs no thunk any more")
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name=self._name, daemon=True
                )
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Cancel what still runs, and end the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            self._stopped = True
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        if thread is not threading.current_thread():
            thread.join(timeout=5)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _cancel_all() -> None:
    loop = asyncio.get_running_loop()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop.call_soon(loop.stop)


def thunk_middleware(loop_thread: LoopThread, extra: Any = None) -> Middleware:
    """Return the middleware that runs dispatched functions as ``f(dispatch, get_state)``.

    With an ``extra`` argument configured, a function that takes three parameters gets it as the
    third. A coroutine's result comes as a ``Waitable``: ``await`` it or ``.wait(timeout)``.
    """

    def middleware(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        def layer(proceed: Dispatch) -> Dispatch:
            def handle(action: Any) -> Any:
                if not callable(action) or isinstance(action, (type, ActionCreator)):
                    return proceed(action)  # a creator is a mistake, which the store explains
                arguments: tuple[Any, ...] = (api.dispatch, api.get_state)
                if extra is not None and _takes_three(action):
                    arguments = (*arguments, extra)
                result = action(*arguments)
                if inspect.iscoroutine(result):
                    return _run(result, loop_thread, getattr(action, "__name__", "the thunk"))
                return result

            return handle

        return layer

    return middleware


def _takes_three(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True


class _LoopFuture(concurrent.futures.Future[Any]):
    """The result of a coroutine on a running loop, for which that loop must not stand still."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            try:
                running = asyncio.get_running_loop()
            except RuntimeError:
                running = None
            if running is self._loop:
                raise RuntimeError(
                    "wait() would block the event loop that the thunk runs on, for ever; use await"
                )
        return super().result(timeout)


def _run(work: Coroutine[Any, Any, Any], loop_thread: LoopThread, name: str) -> Waitable[Any]:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return Waitable(loop_thread.run(work), name)
    future = _LoopFuture(loop)
    task = loop.create_task(work, name=name)

    def done(finished: asyncio.Task[Any]) -> None:
        if finished.cancelled():
            future.cancel()
            future.set_running_or_notify_cancel()
        elif (error := finished.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(finished.result())

    task.add_done_callback(done)
    return Waitable(future, name)

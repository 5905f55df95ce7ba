"""What an effect waits for: awaited by coroutines, and ``wait()``ed for by plain functions.

A wait ends with its result, or, as soon as the effect is cancelled or over, with a
``TaskAbortError``. A coroutine that is cancelled while it awaits gets asyncio's ``CancelledError``
instead, as everywhere in Python; it sees a ``TaskAbortError`` only if it waits once more.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from crdtstore.tasks import running_loop
from crdtstore.waitable import Waitable

__all__ = ["Wait", "deliver", "fail", "settle"]

T = TypeVar("T")


class Wait(Waitable[T]):
    """A ``Waitable`` that an effect waits for; ``begins`` is called when it is waited for.

    ``wait`` raises ``RuntimeError`` where an event loop runs, which would stand still: await there.
    If it is ``idle`` without anybody to wait for it, it is given up when nobody can any more.
    """

    __slots__ = ("_begins", "idle")

    def __init__(
        self, future: concurrent.futures.Future[T], name: str, begins: Callable[[], None]
    ) -> None:
        super().__init__(future, name)
        self._begins = begins
        self.idle = False

    def __del__(self) -> None:
        if self.idle:
            self._future.cancel()

    def __await__(self) -> Generator[Any, None, T]:
        self._begins()
        return (yield from super().__await__())

    def wait(self, timeout: float | None = None) -> T:
        """Block this thread until done, ``timeout`` seconds at most, and return the result.

        Raises ``TaskAbortError`` when the effect is cancelled or over, ``TimeoutError`` when the
        time is, and ``RuntimeError`` where an event loop runs.
        """
        if not self.done():
            if running_loop() is not None:
                raise RuntimeError(
                    f"wait() for {self.name} would block the event loop that runs here; make the "
                    "effect a coroutine function and await it"
                )
            self._begins()
        return super().wait(timeout)


def settle(future: concurrent.futures.Future[T], value: T) -> bool:
    """Give a future its result, and tell whether it had none."""
    try:
        future.set_result(value)
    except concurrent.futures.InvalidStateError:
        return False
    return True


def fail(future: concurrent.futures.Future[Any], error: BaseException) -> bool:
    """Give a future its exception, and tell whether it had no result yet."""
    try:
        future.set_exception(error)
    except concurrent.futures.InvalidStateError:
        return False
    return True


def deliver(future: concurrent.futures.Future[T], result: Callable[[], T]) -> None:
    """Give a future what ``result()`` returns or raises; a cancellation is passed on as such."""
    try:
        value = result()
    except (asyncio.CancelledError, concurrent.futures.CancelledError):
        future.cancel()
    except BaseException as error:
        fail(future, error)
    else:
        settle(future, value)

"""Something that will be done later, for scripts and for coroutines alike.

The work is done on a thread of its own, so a ``concurrent.futures.Future`` carries the result.
Several callers may wait for one ``Waitable``: one that gives up (a timeout, a cancelled task)
never cancels it for the others.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Waitable"]

T = TypeVar("T")


class Waitable(Generic[T]):
    """A result to come: ``waitable.wait(timeout)`` in plain code, else ``await waitable``.

    ``name`` says what is waited for, in the message of a timeout and in ``repr``. Waiting raises
    whatever the work itself failed with.
    """

    __slots__ = ("_future", "name")

    def __init__(self, future: concurrent.futures.Future[T], name: str) -> None:
        self._future = future
        self.name = name

    @classmethod
    def completed(cls, value: T, name: str = "the result") -> Waitable[T]:
        """A waitable that is done already and yields ``value``."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        future.set_result(value)
        return cls(future, name)

    def done(self) -> bool:
        """Whether waiting would return (or raise) at once."""
        return self._future.done()

    def wait(self, timeout: float | None = None) -> T:
        """Block this thread until done, ``timeout`` seconds at most, and return the result.

        Raises ``TimeoutError`` when the time is over; the work goes on and may be waited for again.
        """
        try:
            return self._future.result(timeout)
        except TimeoutError:
            if self._future.done():  # the work itself failed so, or was done just now
                return self._future.result()
            raise TimeoutError(
                f"{self.name} was not done within {timeout} s; it still goes on"
            ) from None

    def __await__(self) -> Generator[Any, None, T]:
        if not self._future.done():
            yield from self._wake().__await__()
        return self._settled(asyncio.CancelledError)

    def _wake(self) -> asyncio.Future[None]:
        """Return a future of the running loop, done when this is; cancelling it cancels no work."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def done(_: object) -> None:
            with suppress(RuntimeError):  # the loop of who waited was closed
                loop.call_soon_threadsafe(wake)

        self._future.add_done_callback(done)
        return waiter

    def _settled(self, cancelled: type[BaseException]) -> T:
        """Return the result of what is done, or raise; ``cancelled``, if that is what it was."""
        if self._future.cancelled():
            raise cancelled(*self._reason())
        return self._future.result()

    def _reason(self) -> tuple[str, ...]:
        """Return why it was cancelled, if that is known."""
        return ()

    def on_done(self, callback: Callable[[Self], Any]) -> None:
        """Call ``callback(self)`` when done, at once if it is: on the thread that did the work."""
        self._future.add_done_callback(lambda _: callback(self))

    def __repr__(self) -> str:
        return f"<Waitable {self.name}: {'done' if self.done() else 'pending'}>"

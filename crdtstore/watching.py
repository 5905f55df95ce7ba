"""Changes of the state as an iterator, for coroutines and for threads.

A watch keeps no queue. Its consumer remembers what it was given last, reads the state when it asks
for more, and sleeps only while there is no other value; so it gets the newest value however slow it
is, and what was committed before it asks it sees. The store is told of a consumer only while that
one sleeps, hence nothing is left behind by a loop that is left, cancelled or forgotten. Selectors
run where the values are consumed, not where the commits are made.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, overload

from crdtstore.errors import ClosedError
from crdtstore.state import RootState
from crdtstore.tasks import running_loop

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Changes", "Watch", "Watchable", "watch"]

V = TypeVar("V")
W = TypeVar("W")

_NOTHING: Final[Any] = object()


class Watchable(Protocol):
    """What a watch needs of a store."""

    @property
    def state(self) -> RootState:
        """The current root state, readable after ``close`` too."""
        ...

    def subscribe(self, listener: Callable[[], Any], /) -> Callable[[], None]:
        """Call ``listener`` after every change; return the function that stops it."""
        ...

    def on_close(self, callback: Callable[[], Any], /) -> Callable[[], None]:
        """Call ``callback`` on ``close``, at once if that was; return what takes it back."""
        ...


class Watch(Generic[V]):
    """The values of a selector: ``async for value in watch``, or a plain ``for`` in a thread.

    Every loop over it starts with the current value and goes on with each change, as
    ``subscribe(selector, listener)`` tells it (another object, and not equal to the last); of
    changes that come faster than they are consumed it gives the newest. It ends when the store
    closes, after the last value, or when the watch is closed: by ``close`` or a ``with`` block.
    """

    def __init__(self, store: Watchable, selector: Callable[[RootState], V]) -> None:
        self._store = store
        self._selector = selector
        self._sleepers: set[Callable[[], None]] = set()
        self._closed = False
        self._store_closed = False

    def __iter__(self) -> Changes[V]:
        return Changes(self)

    def __aiter__(self) -> Changes[V]:
        return Changes(self)

    def close(self) -> None:
        """End every loop over this watch; harmless to call twice, and from any thread."""
        self._closed = True
        for wake in list(self._sleepers):
            wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = getattr(self._selector, "__name__", repr(self._selector))
        return f"<watch of {name}{': closed' if self._closed else ''}>"

    @contextmanager
    def _waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call ``wake`` from any thread, any number of times, when there may be news."""

        def on_close() -> None:
            self._store_closed = True
            wake()

        self._sleepers.add(wake)
        try:
            unsubscribe = self._store.subscribe(wake)
            try:
                forget = self._store.on_close(on_close)
                try:
                    yield
                finally:
                    forget()
            finally:
                unsubscribe()
        finally:
            self._sleepers.discard(wake)


class Changes(Generic[V]):
    """One loop over a watch: ``next(changes)``, ``await anext(changes)``, ``changes.next(5)``."""

    __slots__ = ("_last", "_seen", "_watch")

    def __init__(self, watch: Watch[V]) -> None:
        self._watch: Watch[V] | None = watch  # until the end, for it holds the store
        self._last: V = _NOTHING
        self._seen: RootState | None = None

    def __iter__(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    def __next__(self) -> V:
        value = self._wait(None)
        if value is _NOTHING:
            raise StopIteration
        return value

    def next(self, timeout: float | None = None) -> V:
        """Block this thread until there is another value, for ``timeout`` seconds at most.

        Raises ``TimeoutError`` when the time is over, and ``ClosedError`` where a loop would end.
        Whatever it raises, what it would have returned is still to come.
        """
        value = self._wait(timeout)
        if value is _NOTHING:
            raise ClosedError("there is nothing more to watch: the store or the watch was closed")
        return value

    async def __anext__(self) -> V:
        if self._seen is not None:
            await asyncio.sleep(0)  # let others run, however fast the changes come
        value = self._step()
        watch = self._watch
        if value is _NOTHING and watch is not None:
            sleeper = _Sleeper(asyncio.get_running_loop())
            with watch._waking(sleeper.wake):
                while (value := self._step()) is _NOTHING and self._watch is not None:
                    await sleeper.sleep()
        if value is _NOTHING:
            raise StopAsyncIteration
        return value

    def _wait(self, timeout: float | None) -> V:
        value = self._step()
        watch = self._watch
        if value is not _NOTHING or watch is None:
            return value
        _refuse_on_loop()
        until = None if timeout is None else time.monotonic() + timeout
        woken = threading.Event()
        with watch._waking(woken.set):
            while (value := self._step()) is _NOTHING and self._watch is not None:
                if not woken.wait(None if until is None else until - time.monotonic()):
                    raise TimeoutError(f"the watched value did not change within {timeout} s")
                woken.clear()
        return value

    def _step(self) -> V:
        """Return the current value if it is news; end if there will be none."""
        value: V = _NOTHING
        watch = self._watch
        if watch is None:
            return value
        final = watch._store_closed  # asked first: no commit comes after it
        if not watch._closed:
            state = watch._store.state
            if state is not self._seen:
                value = self._look(watch, state)
            if not final or value is not _NOTHING:
                return value
        self._end()
        return value

    def _end(self) -> None:
        """Let go of the store, and of what it was."""
        self._watch = None
        self._seen = None
        self._last = _NOTHING

    def _look(self, watch: Watch[V], state: RootState) -> V:
        last = self._last
        try:
            value = watch._selector(state)
            news = last is _NOTHING or (value is not last and bool(value != last))
        except Exception:
            self._end()
            raise
        self._seen = state
        self._last = value
        return value if news else _NOTHING


class _Sleeper:
    """A coroutine that sleeps until it is woken from any thread, however often."""

    __slots__ = ("_loop", "_woken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._woken: asyncio.Future[None] | None = loop.create_future()

    def wake(self) -> None:
        """Wake the sleeper, or keep it from falling asleep; nothing if its loop is closed."""
        woken, self._woken = self._woken, None
        if woken is None:
            return
        if running_loop() is self._loop:  # spares the loop a write to its own socket
            _finish(woken)
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_finish, woken)

    async def sleep(self) -> None:
        """Sleep until ``wake`` was called since the last sleep."""
        woken = self._woken
        if woken is not None:
            await woken
        self._woken = self._loop.create_future()


def _finish(woken: asyncio.Future[None]) -> None:
    if not woken.done():  # cancelled, with the task that slept
        woken.set_result(None)


def _refuse_on_loop() -> None:
    if running_loop() is not None:
        raise RuntimeError(
            "waiting for a change here would block the event loop; use async for, or await anext()"
        )


@overload
def watch(store: Watchable) -> Watch[RootState]: ...
@overload
def watch(store: Watchable, selector: Callable[[RootState], W]) -> Watch[W]: ...
def watch(store: Watchable, selector: Callable[[RootState], Any] | None = None) -> Watch[Any]:
    """Return the values of ``selector`` (or the whole state) as they change, to be looped over.

    Raises ``TypeError`` for a selector that cannot be called.
    """
    if selector is None:
        return Watch(store, _whole_state)
    if not callable(selector):
        raise TypeError(
            "watch takes a selector, a function of the root state: "
            f"store.watch(lambda state: state.todos); got {type(selector).__name__}"
        )
    return Watch(store, selector)


def _whole_state(state: RootState) -> RootState:
    return state
